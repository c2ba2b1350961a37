package builtin

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/tool"
)

func fetch(t testing.TB, f *FetchURL, url string) (page, error) {
	t.Helper()
	args, err := json.Marshal(map[string]string{"url": url})
	if err != nil {
		t.Fatal(err)
	}
	out, err := f.Call(t.Context(), tool.Invocation{Arguments: args})
	if err != nil {
		return page{}, err
	}
	if limit := switchboard.DefaultLimits().ToolResultBytes; len(out) > limit {
		t.Errorf("%d bytes of result", len(out))
	}
	var p page
	if err := json.Unmarshal(out, &p); err != nil {
		t.Fatal(err)
	}
	return p, nil
}

// local returns a config that reaches a test server, and only at 127.0.0.1.
func local(server *httptest.Server) FetchConfig {
	port := netip.MustParseAddrPort(server.Listener.Addr().String()).Port()
	return FetchConfig{Ports: []uint16{port}, Allow: func(a netip.Addr) bool { return a == netip.MustParseAddr("127.0.0.1") }}
}

// silent is a resolver that must not be asked.
func silent(t testing.TB) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		t.Error("a name was looked up")
		return nil, errors.New("no resolver")
	}}
}

// TestFetchRefusesURL: these are refused by their spelling, before anything is looked up or dialled.
func TestFetchRefusesURL(t *testing.T) {
	f := NewFetchURL(FetchConfig{Resolver: silent(t)})
	for _, u := range []string{
		"", "example.com", "//example.com", "/path", "http://", "http:///path", "http:example.com", "https://:443/", "\x00", "http://exa mple.com",
		"file:///etc/passwd", "ftp://example.com/", "gopher://example.com/", "javascript:alert(1)", "data:text/plain,x", "ws://example.com/", "unix:///run/x.sock",
		"http://user@example.com/", "http://user:pass@example.com/", "http://example.com@127.0.0.1/", "http://127.0.0.1#@example.com/", "http://example.com\\@127.0.0.1/", "http://:@example.com/",
		"http://example.com:22/", "http://example.com:8080/", "http://example.com:0/", "http://example.com:65616/", "http://example.com:/", "http://example.com:080/", "http://example.com:+80/",
		"http://localhost/", "http://LOCALHOST./", "http://foo.localhost/", "http://printer.local/", "http://metadata.google.internal/", "http://router.lan/", "http://1.0.0.127.in-addr.arpa/", "http://intranet/", "http://kubernetes.default.svc.cluster.local/",
		"http://127.0.0.1/", "http://127.0.0.1:80/", "https://127.0.0.1:443/", "http://127.255.255.254/", "http://0.0.0.0/", "http://0.1.2.3/", "http://10.0.0.1/", "http://172.16.0.1/", "http://172.31.255.255/", "http://192.168.1.1/",
		"http://169.254.169.254/latest/meta-data/", "http://168.63.129.16/", "http://100.64.0.1/", "http://100.127.255.255/", "http://192.0.0.8/", "http://198.18.0.1/", "http://224.0.0.1/", "http://239.255.255.255/", "http://240.0.0.1/", "http://255.255.255.255/",
		"http://0x7f.1/", "http://0x7f000001/", "http://0x7F.0x0.0x0.0x1/", "http://2130706433/", "http://017700000001/", "http://0177.0.0.1/", "http://127.1/", "http://127.0.1/", "http://127.0.0.1./", "http://127.0.0.01/", "http://0/", "http://1.2.3.4.5/", "http://foo.0x7f/", "http://169.254.169.254./",
		"http://[::1]/", "http://[::]/", "http://[0:0:0:0:0:0:0:1]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://[::ffff:8.8.8.8]/", "http://[::127.0.0.1]/", "http://[fe80::1]/", "http://[fe80::1%25eth0]/", "http://[fc00::1]/", "http://[fd12:3456::1]/", "http://[ff02::1]/", "http://[fec0::1]/",
		"http://[64:ff9b::7f00:1]/", "http://[64:ff9b:1::1]/", "http://[2002:7f00:1::]/", "http://[2001::1]/", "http://[2001:db8::1]/", "http://[100::1]/", "http://[5f00::1]/", "http://[v1.1]/", "http://[::1", "http://::1/",
		"http://①②⑦.⓪.⓪.①/", "http://127。0。0。1/", "http://１２７.0.0.1/", "http://exämple.com/", "http://%31%32%37.0.0.1/", "http://example.com%00.evil.com/", "http://example..com/", "http://.com/", "http://-/", "http://" + strings.Repeat("a", 64) + ".com/",
		"http://example.com/\r\nHost: evil", "http://example.com/" + strings.Repeat("a", maxURL),
	} {
		_, err := fetch(t, f, u)
		var e *switchboard.Error
		if !errors.As(err, &e) || e.Code != switchboard.Forbidden || e.Field != "url" {
			t.Errorf("%.80q: %v", u, err)
		}
	}
}

// TestFetchPublic: what the dialler may connect to.
func TestFetchPublic(t *testing.T) {
	f := NewFetchURL(FetchConfig{})
	for _, a := range []string{"8.8.8.8:80", "93.184.216.34:443", "[2606:4700::1111]:443", "172.32.0.1:80", "100.128.0.1:80", "192.0.1.1:80", "[::ffff:8.8.8.8]:80"} {
		if err := f.control("tcp", a, nil); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
	for _, a := range []string{
		"127.0.0.1:80", "10.1.2.3:80", "192.168.0.1:443", "169.254.169.254:80", "100.64.0.1:80", "0.0.0.0:80", "224.0.0.1:80", "255.255.255.255:80",
		"[::1]:80", "[::]:80", "[::ffff:127.0.0.1]:80", "[::ffff:10.0.0.1]:80", "[fe80::1%lo]:80", "[fe80::1]:80", "[fd00::1]:80", "[ff02::1]:80",
		"[64:ff9b::a00:1]:80", "[2002:a00:1::]:80", "[2001:0:1::]:80", "8.8.8.8:22", "8.8.8.8:8080", "8.8.8.8", "", "/run/x.sock", "example.com:80",
	} {
		if err := f.control("tcp", a, nil); err == nil {
			t.Errorf("%s: allowed", a)
		}
	}
	if f.client.Transport.(*http.Transport).Proxy != nil || f.client.Jar != nil {
		t.Error("a proxy or cookies are in use")
	}
}

// names is a DNS server: for each name it gives the next of its answers, the last one for ever.
type names struct {
	mu      sync.Mutex
	answers map[string][]string // of addresses, several separated by spaces
	asked   map[string]int      // per name, counting A and AAAA of one look-up as one
}

// resolver answers over a pipe in memory.
func (n *names) resolver(t testing.TB) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe() // no packet connection: DNS over TCP, with a length before each message
		go func() {
			defer ours.Close()
			for {
				var size [2]byte
				if _, err := ours.Read(size[:]); err != nil {
					return
				}
				query := make([]byte, int(size[0])<<8|int(size[1]))
				if _, err := ours.Read(query); err != nil {
					return
				}
				answer, err := n.answer(query)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := ours.Write(append([]byte{byte(len(answer) >> 8), byte(len(answer))}, answer...)); err != nil {
					return
				}
			}
		}()
		return theirs, nil
	}}
}

func (n *names) answer(query []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		return nil, err
	}
	q := m.Questions[0]
	n.mu.Lock()
	defer n.mu.Unlock()
	name := strings.TrimSuffix(q.Name.String(), ".")
	list := n.answers[name]
	at := n.asked[name+q.Type.String()]
	if n.asked == nil {
		n.asked = map[string]int{}
	}
	n.asked[name+q.Type.String()]++
	out := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}, Questions: m.Questions}
	if len(list) == 0 {
		out.RCode = dnsmessage.RCodeNameError
		return out.Pack()
	}
	for _, s := range strings.Fields(list[min(at, len(list)-1)]) {
		a := netip.MustParseAddr(s)
		h := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, Type: q.Type}
		switch {
		case a.Is4() && q.Type == dnsmessage.TypeA:
			out.Answers = append(out.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: a.As4()}})
		case a.Is6() && q.Type == dnsmessage.TypeAAAA:
			out.Answers = append(out.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	return out.Pack()
}

// TestFetchResolved: names that lead to addresses that are not public are refused when they are dialled.
func TestFetchResolved(t *testing.T) {
	var hits atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer server.Close()
	port := local(server).Ports[0]
	for _, a := range []string{
		"127.0.0.1", "10.0.0.1", "192.168.0.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
		"::1", "::", "::ffff:127.0.0.1", "fe80::1", "fd00::1", "ff02::1", "64:ff9b::7f00:1", "2002:7f00:1::1", "127.0.0.1 ::1 10.0.0.1",
	} {
		n := &names{answers: map[string][]string{"evil.example.com": {a}}}
		f := NewFetchURL(FetchConfig{Resolver: n.resolver(t), Ports: []uint16{port}})
		_, err := fetch(t, f, fmt.Sprintf("http://evil.example.com:%d/", port))
		if err == nil || !strings.Contains(err.Error(), "not public") {
			t.Errorf("%s: %v", a, err)
		}
	}
	if hits.Load() > 0 {
		t.Errorf("the private server was asked %d times", hits.Load())
	}
	f := NewFetchURL(FetchConfig{Resolver: new(names).resolver(t)})
	if _, err := fetch(t, f, "http://nowhere.example.com/"); err == nil || !strings.Contains(err.Error(), "host was not found") {
		t.Errorf("unknown name: %v", err)
	}
}

// TestFetchRebinding: a resolver that changes its mind changes nothing, because what is dialled is what is checked.
func TestFetchRebinding(t *testing.T) {
	var hits atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		if r.URL.Path == "/again" {
			http.Redirect(w, r, "/page", http.StatusFound)
			return
		}
		fmt.Fprint(w, "hello")
	}))
	defer server.Close()
	c := local(server)
	for name, tc := range map[string]struct {
		answers []string
		path    string
		look    bool // as one who checks a name before it is dialled would
		hits    int32
		ok      bool
	}{
		"steady":               {answers: []string{"127.0.0.1"}, path: "/again", hits: 2, ok: true},
		"after the check":      {answers: []string{"127.0.0.1", "127.0.0.2"}, path: "/page", look: true},
		"between redirects":    {answers: []string{"127.0.0.1", "127.0.0.2"}, path: "/again", hits: 1},
		"one good, one bad":    {answers: []string{"127.0.0.2 127.0.0.1"}, path: "/page", hits: 1, ok: true},
		"mapped after a while": {answers: []string{"127.0.0.1", "::ffff:10.0.0.1"}, path: "/again", hits: 1},
	} {
		hits.Store(0)
		n := &names{answers: map[string][]string{"rebind.example.com": tc.answers}}
		c.Resolver = n.resolver(t)
		if tc.look {
			if a, err := c.Resolver.LookupHost(t.Context(), "rebind.example.com"); err != nil || len(a) != 1 || a[0] != "127.0.0.1" {
				t.Fatalf("%s: %v %v", name, a, err)
			}
		}
		p, err := fetch(t, NewFetchURL(c), fmt.Sprintf("http://rebind.example.com:%d%s", c.Ports[0], tc.path))
		if tc.ok != (err == nil && p.Text == "hello") || hits.Load() != tc.hits {
			t.Errorf("%s: %+v %v after %d hits", name, p, err, hits.Load())
		}
		if !tc.ok && (err == nil || !strings.Contains(err.Error(), "not public")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFetchRedirects: each redirect is checked as the first URL is, and there are at most five.
func TestFetchRedirects(t *testing.T) {
	var seen []*http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r)
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		var n int
		if _, err := fmt.Sscanf(r.URL.Path, "/hop/%d", &n); err == nil && n > 0 {
			http.Redirect(w, r, fmt.Sprintf("/hop/%d", n-1), http.StatusFound)
		} else if to := r.URL.Query().Get("to"); to != "" {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusTemporaryRedirect)
		}
	}))
	defer server.Close()
	c := local(server)
	c.Resolver = silent(t)
	f := NewFetchURL(c)
	p, err := fetch(t, f, server.URL+"/hop/5?x=1#part")
	if err != nil || !strings.HasSuffix(p.URL, "/hop/0") || len(seen) != 6 {
		t.Errorf("five redirects: %+v %v after %d requests", p, err, len(seen))
	}
	for _, r := range seen {
		if len(r.Cookies()) > 0 || r.Referer() != "" || r.Header.Get("Authorization") != "" {
			t.Errorf("sent along: %v", r.Header)
		}
	}
	if _, err := fetch(t, f, server.URL+"/hop/6"); err == nil || !strings.Contains(err.Error(), "more than 5 redirects") {
		t.Errorf("six redirects: %v", err)
	}
	for _, to := range []string{
		"http://10.0.0.1/", "http://127.0.0.2/", "http://169.254.169.254/latest/", "http://[::1]/", "http://0x7f.1/", "http://2130706433/", "//192.168.0.1/",
		"file:///etc/passwd", "gopher://127.0.0.1/", "http://a:b@127.0.0.1/", "http://127.0.0.1:22/", "http://localhost/", "ftp://example.com/", "javascript:1", "http://[::ffff:127.0.0.1]/",
	} {
		seen = nil
		if _, err := fetch(t, f, server.URL+"/?to="+to); switchboard.CodeOf(err) != switchboard.Forbidden || len(seen) != 1 {
			t.Errorf("to %s: %v after %d requests", to, err, len(seen))
		}
	}
}

// TestFetchReads: what comes back is text of bounded size.
func TestFetchReads(t *testing.T) {
	var squeezed bytes.Buffer
	z := gzip.NewWriter(&squeezed)
	for range 64 {
		if _, err := z.Write(make([]byte, 64<<10)); err != nil { // 4 MiB of nothing
			t.Fatal(err)
		}
	}
	z.Close()
	for name, tc := range map[string]struct {
		kind, body, encoding string
		status               int
		want, wantKind       string
		truncated            bool
		err                  string
	}{
		"html": {kind: "text/html; charset=utf-8", wantKind: "text/html",
			body: "<!doctype html><title>A &amp; B</title><style>p{}</style><script>if(1<2){alert('<p>x')}</script><!-- secret --><body><h1>Head</h1>" +
				"<p>one   <b>bold</b>\n two<br>three<table><tr><td>a<td>b</table><svg><svg></svg>no</svg><noscript>no</noscript><p>end",
			want: "A & B\n\nHead\n\none bold\ntwo\nthree\n\na b\n\nend"},
		"latin-1":       {kind: "text/html; charset=iso-8859-1", wantKind: "text/html", body: "<p>caf\xe9", want: "café"},
		"meta charset":  {kind: "text/html", wantKind: "text/html", body: "<meta charset=shift_jis><p>\x93\x8c\x8b\x9e", want: "東京"},
		"plain":         {kind: "text/plain", wantKind: "text/plain", body: "a <b>\x1b[2J\x00\tc\r\n", want: "a <b>[2J\tc\n"},
		"bad UTF-8":     {kind: "text/plain; charset=utf-8", wantKind: "text/plain", body: "a\xff\xfeb", want: "a\uFFFD\uFFFDb"},
		"json":          {kind: "application/json", wantKind: "application/json", body: `{"a":1}`, want: `{"a":1}`},
		"problem":       {kind: "application/problem+json", wantKind: "application/problem+json", body: `{}`, status: 404, want: `{}`},
		"xml":           {kind: "application/xml", wantKind: "application/xml", body: `<a>1</a>`, want: `<a>1</a>`},
		"feed":          {kind: "application/atom+xml", wantKind: "application/atom+xml", body: `<feed/>`, want: `<feed/>`},
		"odd parameter": {kind: "text/plain; charset", wantKind: "text/plain", body: "x", want: "x"},
		"empty":         {kind: "text/plain", wantKind: "text/plain"},
		"image":         {kind: "image/png", body: "x", err: "only text"},
		"svg":           {kind: "image/svg+xml", body: "<svg/>", err: "only text"},
		"binary":        {kind: "application/octet-stream", body: "x", err: "only text"},
		"no type":       {kind: "", body: "\x89PNG\r\n\x1a\n", err: "only text"},
		"rubbish type":  {kind: ";;", body: "x", err: "only text"},
		"long":          {kind: "text/plain", wantKind: "text/plain", body: strings.Repeat("<\"é", 1<<20), want: strings.Repeat("<\"é", maxText/4), truncated: true},
		"bomb":          {kind: "text/plain", wantKind: "text/plain", body: squeezed.String(), encoding: "gzip", truncated: true},
		"deep":          {kind: "text/html", wantKind: "text/html", body: strings.Repeat("<div>", 40000) + "x", want: "x"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header()["Content-Type"] = []string{tc.kind}
				if tc.kind == "" {
					w.Header()["Content-Type"] = nil
				}
				if tc.encoding != "" {
					w.Header().Set("Content-Encoding", tc.encoding)
				}
				if tc.status > 0 {
					w.WriteHeader(tc.status)
				}
				_, _ = w.Write([]byte(tc.body))
			}))
			defer server.Close()
			p, err := fetch(t, NewFetchURL(local(server)), server.URL)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("%+v %v", p, err)
				}
				return
			}
			status := max(tc.status, 200)
			if err != nil || p.Text != tc.want || p.ContentType != tc.wantKind || p.Status != status || p.Truncated != tc.truncated {
				t.Errorf("%d %s %v %d bytes %.300q %v", p.Status, p.ContentType, p.Truncated, len(p.Text), p.Text, err)
			}
		})
	}
}

// TestFetchFails: errors of the network tell nothing of our side of it.
func TestFetchFails(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	c := local(server)
	if _, err := fetch(t, NewFetchURL(c), server.URL); err == nil || !strings.Contains(err.Error(), "certificate is not valid") {
		t.Errorf("unknown authority: %v", err)
	}
	server.Close()
	_, err := fetch(t, NewFetchURL(c), server.URL)
	if e := switchboard.AsError(err); e.Message != "the page could not be read" {
		t.Errorf("nobody listens: %v", err)
	}
}

// TestFetchStops: a page that never ends is left when the call ends.
func TestFetchStops(t *testing.T) {
	begun := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "x")
		w.(http.Flusher).Flush()
		close(begun)
		<-r.Context().Done()
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	_, err := NewFetchURL(local(server)).Call(ctx, tool.Invocation{Arguments: json.RawMessage(`{"url":"` + server.URL + `"}`)})
	if !errors.Is(err, context.Canceled) || switchboard.AsError(err).Message != "the page took too long" {
		t.Errorf("%v", err)
	}
}
