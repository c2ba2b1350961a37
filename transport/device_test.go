package transport

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/auth"
	"github.com/netra-systems/switchboard/router"
)

func send(t testing.TB, c *websocket.Conn, frame string) {
	t.Helper()
	if err := c.Write(t.Context(), websocket.MessageText, []byte(frame)); err != nil {
		t.Fatal(err)
	}
}

func TestDevice(t *testing.T) {
	r := newRig(t, quick)
	c, res, err := websocket.Dial(t.Context(), r.http.URL+"/ws?cursor=e.1.a", &websocket.DialOptions{
		Subprotocols: []string{switchboard.Protocol}, HTTPHeader: http.Header{"Authorization": {"Bearer token-ann"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.CloseNow() }()
	if c.Subprotocol() != switchboard.Protocol || res.Header.Get("Sec-WebSocket-Extensions") != "" {
		t.Errorf("subprotocol %q, extensions %q", c.Subprotocol(), res.Header.Get("Sec-WebSocket-Extensions"))
	}
	f := next(t, c)
	var e switchboard.ConnectionEstablished
	if err := f.Decode(&e); err != nil {
		t.Fatal(err)
	}
	if f.Type != switchboard.TypeConnectionEstablished || len(e.ConnectionID) < 20 || e.User.Name != "ann" || e.Cursor != "e.1.a" ||
		e.Protocol != switchboard.Protocol || e.Server != (switchboard.Server{Version: "test", Node: "n1"}) ||
		e.Limits != switchboard.DefaultLimits() || e.ExpiresAt.Before(time.Now()) {
		t.Errorf("%s %+v", f.Type, e)
	}
	for i, c2 := range []struct{ frame, typ, code string }{
		{`{"type":"ping","id":"1"}`, "result", ""},
		{`{"type":"nonsense","id":"2"}`, "error", "unsupported"},
		{`{"type":"chat","id":"3"}`, "error", "unsupported"},
		{`{"type":"ping"}`, "error", "invalid"},
		{`nonsense`, "error", "invalid"},
		{``, "error", "invalid"},
	} {
		send(t, c, c2.frame)
		f := next(t, c)
		var p switchboard.Problem
		if c2.code != "" {
			if err := f.Decode(&p); err != nil {
				t.Fatal(err)
			}
		}
		if f.Type != c2.typ || string(p.Code) != c2.code {
			t.Errorf("%d: %s answered %s %+v", i, c2.frame, f.Type, p)
		}
	}
	o := <-r.opened
	o.frames <- []byte(`{"type":"live"}`)
	if f := next(t, c); f.Type != "live" {
		t.Errorf("got %s", f.Type)
	}
	_ = c.Close(websocket.StatusNormalClosure, "")
	<-o.closed
}

func TestOutboxErrorsClose(t *testing.T) {
	r := newRig(t, quick)
	for code, want := range map[switchboard.Code]int{
		switchboard.Slow: 4003, switchboard.ShuttingDown: 4004, switchboard.Unavailable: 4005, switchboard.Internal: 4006,
		switchboard.Replaced: 4502, switchboard.Unauthenticated: 4501,
	} {
		c := r.dial(t, "ann")
		(<-r.opened).fail <- switchboard.Errorf(code, "because")
		if got := closeCode(t, c); got != want {
			t.Errorf("%s closes with %d, want %d", code, got, want)
		}
	}
}

func TestOpenErrorsAreToldThenClosed(t *testing.T) {
	r := newRig(t, quick)
	for code, want := range map[switchboard.Code]int{switchboard.Unavailable: 4005, switchboard.Invalid: 1008} {
		r.open = func(switchboard.Cursor) (*fakeOutbox, error) { return nil, switchboard.Errorf(code, "because") }
		c, _, err := websocket.Dial(t.Context(), r.http.URL+"/ws", &websocket.DialOptions{
			Subprotocols: []string{switchboard.Protocol, "bearer.token-ann"},
		})
		if err != nil {
			t.Fatal(err)
		}
		f := next(t, c)
		var p switchboard.Problem
		if err := f.Decode(&p); err != nil || f.Type != switchboard.TypeError || p.Code != code {
			t.Errorf("%s %+v", f.Type, p)
		}
		if got := closeCode(t, c); got != want {
			t.Errorf("%s closes with %d, want %d", code, got, want)
		}
	}
}

func TestResyncIsTold(t *testing.T) {
	r := newRig(t, quick)
	r.open = func(switchboard.Cursor) (*fakeOutbox, error) {
		o := newFakeOutbox()
		o.resync = &switchboard.Resync{Reason: "epoch"}
		return o, nil
	}
	c, _, err := websocket.Dial(t.Context(), r.http.URL+"/ws?cursor=x.1.a", &websocket.DialOptions{
		Subprotocols: []string{switchboard.Protocol, "bearer.token-ann"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.CloseNow() }()
	var e switchboard.ConnectionEstablished
	if err := next(t, c).Decode(&e); err != nil || e.Resync == nil || e.Resync.Reason != "epoch" {
		t.Errorf("%+v %v", e, err)
	}
}

func TestNewestDeviceWins(t *testing.T) {
	r := newRig(t, func(c *Config) { quick(c); c.Limits.DevicesPerUser = 3 })
	var all []*websocket.Conn
	bob := r.dial(t, "bob")
	for range 5 {
		all = append(all, r.dial(t, "ann"))
	}
	for _, c := range all[:2] {
		if got := closeCode(t, c); got != 4502 {
			t.Errorf("the oldest closes with %d, want 4502", got)
		}
	}
	for _, c := range append(all[2:], bob) {
		send(t, c, `{"type":"ping","id":"1"}`)
		if f := next(t, c); f.Type != switchboard.TypeResult {
			t.Errorf("a newer device was given %s", f.Type)
		}
	}
}

// TestDeviceThatComesBack: a device that connects again while its last connection still counts takes nobody's place.
func TestDeviceThatComesBack(t *testing.T) {
	r := newRig(t, func(c *Config) { quick(c); c.Limits.DevicesPerUser = 3 })
	var all []*websocket.Conn
	for range 3 {
		all = append(all, r.dial(t, "ann"))
	}
	again := r.dial(t, "ann")
	if err := all[1].CloseNow(); err != nil {
		t.Fatal(err)
	}
	more := r.dial(t, "ann") // a fourth, once the end of the other is seen
	if got := closeCode(t, all[0]); got != 4502 {
		t.Errorf("the oldest closes with %d, want 4502", got)
	}
	for _, c := range []*websocket.Conn{all[2], again, more} {
		send(t, c, `{"type":"ping","id":"1"}`)
		if f := next(t, c); f.Type != switchboard.TypeResult {
			t.Errorf("a device that counts was given %s", f.Type)
		}
	}
}

func TestSessionEndCloses(t *testing.T) {
	r := newRig(t, quick)
	ann, bob := r.dial(t, "ann"), r.dial(t, "bob")
	began := time.Now()
	_ = r.auth.Logout(t.Context(), auth.Identity{Session: "session-ann"})
	if got := closeCode(t, ann); got != 4501 {
		t.Errorf("closes with %d, want 4501", got)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
	send(t, bob, `{"type":"ping","id":"1"}`)
	next(t, bob)
}

func TestDrain(t *testing.T) {
	r := newRig(t, func(c *Config) { c.DrainGrace = 50 * time.Millisecond })
	c := r.dial(t, "ann")
	drained := make(chan error, 1)
	go func() { drained <- r.Drain(context.Background()) }()
	f := next(t, c)
	var p switchboard.Draining
	if err := f.Decode(&p); err != nil || f.Type != switchboard.TypeDraining || p.InMS != 50 {
		t.Errorf("%s %+v", f.Type, p)
	}
	for _, path := range []string{"/ws", "/api/v1/events", "/readyz"} {
		res, body := r.request(t, "GET", path, func(req *http.Request) {
			handshake(req)
			req.Header.Set("Authorization", "Bearer token-bob")
		})
		if res.StatusCode != 503 || !strings.Contains(body, `"draining"`) || res.Header.Get("Retry-After") == "" {
			t.Errorf("%s while draining: %d %s", path, res.StatusCode, body)
		}
	}
	if res, _ := r.request(t, "GET", "/healthz", nil); res.StatusCode != 200 {
		t.Errorf("healthz while draining: %d", res.StatusCode)
	}
	if got := closeCode(t, c); got != 4004 {
		t.Errorf("closes with %d, want 4004", got)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

func TestReady(t *testing.T) {
	var why error
	r := newRig(t, func(c *Config) { quick(c); c.Ready = func(context.Context) error { return why } })
	if res, _ := r.request(t, "GET", "/readyz", nil); res.StatusCode != 200 {
		t.Errorf("%d", res.StatusCode)
	}
	why = fmt.Errorf("the store is full")
	if res, body := r.request(t, "GET", "/readyz", nil); res.StatusCode != 503 || !strings.Contains(body, "the store is full") {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}

func TestFloodCloses(t *testing.T) {
	r := newRig(t, func(c *Config) { quick(c); c.Limits.RefusalsPerMinute = 5 })
	r.router.budget = 5
	c := r.dial(t, "ann")
	refused, limited := 0, 0
	for {
		if c.Write(t.Context(), websocket.MessageText, []byte(`{"type":"nonsense","id":"1"}`)) != nil {
			break
		}
		_, b, err := c.Read(t.Context())
		if err != nil {
			if got := int(websocket.CloseStatus(err)); got != 4001 {
				t.Errorf("closes with %d, want 4001", got)
			}
			break
		}
		if strings.Contains(string(b), "rate_limited") {
			limited++
		} else {
			refused++
		}
	}
	if refused != 5 || limited != 50 {
		t.Errorf("%d refused, %d limited; want 5 and 50", refused, limited)
	}
}

func TestConnectionsPerAddress(t *testing.T) {
	r := newRegistry(time.Second, 3)
	a, b := addrOf("192.0.2.1:1"), addrOf("[2001:db8::1]:1")
	for range 2 {
		if err := r.enter(a, 2); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.enter(a, 2); switchboard.CodeOf(err) != switchboard.RateLimited {
		t.Errorf("the third: %v", err)
	}
	if err := r.enter(b, 2); err != nil {
		t.Errorf("another address: %v", err)
	}
	r.leave(a)
	if err := r.enter(a, 2); err != nil {
		t.Errorf("after one left: %v", err)
	}
	for range 5 {
		if err := r.enter(addrOf("127.0.0.1:1"), 2); err != nil {
			t.Errorf("loopback: %v", err)
		}
	}
}

type panicking struct{ fakeRouter }

func (*panicking) Route(context.Context, router.Caller, []byte) []byte { panic("planted") }

func TestPanicEndsTheDeviceAlone(t *testing.T) {
	r := newRig(t, quick)
	bob := r.dial(t, "bob")
	ann := r.dial(t, "ann")
	r.Server.router = &panicking{}
	send(t, ann, `{"type":"ping","id":"1"}`)
	if got := closeCode(t, ann); got != 4006 {
		t.Errorf("closes with %d, want 4006", got)
	}
	r.Server.router = r.router
	send(t, bob, `{"type":"ping","id":"1"}`)
	next(t, bob)
}

func TestConfigValidate(t *testing.T) {
	for _, c := range []Config{
		{AllowedOrigins: []string{"app.example.com"}}, {AllowedOrigins: []string{"https://app.example.com/"}},
		{AllowedOrigins: []string{"null"}}, {AllowedOrigins: []string{"*"}}, {AllowedHosts: []string{"https://app.example.com"}},
		{AllowedHosts: []string{"*"}}, {AllowedHosts: []string{""}}, {WriteTimeout: -1},
	} {
		if c.Validate() == nil {
			t.Errorf("%+v is taken", c)
		}
	}
	if err := (Config{AllowedOrigins: []string{"https://app.example.com:8443"}, AllowedHosts: []string{"app.example.com", "[::1]:80"}}).Validate(); err != nil {
		t.Error(err)
	}
}

// still is a device's connection that never answers.
type still struct {
	pings  atomic.Int32
	code   int
	reason string
	frames [][]byte
	end    chan struct{}
	answer bool
}

func (e *still) Write(_ context.Context, f []byte) error { e.frames = append(e.frames, f); return nil }
func (e *still) Read(context.Context) ([]byte, error)    { <-e.end; return nil, gone("test") }
func (e *still) Hurry()                                  {}
func (e *still) Refuse(error)                            {}
func (e *still) Close(code int, reason string)           { e.code, e.reason = code, reason; close(e.end) }
func (e *still) Ping(ctx context.Context) error {
	e.pings.Add(1)
	if e.answer {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

// TestTime runs devices in a bubble, where minutes pass at once.
func TestTime(t *testing.T) {
	for _, c := range []struct {
		name    string
		ttl     time.Duration
		answer  bool
		want    time.Duration // how long the device lives
		code    int
		notices int
		pings   int
	}{
		{"no answer to pings", time.Hour, false, 75 * time.Second, 0, 0, 2},
		{"expires", 3 * time.Minute, true, 3 * time.Minute, 4501, 1, 7},
		{"expires soon", 10 * time.Second, true, 10 * time.Second, 4501, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, err := New(Config{Log: slog.New(slog.DiscardHandler)}, &fakeAuth{ttl: c.ttl}, &fakeRouter{}, func(context.Context, switchboard.UserID, switchboard.Cursor) (Outbox, error) {
					return newFakeOutbox(), nil
				})
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				id, _ := s.auth.Verify(t.Context(), "token-ann")
				enc := &still{end: make(chan struct{}), answer: c.answer}
				d := newDevice(s, id, "websocket", "test")
				d.enc = enc
				established, ok := s.begin(t.Context(), d, "")
				if !ok {
					t.Fatal("not begun")
				}
				d.serve(established)
				if took := time.Since(began); took < c.want || took > c.want+sweepEvery {
					t.Errorf("lived %s, want %s", took, c.want)
				}
				if enc.code != c.code || int(enc.pings.Load()) != c.pings || len(enc.frames) != 1+c.notices {
					t.Errorf("code %d, %d pings, frames %s", enc.code, enc.pings.Load(), enc.frames)
				}
			})
		})
	}
}
