package transport

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
)

func handshake(r *http.Request) {
	for k, v := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": switchboard.Protocol,
	} {
		r.Header.Set(k, v)
	}
}

func TestOriginAndHost(t *testing.T) {
	r := newRig(t, func(c *Config) {
		quick(c)
		c.AllowedHosts = []string{"app.example.com"}
		c.AllowedOrigins = []string{"https://other.example.com"}
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	})
	own := r.http.Listener.Addr().String()
	_, port, _ := strings.Cut(own, ":")
	for _, c := range []struct {
		name, host, origin, proto string
		want                      int
	}{
		{"no origin", own, "", "", 101},
		{"own", own, "http://" + own, "", 101},
		{"localhost", "localhost:" + port, "http://localhost:" + port, "", 101},
		{"localhost behind a forwarded port", "localhost:1234", "http://localhost:1234", "", 101},
		{"upper case", strings.ToUpper("localhost:" + port), "http://localhost:" + port, "", 101},
		{"configured host", "app.example.com", "https://app.example.com", "https", 101},
		{"configured host, default port", "app.example.com:443", "https://app.example.com", "https", 101},
		{"configured origin", own, "https://other.example.com", "", 101},
		{"evil", own, "https://evil.example", "", 403},
		{"null", own, "null", "", 403},
		{"empty", own, "http://", "", 403},
		{"suffix", "app.example.com", "https://app.example.com.evil.com", "https", 403},
		{"prefix", "app.example.com", "https://evil-app.example.com", "https", 403},
		{"userinfo", "app.example.com", "https://app.example.com@evil.com", "https", 403},
		{"wrong port", own, "http://127.0.0.1:1", "", 403},
		{"wrong scheme", own, "https://" + own, "", 403},
		{"scheme of the page behind the proxy", "app.example.com", "http://app.example.com", "https", 403},
		{"other loopback name", own, "http://localhost:" + port, "", 403},
		{"path", own, "http://" + own + "/x", "", 403},
		{"rebound host", "evil.example:" + port, "", "", 403},
		{"rebound host and origin", "evil.example:" + port, "http://evil.example:" + port, "", 403},
		{"suffixed host", "localhost.evil.com", "", "", 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			res, body := r.request(t, "GET", "/ws", func(req *http.Request) {
				handshake(req)
				req.Host = c.host
				req.Header.Set("Authorization", "Bearer token-ann")
				if c.origin != "" {
					req.Header.Set("Origin", c.origin)
				}
				if c.proto != "" {
					req.Header.Set("X-Forwarded-Proto", c.proto)
				}
			})
			if res.StatusCode != c.want {
				t.Fatalf("%d, want %d: %s", res.StatusCode, c.want, body)
			}
			if c.want == 403 {
				if ct := res.Header.Get("Content-Type"); ct != "application/problem+json" || !strings.Contains(body, `"forbidden"`) {
					t.Errorf("%s: %s", ct, body)
				}
				if strings.Contains(body, "evil") {
					t.Errorf("echoes the request: %s", body)
				}
			}
		})
	}
}

func TestGateStandsBeforeEverything(t *testing.T) {
	r := newRig(t, func(c *Config) {
		quick(c)
		c.Static = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { plain(w, "page") })
	})
	for _, path := range []string{"/", "/ws", "/healthz", "/readyz", "/api/v1/events", "/nothing"} {
		if res, _ := r.request(t, "GET", path, func(req *http.Request) { req.Host = "evil.example" }); res.StatusCode != 403 {
			t.Errorf("%s with a foreign host: %d", path, res.StatusCode)
		}
		for _, q := range []string{"token=token-ann", "ticket=x", "Token=x", "cursor=a&access_token=x"} {
			res, body := r.request(t, "GET", path+"?"+q, nil)
			if res.StatusCode != 400 || strings.Contains(body, "token-ann") {
				t.Errorf("%s?%s: %d %s", path, q, res.StatusCode, body)
			}
		}
		res, _ := r.request(t, "GET", path, nil)
		for k, want := range map[string]string{
			"Content-Security-Policy": "default-src 'self'", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		} {
			if got := res.Header.Get(k); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s: %q", path, k, got)
			}
		}
		if !strings.Contains(res.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s: can be framed", path)
		}
	}
}

func TestNoIdentity(t *testing.T) {
	r := newRig(t, quick)
	cookie := func(value string) func(*http.Request) {
		return func(req *http.Request) { req.AddCookie(&http.Cookie{Name: plainCookie, Value: value}) }
	}
	own := "http://" + r.http.Listener.Addr().String()
	for _, c := range []struct {
		name string
		set  func(*http.Request)
		want int
		code string
	}{
		{"nothing", func(*http.Request) {}, 401, "unauthenticated"},
		{"bad token", func(req *http.Request) { req.Header.Set("Authorization", "Bearer nonsense") }, 401, "unauthenticated"},
		{"no scheme", func(req *http.Request) { req.Header.Set("Authorization", "token-ann") }, 401, "unauthenticated"},
		{"basic", func(req *http.Request) { req.Header.Set("Authorization", "Basic token-ann") }, 401, "unauthenticated"},
		{"empty", func(req *http.Request) { req.Header.Set("Authorization", "Bearer ") }, 401, "unauthenticated"},
		{"two", func(req *http.Request) {
			req.Header["Authorization"] = []string{"Bearer token-ann", "Bearer token-bob"}
		}, 401, "unauthenticated"},
		{"bad header goes before good subprotocol", func(req *http.Request) {
			req.Header.Set("Authorization", "Bearer nonsense")
			req.Header.Set("Sec-WebSocket-Protocol", switchboard.Protocol+", bearer.token-ann")
		}, 401, "unauthenticated"},
		{"bad subprotocol", func(req *http.Request) {
			req.Header.Set("Sec-WebSocket-Protocol", switchboard.Protocol+", bearer.nonsense")
		}, 401, "unauthenticated"},
		{"ticket", func(req *http.Request) {
			req.Header.Set("Sec-WebSocket-Protocol", switchboard.Protocol+", ticket.token-ann")
		}, 401, "unauthenticated"},
		{"cookie without origin", cookie("token-ann"), 403, "forbidden"},
		{"bad cookie", func(req *http.Request) { cookie("nonsense")(req); req.Header.Set("Origin", own) }, 401, "unauthenticated"},
		{"cookie of TLS on plain HTTP", func(req *http.Request) {
			req.AddCookie(&http.Cookie{Name: secureCookie, Value: "token-ann"})
			req.Header.Set("Origin", own)
		}, 401, "unauthenticated"},
		{"no subprotocol of ours", func(req *http.Request) {
			req.Header.Set("Sec-WebSocket-Protocol", "bearer.token-ann")
		}, 400, "invalid"},
		{"no upgrade", func(req *http.Request) {
			req.Header.Set("Authorization", "Bearer token-ann")
			req.Header.Del("Upgrade")
		}, 400, "invalid"},
		{"header", func(req *http.Request) { req.Header.Set("Authorization", "bearer token-ann") }, 101, ""},
		{"subprotocol", func(req *http.Request) {
			req.Header.Set("Sec-WebSocket-Protocol", "bearer.token-ann,"+switchboard.Protocol)
		}, 101, ""},
		{"cookie with origin", func(req *http.Request) { cookie("token-ann")(req); req.Header.Set("Origin", own) }, 101, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			res, body := r.request(t, "GET", "/ws", func(req *http.Request) { handshake(req); c.set(req) })
			if res.StatusCode != c.want || !strings.Contains(body, c.code) {
				t.Fatalf("%d %s, want %d %s", res.StatusCode, body, c.want, c.code)
			}
			if c.want == 101 {
				if got := res.Header.Get("Sec-WebSocket-Protocol"); got != switchboard.Protocol {
					t.Errorf("answered subprotocol %q", got)
				}
			}
		})
	}
}

func TestCookie(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Config)
		remote string
		proto  string
		want   string
		secure bool
	}{
		{"loopback", nil, "127.0.0.1:1", "", plainCookie, false},
		{"TLS at a trusted proxy", func(c *Config) {
			c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
		}, "127.0.0.1:1", "https", secureCookie, true},
		{"TLS claimed by a stranger", nil, "192.0.2.1:1", "https", plainCookie, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, func(cfg *Config) {
				quick(cfg)
				if c.change != nil {
					c.change(cfg)
				}
			})
			req, _ := http.NewRequest("GET", "/", nil)
			req.RemoteAddr = c.remote
			req.Header.Set("X-Forwarded-Proto", c.proto)
			k := r.SessionCookie(req, "t", time.Now().Add(time.Hour))
			if k.Name != c.want || k.Secure != c.secure || !k.HttpOnly || k.SameSite != http.SameSiteStrictMode || k.Path != "/" {
				t.Errorf("cookie %s", k)
			}
		})
	}
}

func TestAccessLogHoldsNoCredential(t *testing.T) {
	var out lockedBuffer
	r := newRig(t, func(c *Config) { quick(c); c.Log = slog.New(slog.NewTextHandler(&out, nil)) })
	r.dial(t, "ann").CloseNow()
	r.request(t, "GET", "/ws?token=token-query", nil)
	r.request(t, "GET", "/api/v1/events?cursor=secretcursor", func(req *http.Request) {
		req.Header.Set("Authorization", "Bearer nonsense-token-header")
		req.AddCookie(&http.Cookie{Name: plainCookie, Value: "token-cookie"})
	})
	log := out.String()
	if !strings.Contains(log, "path=/ws") {
		t.Fatalf("nothing was logged: %s", log)
	}
	for _, secret := range []string{"token-", "secretcursor", "bearer."} {
		if strings.Contains(log, secret) {
			t.Errorf("%q is in the log:\n%s", secret, log)
		}
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
