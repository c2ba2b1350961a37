package web

import (
	"net/http"
	"net/http/httptest"
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
		"/protocol.js": "text/javascript; charset=utf-8", "/view.js": "text/javascript; charset=utf-8",
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

func TestNothingElseIsServed(t *testing.T) {
	for _, path := range []string{
		"/index.html", "/static/app.js", "/static", "/app.js/", "/web.go", "/favicon.ico", "/..%2fweb.go", "//app.js", "/%2e%2e/go.mod",
	} {
		if got := get(t, "GET", path).StatusCode; got != http.StatusNotFound {
			t.Errorf("%s: %d", path, got)
		}
	}
}

// forbidden is what no file of the page may hold: code or style that the Content-Security-Policy forbids, ways in which
// text could become markup or code, and addresses of other hosts.
var forbidden = map[string]*regexp.Regexp{
	"inline script":      regexp.MustCompile(`(?is)<script(?:\s[^>]*)?>\s*[^<\s]|<script\s*>|<script(?:\s+(?:type|defer|async)\b[^\s>]*)*\s*>`),
	"inline style":       regexp.MustCompile(`(?i)<style|\sstyle\s*=\s*["']|\.cssText|["']style["']`),
	"on… attribute":      regexp.MustCompile(`(?i)["'\s.]on[a-z]{3,}\s*=[^=>]|setAttribute\w*\(\s*["']on`),
	"markup from text":   regexp.MustCompile(`(?i)innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|setHTML|srcdoc`),
	"code from text":     regexp.MustCompile(`(?i)\beval\b|\bFunction\s*\(|set(?:Timeout|Interval)\(\s*["'` + "`" + `]|javascript:|import\s*\(`),
	"address elsewhere":  regexp.MustCompile(`(?i)\b(?:https?|wss?|ftp):|["'(=]\s*//|\b(?:data|blob):`),
	"import elsewhere":   regexp.MustCompile(`(?i)@import|\bfrom\s+["'][^/"']`),
	"frame or extension": regexp.MustCompile(`(?i)<(?:iframe|object|embed|base|link[^>]+preconnect)\b`),
}

// violations names what is forbidden and in text.
func violations(text string) []string {
	text = strings.ReplaceAll(text, `xmlns="http://www.w3.org/2000/svg"`, "") // a name, not an address
	var found []string
	for name, pattern := range forbidden {
		if m := pattern.FindString(text); m != "" {
			found = append(found, name+": "+m)
		}
	}
	return found
}

func TestPageHoldsNothingForbidden(t *testing.T) {
	for path, f := range load() {
		for _, v := range violations(string(f.body)) {
			t.Errorf("%s: %s", path, v)
		}
	}
}

func TestPlantedViolationsAreFound(t *testing.T) {
	page, script, style := string(load()["/"].body), string(load()["/app.js"].body), string(load()["/style.css"].body)
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
		{script, `node.insertAdjacentHTML("beforeend", text);`, "markup from text"},
		{script, `node.onclick = go;`, "on… attribute"},
		{script, `node.setAttribute("onclick", text);`, "on… attribute"},
		{script, `node.setAttribute("style", text);`, "inline style"},
		{script, `eval(text);`, "code from text"},
		{script, `new Function(text)();`, "code from text"},
		{script, `setTimeout("go()", 1);`, "code from text"},
		{script, `fetch("https://elsewhere.example/");`, "address elsewhere"},
		{script, `import x from "x";`, "import elsewhere"},
		{style, `p { background: url(//cdn.example/x.png) }`, "address elsewhere"},
		{style, `@import "/x.css";`, "import elsewhere"},
	} {
		if got := strings.Join(violations(c.file+"\n"+c.plant), "\n"); !strings.Contains(got, c.want) {
			t.Errorf("%s: not found as %s, but as %q", c.plant, c.want, got)
		}
	}
}
