package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
)

// upgrade are the headers of a WebSocket handshake.
var upgrade = []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}

// handshake tries to connect a socket; more are headers.
func (s *server) handshake(t tb, more ...string) answer {
	t.Helper()
	return s.do(t, "GET", "/ws", "", append(append([]string{}, upgrade...), more...)...)
}

// refused checks an error over HTTP: its status, code and field, its form, and that it echoes nothing.
func (a answer) refused(t tb, name string, code switchboard.Code, field string, echoes ...string) {
	t.Helper()
	var p struct {
		switchboard.Problem
		Status int
		Title  string
		Detail string
	}
	err := json.Unmarshal(a.body, &p)
	want := switchboard.Codes[code].HTTP
	if err != nil || a.status != want || p.Status != want || p.Code != code || p.Field != field || p.Title == "" || p.Detail == "" ||
		a.header.Get("Content-Type") != "application/problem+json" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: %d %s, want %s at %q", name, a.status, a.body, code, field)
	}
	if code == switchboard.Unauthenticated && a.header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("%s: no WWW-Authenticate", name)
	}
	for _, x := range echoes {
		if len(x) > 3 && bytes.Contains(a.body, []byte(x)) {
			t.Errorf("%s: echoes %q: %s", name, x, a.body)
		}
	}
}

// TestE2EOrigins is the matrix of Origin and Host, for a page, the JSON API and the socket. (CSWSH, DNS rebinding)
func TestE2EOrigins(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), "--allow-origin", "https://app.example.com", "--allow-host", "chat.example.com")
	token := s.user(t, "ann")
	host := strings.TrimPrefix(s.url, "http://")
	_, port, _ := strings.Cut(host, ":")
	for _, c := range []struct {
		host, origin string
		field        string // of the refusal; "": served
	}{
		{host, "", ""},
		{host, "http://" + host, ""},
		{"localhost:" + port, "http://localhost:" + port, ""},
		{"localhost:" + port, "", ""},
		{"[::1]:" + port, "", ""},
		{host, "https://app.example.com", ""},
		{host, "https://APP.example.com:443", ""},
		{"chat.example.com", "", ""},
		{"chat.example.com", "http://chat.example.com", ""},
		{host, "null", "Origin"},
		{host, "http://evil.example", "Origin"},
		{host, "https://app.example.com.evil.com", "Origin"},
		{host, "https://evil.com/https://app.example.com", "Origin"},
		{host, "https://app.example.com@evil.com", "Origin"},
		{host, "http://app.example.com", "Origin"},
		{host, "https://app.example.com:8443", "Origin"},
		{host, "https://sub.app.example.com", "Origin"},
		{host, "http://127.0.0.1:1", "Origin"},
		{host, "http://127.0.0.1", "Origin"},
		{host, "https://" + host, "Origin"},
		{host, "http://localhost:" + port, "Origin"},
		{host, "file://", "Origin"},
		{host, "chrome-extension://abc", "Origin"},
		{"evil.example", "", "Host"},
		{"evil.example:" + port, "http://evil.example:" + port, "Host"},
		{"chat.example.com.evil.com", "", "Host"},
		{"127.0.0.1.nip.io:" + port, "", "Host"},
		{"0.0.0.0:" + port, "", "Host"},
		{"192.0.2.1:" + port, "", "Host"},
	} {
		name := fmt.Sprintf("Host %s, Origin %s", c.host, c.origin)
		header := []string{"Host", c.host, "Authorization", "Bearer " + token}
		if c.origin != "" {
			header = append(header, "Origin", c.origin)
		}
		page, api := s.do(t, "GET", "/", "", header...), s.do(t, "GET", "/api/v1/me", "", header...)
		ws := s.handshake(t, append(header, "Sec-WebSocket-Protocol", switchboard.Protocol)...)
		if c.field == "" {
			if page.status != 200 || api.status != 200 || ws.status != 101 {
				t.Errorf("%s: page %d, API %d, socket %d", name, page.status, api.status, ws.status)
			}
			continue
		}
		for _, a := range []answer{page, api, ws} {
			a.refused(t, name, switchboard.Forbidden, c.field)
		}
		if ws.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: CORS is allowed", name)
		}
	}
	s.end(t, "TERM")
}

// TestE2ECredentials presents what is no identity, in all the places where one may stand.
func TestE2ECredentials(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	token := s.user(t, "ann")
	origin := []string{"Origin", s.url}
	protocol := []string{"Sec-WebSocket-Protocol", switchboard.Protocol}
	good := map[string][]string{
		"header":      {"Authorization", "Bearer " + token, "Sec-WebSocket-Protocol", switchboard.Protocol},
		"subprotocol": {"Sec-WebSocket-Protocol", switchboard.Protocol + ", bearer." + token},
		"cookie":      append([]string{"Cookie", "switchboard_session=" + token, "Sec-WebSocket-Protocol", switchboard.Protocol}, origin...),
	}
	for name, header := range good {
		a := s.handshake(t, header...)
		if a.status != 101 || a.header.Get("Sec-WebSocket-Protocol") != switchboard.Protocol {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	s.handshake(t, "Cookie", "switchboard_session="+token, protocol[0], protocol[1]).refused(t, "cookie without an Origin", switchboard.Forbidden, "Origin")
	s.handshake(t, "Authorization", "Bearer "+token).refused(t, "no subprotocol", switchboard.Invalid, "Sec-WebSocket-Protocol")
	s.do(t, "GET", "/ws", "", append(good["header"], "Connection", "")...).refused(t, "no upgrade", switchboard.Invalid, "Upgrade")

	for _, path := range []string{"/ws", "/api/v1/me", "/api/v1/events", "/", "/healthz"} {
		for _, name := range []string{"token", "ticket", "access_token", "Token"} {
			a := s.do(t, "GET", path+"?"+name+"="+token, "")
			a.refused(t, path+" with "+name, switchboard.Invalid, "query."+strings.ToLower(name), token)
		}
	}
	for name, header := range map[string][]string{
		"nothing":               {},
		"empty":                 {"Authorization", "Bearer "},
		"no scheme":             {"Authorization", token},
		"basic":                 {"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("ann:the-password-of-ann"))},
		"bad header, good rest": {"Authorization", "Bearer x", "Cookie", "switchboard_session=" + token},
		"a password":            {"Authorization", "Bearer the-password-of-ann"},
		"empty cookie":          {"Cookie", "switchboard_session="},
		"the secure cookie":     {"Cookie", "__Host-switchboard=" + token},
		"a ticket":              {"Sec-WebSocket-Protocol", switchboard.Protocol + ", ticket.abc"},
		"a user's name":         {"X-User-Id", "ann", "X-Forwarded-User", "ann", "Remote-User", "ann"},
	} {
		s.handshake(t, append(header, origin...)...).refused(t, "socket, "+name, switchboard.Unauthenticated, "")
		for _, path := range []string{"/api/v1/me", "/api/v1/threads", "/api/v1/events", "/api/v1/agents", "/api/v1/tools"} {
			s.do(t, "GET", path, "", header...).refused(t, path+", "+name, switchboard.Unauthenticated, "")
		}
	}
	for name, forged := range forgeries(t, token) {
		header := []string{"Authorization", "Bearer " + forged}
		s.do(t, "GET", "/api/v1/me", "", header...).refused(t, "API, "+name, switchboard.Unauthenticated, "", forged)
		s.handshake(t, append(header, protocol...)...).refused(t, "socket, "+name, switchboard.Unauthenticated, "", forged)
	}
	s.end(t, "TERM")
}

// forgeries are tokens made of a good one.
func forgeries(t tb, token string) map[string]string {
	t.Helper()
	part := strings.Split(token, ".")
	if len(part) != 3 {
		t.Fatalf("a token of %d parts", len(part))
	}
	read := func(s string) map[string]any {
		b, err := base64.RawURLEncoding.DecodeString(s)
		m := map[string]any{}
		if err == nil {
			err = json.Unmarshal(b, &m)
		}
		if err != nil {
			t.Fatalf("%v", err)
		}
		return m
	}
	write := func(s string, change map[string]any) string {
		m := read(s)
		for k, v := range change {
			if m[k] = v; v == nil {
				delete(m, k)
			}
		}
		b, _ := json.Marshal(m) // it was JSON
		return base64.RawURLEncoding.EncodeToString(b)
	}
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatalf("%v", err)
	}
	resigned := func(header, claims string) string {
		signed := header + "." + claims
		return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(private, []byte(signed)))
	}
	secret := hmac.New(sha256.New, []byte("switchboard"))
	hs := write(part[0], map[string]any{"alg": "HS256"}) + "." + part[1]
	secret.Write([]byte(hs))
	signature := []byte(part[2])
	if signature[5] ^= 1; signature[5] == part[2][5] {
		t.Fatalf("nothing changed")
	}
	later := map[string]any{"exp": time.Now().Add(100 * time.Hour).Unix()}
	return map[string]string{
		"alg none":             write(part[0], map[string]any{"alg": "none"}) + "." + part[1] + ".",
		"alg None":             write(part[0], map[string]any{"alg": "None"}) + "." + part[1] + "." + part[2],
		"alg HS256":            hs + "." + base64.RawURLEncoding.EncodeToString(secret.Sum(nil)),
		"no alg":               write(part[0], map[string]any{"alg": nil}) + "." + part[1] + "." + part[2],
		"kid traversal":        resigned(write(part[0], map[string]any{"kid": "../../../dev/null"}), part[1]),
		"kid empty":            resigned(write(part[0], map[string]any{"kid": ""}), part[1]),
		"no kid":               resigned(write(part[0], map[string]any{"kid": nil}), part[1]),
		"another key":          resigned(part[0], part[1]),
		"jwk":                  resigned(write(part[0], map[string]any{"jwk": map[string]any{"kty": "OKP", "crv": "Ed25519", "x": base64.RawURLEncoding.EncodeToString(private.Public().(ed25519.PublicKey))}}), part[1]),
		"jku":                  resigned(write(part[0], map[string]any{"jku": "http://127.0.0.1:1/jwks"}), part[1]),
		"longer life":          part[0] + "." + write(part[1], later) + "." + part[2],
		"no exp":               resigned(part[0], write(part[1], map[string]any{"exp": nil})),
		"another user":         part[0] + "." + write(part[1], map[string]any{"sub": "abcdefghijklmnopqrstuvwxyz"}) + "." + part[2],
		"another audience":     part[0] + "." + write(part[1], map[string]any{"aud": "other"}) + "." + part[2],
		"another issuer":       part[0] + "." + write(part[1], map[string]any{"iss": "other"}) + "." + part[2],
		"a bit of signature":   part[0] + "." + part[1] + "." + string(signature),
		"no signature":         part[0] + "." + part[1] + ".",
		"two parts":            part[0] + "." + part[1],
		"four parts":           token + ".x",
		"padded":               token + "==",
		"many dots":            strings.Repeat(".", 8<<10),
		"large":                strings.Repeat("a", 200<<10) + "." + part[1] + "." + part[2],
		"header of other JSON": base64.RawURLEncoding.EncodeToString([]byte("[]")) + "." + part[1] + "." + part[2],
	}
}

// TestE2ECrossSite sends what a page of another site can make a browser send with the victim's cookie.
func TestE2ECrossSite(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	s.user(t, "ann")
	login := s.do(t, "POST", "/api/v1/auth/login", `{"username":"ann","password":"the-password-of-ann"}`)
	cookie := (&http.Response{Header: login.header}).Cookies()
	if len(cookie) != 1 || !cookie[0].HttpOnly || cookie[0].SameSite != http.SameSiteStrictMode || cookie[0].Name != "switchboard_session" || cookie[0].Path != "/" || cookie[0].Domain != "" {
		t.Fatalf("cookie: %+v, %s", cookie, login.body)
	}
	s.secret(cookie[0].Value)
	with := func(more ...string) []string {
		return append([]string{"Cookie", "switchboard_session=" + cookie[0].Value}, more...)
	}
	const path, body = "/api/v1/threads/messages", `{"text":"I was never written"}`
	s.do(t, "POST", path, body, with()...).refused(t, "no Origin", switchboard.Forbidden, "Origin")
	s.do(t, "POST", path, body, with("Origin", "https://evil.example")...).refused(t, "foreign Origin", switchboard.Forbidden, "Origin")
	s.do(t, "POST", path, body, with("Origin", "null")...).refused(t, "Origin null", switchboard.Forbidden, "Origin")
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp", "", "text/json"} {
		s.do(t, "POST", path, body, with("Origin", s.url, "Content-Type", kind)...).refused(t, "type "+kind, switchboard.Invalid, "Content-Type")
	}
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/api/v1/auth/logout", ""}, {"DELETE", "/api/v1/threads/abcdefghijklmnopqrstuvwxyz", ""},
		{"PATCH", "/api/v1/threads/abcdefghijklmnopqrstuvwxyz", `{"title":"x"}`}, {"POST", "/api/v1/runs/abcdefghijklmnopqrstuvwxyz.1/stop", ""},
	} {
		s.do(t, c.method, c.path, c.body, with()...).refused(t, c.method+" "+c.path, switchboard.Forbidden, "Origin")
	}
	if a := s.do(t, "OPTIONS", path, "", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST"); a.status < 400 || a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("preflight: %d %v", a.status, a.header)
	}
	if a := s.do(t, "GET", "/api/v1/threads", "", with()...); !bytes.Contains(a.body, []byte(`"threads":[]`)) {
		t.Errorf("something was written: %d %s", a.status, a.body)
	}
	if a := s.do(t, "POST", path, body, with("Origin", s.url)...); a.status != 202 {
		t.Errorf("its own page: %d %s", a.status, a.body)
	}
	page := s.do(t, "GET", "/", "")
	for name, want := range map[string]string{"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin"} {
		if page.header.Get(name) != want {
			t.Errorf("%s: %q", name, page.header.Get(name))
		}
	}
	if csp := page.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'self'") || strings.Contains(csp, "unsafe") {
		t.Errorf("CSP: %s", csp)
	}
	// Log out: the session and its socket end.
	h := newHistory()
	conn := h.connect(t, s, cookie[0].Value)
	if a := s.do(t, "POST", "/api/v1/auth/logout", "", with("Origin", s.url)...); a.status != 200 || !strings.Contains(a.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("logout: %d %v", a.status, a.header)
	}
	if _, err := untilClosed(t, conn); !strings.Contains(err.Error(), "4501") {
		t.Errorf("closed with %v", err)
	}
	s.do(t, "GET", "/api/v1/me", "", with()...).refused(t, "after logout", switchboard.Unauthenticated, "")
	s.end(t, "TERM")
}

// flood tries many wrong passwords at once and then the right one, until both have been refused for the guesses: on a slow
// machine the name may have waited long enough in between.
func flood(login func(name, password string) answer, name string) (limited, late *answer) {
	for range 5 {
		var wg sync.WaitGroup
		answers := make([]answer, 30)
		for i := range answers {
			wg.Go(func() { answers[i] = login(name, "wrong-password") })
		}
		wg.Wait()
		for _, a := range answers {
			if a.status == 429 {
				limited = &a
			}
		}
		if a := login(name, "the-password-of-"+name); a.status == 429 {
			return limited, &a
		}
	}
	return limited, nil
}

// TestE2ELoginFlood guesses passwords: names that exist and names that do not answer alike, and after a few tries the
// name has to wait, whoever asks with the right one too, while others log in.
func TestE2ELoginFlood(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	s.user(t, "ann")
	s.user(t, "bob")
	login := func(name, password string) answer {
		body, _ := json.Marshal(map[string]string{"username": name, "password": password})
		return s.do(t, "POST", "/api/v1/auth/login", string(body))
	}
	wrong, nobody := login("ann", "wrong-password"), login("nobody", "wrong-password")
	wrong.refused(t, "wrong", switchboard.Unauthenticated, "", "ann", "wrong-password")
	if !bytes.Equal(wrong.body, nobody.body) {
		t.Errorf("a wrong password answers\n%s\nand a name of nobody\n%s", wrong.body, nobody.body)
	}
	for _, name := range []string{"ann", "nobody"} {
		limited, late := flood(login, name)
		if limited == nil || late == nil {
			t.Fatalf("%s: 30 wrong passwords at once, or the right one after them: %v %v", name, limited, late)
		}
		limited.refused(t, "flood", switchboard.RateLimited, "", name)
		var p switchboard.Problem
		if err := json.Unmarshal(limited.body, &p); err != nil || p.RetryAfterMS <= 0 || limited.header.Get("Retry-After") == "" {
			t.Errorf("flood: %s %v", limited.body, limited.header)
		}
		late.refused(t, "the right one, too late", switchboard.RateLimited, "")
	}
	if a := login("bob", "the-password-of-bob"); a.status != 200 {
		t.Errorf("others cannot log in: %d %s", a.status, a.body)
	} else {
		var session struct{ Token string }
		if err := json.Unmarshal(a.body, &session); err != nil {
			t.Error(err)
		}
		s.secret(session.Token)
	}
	for name, body := range map[string]string{
		"username": `{"password":"x"}`, "password": `{"username":"x"}`, "user": `{"user":"x"}`, "role": `{"username":"x","password":"x","role":"admin"}`,
		"": `[]`,
	} {
		s.do(t, "POST", "/api/v1/auth/login", body).refused(t, body, switchboard.Invalid, name)
	}
	s.do(t, "POST", "/api/v1/auth/login", `{"username":"ann","password":"`+strings.Repeat("x", 300<<10)+`"}`).refused(t, "large", switchboard.TooLarge, "")
	s.end(t, "TERM")
}
