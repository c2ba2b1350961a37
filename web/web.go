// Package web serves the page: log in and chat, in a browser without a build step.
//
// The page is a client of the public protocol like any other and has no privileges. What people and models wrote is
// shown as text, never as markup, and the page needs nothing but its own files, so it works under the strictest
// Content-Security-Policy; that header is set by transport, for everything a node serves.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"time"
)

//go:embed static
var static embed.FS

// types are the media types of the files, by extension: the system's own table would differ from machine to machine.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  "image/svg+xml",
}

// file is a file as it is served.
type file struct {
	body []byte
	kind string
	etag string
}

// Handler serves the page at / and its files beside it; other paths are answered 404, other methods than GET and HEAD
// 405. Every answer carries a strong ETag and must be revalidated (RFC 9111 §5.2.2.4), so that a page never mixes the
// files of two versions for longer than one load. The handler may be used concurrently.
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
		h.Set("Content-Type", f.kind)
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", f.etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
	})
}

// load reads the embedded files. They are part of the binary: one that cannot be read or has no type is a defect of the
// build and panics.
func load() map[string]file {
	entries, err := static.ReadDir("static")
	if err != nil {
		panic(err)
	}
	files := make(map[string]file, len(entries))
	for _, e := range entries {
		body, err := static.ReadFile("static/" + e.Name())
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
		files[at] = file{body: body, kind: kind, etag: `"` + hex.EncodeToString(sum[:16]) + `"`}
	}
	return files
}
