package web

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func get(t *testing.T, method, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

func TestFilesAreServed(t *testing.T) {
	for path, kind := range map[string]string{
		"/": "text/html; charset=utf-8", "/app.js": "text/javascript; charset=utf-8",
		"/style.css": "text/css; charset=utf-8", "/icon.svg": "image/svg+xml",
	} {
		res := get(t, "GET", path)
		etag := res.Header.Get("ETag")
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != kind || res.ContentLength == 0 {
			t.Errorf("%s: %d %s, %d bytes", path, res.StatusCode, res.Header.Get("Content-Type"), res.ContentLength)
		}
		if res.Header.Get("Cache-Control") != "no-cache" || len(etag) != 34 {
			t.Errorf("%s: Cache-Control %q, ETag %q", path, res.Header.Get("Cache-Control"), etag)
		}
		if got := get(t, "GET", path, "If-None-Match", etag).StatusCode; got != http.StatusNotModified {
			t.Errorf("%s again: %d", path, got)
		}
		if got := get(t, "HEAD", path); got.StatusCode != 200 || got.ContentLength != res.ContentLength {
			t.Errorf("HEAD %s: %d, %d bytes", path, got.StatusCode, got.ContentLength)
		}
		if got := get(t, "POST", path); got.StatusCode != http.StatusMethodNotAllowed || got.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("POST %s: %d", path, got.StatusCode)
		}
	}
}

func TestFilesAreCompressed(t *testing.T) {
	plain, small := get(t, "GET", "/app.js"), get(t, "GET", "/app.js", "Accept-Encoding", "br, gzip")
	if plain.Header.Get("Content-Encoding") != "" || small.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("encodings: %q and %q", plain.Header.Get("Content-Encoding"), small.Header.Get("Content-Encoding"))
	}
	if plain.Header.Get("Vary") != "Accept-Encoding" || plain.Header.Get("ETag") == small.Header.Get("ETag") {
		t.Errorf("Vary %q, ETag %q for both", plain.Header.Get("Vary"), plain.Header.Get("ETag"))
	}
	if got := get(t, "GET", "/app.js", "Accept-Encoding", "gzip;q=0").Header.Get("Content-Encoding"); got != "" {
		t.Errorf("what was refused was sent: %s", got)
	}
	r, err := gzip.NewReader(small.Body)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, load()["/app.js"].body) {
		t.Errorf("%d bytes came, %v", len(got), err)
	}
}

// mostBytes is what the whole page may weigh, compressed.
const mostBytes = 100 << 10

func TestWeight(t *testing.T) {
	sum := 0
	for path, f := range load() {
		sum += len(f.small)
		t.Logf("%-12s %6d bytes, %6d compressed", path, len(f.body), len(f.small))
	}
	t.Logf("the page weighs %.1f KB compressed, of %d KB", float64(sum)/1024, mostBytes>>10)
	if sum > mostBytes {
		t.Errorf("the page weighs %d bytes, more than %d", sum, mostBytes)
	}
}

func TestNothingElseIsServed(t *testing.T) {
	for _, path := range []string{
		"/index.html", "/dist/app.js", "/dist", "/src/app.tsx", "/app.js/", "/web.go", "/favicon.ico", "/..%2fweb.go", "//app.js", "/%2e%2e/go.mod",
	} {
		if got := get(t, "GET", path).StatusCode; got != http.StatusNotFound {
			t.Errorf("%s: %d", path, got)
		}
	}
}

// forbidden is what no source of the page may hold: code or style that the Content-Security-Policy forbids, ways in
// which text could become markup or code, and addresses of other hosts.
var forbidden = map[string]*regexp.Regexp{
	"inline script":      regexp.MustCompile(`(?is)<script(?:\s[^>]*)?>\s*[^<\s]|<script\s*>|<script(?:\s+(?:type|defer|async)\b[^\s>]*)*\s*>`),
	"inline style":       regexp.MustCompile(`(?i)<style|\sstyle\s*=\s*["'{]|\.cssText|["']style["']`),
	"markup from text":   regexp.MustCompile(`(?i)innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|setHTML|srcdoc`),
	"code from text":     regexp.MustCompile(`(?i)\beval\b|\bFunction\s*\(|set(?:Timeout|Interval)\(\s*["'` + "`" + `]|javascript:|import\s*\(`),
	"address elsewhere":  regexp.MustCompile(`(?i)\b(?:https?|wss?|ftp):/|["'(=]\s*//|\b(?:data|blob):[a-z]`),
	"import elsewhere":   regexp.MustCompile(`(?i)@import`),
	"frame or extension": regexp.MustCompile(`(?i)<(?:iframe|object|embed|base|link[^>]+preconnect)\b`),
	"on… attribute":      regexp.MustCompile(`\son[a-z]{3,}\s*=\s*["']|setAttribute\w*\(\s*["']on`),
}

// harmless are addresses that are none: a name of XML, and the pattern of addresses in Markdown.
var harmless = strings.NewReplacer(`xmlns="http://www.w3.org/2000/svg"`, "", `/https?:\/\/`, "")

// violations names what is forbidden and in text.
func violations(text string) []string {
	text = harmless.Replace(text)
	var found []string
	for name, pattern := range forbidden {
		if m := pattern.FindString(text); m != "" {
			found = append(found, name+": "+m)
		}
	}
	return found
}

// sources reads the page's sources, by name.
func sources(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("src/*")
	if err != nil || len(paths) == 0 {
		t.Fatal("no sources", err)
	}
	out := map[string]string{}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(p)] = string(b)
	}
	return out
}

func TestPageHoldsNothingForbidden(t *testing.T) {
	all := sources(t)
	for name, text := range all {
		for _, v := range violations(text) {
			t.Errorf("%s: %s", name, v)
		}
	}
	if !strings.Contains(all["index.html"], `content="require-trusted-types-for 'script'; trusted-types 'none'"`) {
		t.Error("the page lets scripts turn text into markup")
	}
}

func TestPlantedViolationsAreFound(t *testing.T) {
	all := sources(t)
	page, script, style := all["index.html"], all["runview.tsx"], all["style.css"]
	for _, c := range []struct{ file, plant, want string }{
		{page, `<script>go()</script>`, "inline script"},
		{page, `<script type="module">go()</script>`, "inline script"},
		{page, `<style>p { color: red }</style>`, "inline style"},
		{page, `<p style="color: red">`, "inline style"},
		{page, `<img src="/x" onerror="go()">`, "on… attribute"},
		{page, `<a href="javascript:go()">`, "code from text"},
		{page, `<script src="https://cdn.example/x.js"></script>`, "address elsewhere"},
		{page, `<link rel="stylesheet" href="//cdn.example/x.css">`, "address elsewhere"},
		{page, `<img src="data:image/png;base64,AA==">`, "address elsewhere"},
		{page, `<iframe src="/x"></iframe>`, "frame or extension"},
		{script, `node.innerHTML = text;`, "markup from text"},
		{script, `<p dangerouslySetInnerHTML={{ __html: text }} />`, "markup from text"},
		{script, `node.insertAdjacentHTML("beforeend", text);`, "markup from text"},
		{script, `node.setAttribute("onclick", text);`, "on… attribute"},
		{script, `node.setAttribute("style", text);`, "inline style"},
		{script, `<p style={text}>`, "inline style"},
		{script, `eval(text);`, "code from text"},
		{script, `new Function(text)();`, "code from text"},
		{script, `setTimeout("go()", 1);`, "code from text"},
		{script, `fetch("https://elsewhere.example/");`, "address elsewhere"},
		{style, `p { background: url(//cdn.example/x.png) }`, "address elsewhere"},
		{style, `@import "/x.css";`, "import elsewhere"},
	} {
		if got := strings.Join(violations(c.file+"\n"+c.plant), "\n"); !strings.Contains(got, c.want) {
			t.Errorf("%s: not found as %s, but as %q", c.plant, c.want, got)
		}
	}
}
