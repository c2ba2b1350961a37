// Package web serves the page: log in and chat, in a browser.
//
// The page is a client of the public protocol like any other and has no privileges. It is written in src and bundled
// into dist by internal/cmd/bundle; dist is embedded, so neither building nor running Switchboard needs Node. What people
// and models wrote is shown as text and as the few elements of Markdown, never as markup of theirs, and the page needs
// nothing but its own files, so it works under the strictest Content-Security-Policy; that header is set by transport, for
// everything a node serves. The page adds to it that no script may turn text into markup.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed dist
var dist embed.FS

// types are the media types of the files, by extension: the system's own table would differ from machine to machine.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  "image/svg+xml",
}

// file is a file as it is served: plain, and compressed by gzip (RFC 1952).
type file struct {
	body, small []byte
	kind        string
	etag        string // without quotes
}

// Handler serves the page at / and its files beside it; other paths are answered 404, other methods than GET and HEAD
// 405. Who accepts gzip gets it. Every answer carries a strong ETag and must be revalidated (RFC 9111 §5.2.2.4), so that
// a page never mixes the files of two versions for longer than one load. The handler may be used concurrently.
func Handler() http.Handler {
	files := load()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		body, etag := f.body, f.etag
		if acceptsGzip(r) {
			body, etag = f.small, f.etag+"-gzip"
			h.Set("Content-Encoding", "gzip")
		}
		h.Set("Content-Type", f.kind)
		h.Set("Cache-Control", "no-cache")
		h.Set("Vary", "Accept-Encoding")
		h.Set("ETag", `"`+etag+`"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	})
}

// acceptsGzip reports whether a request names gzip among what it accepts (RFC 9110 §12.5.3). One that gives it a weight
// is served plain, which is always right.
func acceptsGzip(r *http.Request) bool {
	for _, coding := range strings.Split(r.Header.Get("Accept-Encoding"), ",") {
		if strings.TrimSpace(coding) == "gzip" {
			return true
		}
	}
	return false
}

// load reads the embedded files. They are part of the binary: one that cannot be read or has no type is a defect of the
// build and panics.
func load() map[string]file {
	entries, err := dist.ReadDir("dist")
	if err != nil {
		panic(err)
	}
	files := make(map[string]file, len(entries))
	for _, e := range entries {
		body, err := dist.ReadFile("dist/" + e.Name())
		if err != nil {
			panic(err)
		}
		kind, ok := types[path.Ext(e.Name())]
		if !ok {
			panic("web: " + e.Name() + " has no media type")
		}
		sum := sha256.Sum256(body)
		at := "/" + e.Name()
		if at == "/index.html" {
			at = "/"
		}
		files[at] = file{body: body, small: compress(body), kind: kind, etag: hex.EncodeToString(sum[:16])}
	}
	return files
}

func compress(body []byte) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		panic(err) // the level is right
	}
	_, _ = w.Write(body) // a Buffer takes everything
	_ = w.Close()
	return b.Bytes()
}
