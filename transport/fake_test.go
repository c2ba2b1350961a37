package transport

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/auth"
	"github.com/netra-systems/switchboard/router"
)

// fakeAuth knows tokens: the token is "token-" and the name.
type fakeAuth struct {
	mu    sync.Mutex
	ended map[string]chan struct{}
	ttl   time.Duration
}

func (a *fakeAuth) Login(_ context.Context, name, password, _ string) (string, auth.Identity, error) {
	if password != "right" {
		return "", auth.Identity{}, switchboard.Errorf(switchboard.Unauthenticated, "wrong name or password")
	}
	id, err := a.Verify(context.Background(), "token-"+name)
	return "token-" + name, id, err
}

func (a *fakeAuth) Verify(_ context.Context, token string) (auth.Identity, error) {
	name, ok := strings.CutPrefix(token, "token-")
	if !ok {
		return auth.Identity{}, switchboard.Errorf(switchboard.Unauthenticated, "the token is not valid")
	}
	ttl := a.ttl
	if ttl == 0 {
		ttl = time.Hour
	}
	u := switchboard.User{ID: switchboard.NewUserID("test", "", name), Name: name, Roles: []string{}}
	return auth.Identity{User: u, Session: "session-" + name, Expires: time.Now().Add(ttl)}, nil
}

func (a *fakeAuth) Logout(_ context.Context, id auth.Identity) error {
	close(a.channel(id.Session))
	return nil
}

func (a *fakeAuth) Ended(session string) <-chan struct{} { return a.channel(session) }

func (a *fakeAuth) channel(session string) chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended == nil {
		a.ended = map[string]chan struct{}{}
	}
	if a.ended[session] == nil {
		a.ended[session] = make(chan struct{})
	}
	return a.ended[session]
}

// fakeRouter answers ping; everything else is refused, within a budget.
type fakeRouter struct {
	mu     sync.Mutex
	budget int
	calls  []switchboard.Message
}

func (r *fakeRouter) Route(ctx context.Context, c router.Caller, frame []byte) []byte {
	m, err := switchboard.DecodeMessage(frame, switchboard.DefaultLimits())
	if err == nil {
		var result any
		if result, err = r.Do(ctx, c, m); err == nil {
			return switchboard.EncodeReply(m.ID, result)
		}
	}
	if limited := r.Refused(c.User.ID); limited != nil {
		err = limited
	}
	return switchboard.EncodeReply(m.ID, switchboard.AsError(err))
}

func (r *fakeRouter) Do(_ context.Context, _ router.Caller, m switchboard.Message) (any, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, m)
	if m.Type == switchboard.TypePing {
		return switchboard.PingResult{Time: switchboard.At(time.Now())}, nil
	}
	return nil, switchboard.Errorf(switchboard.Unsupported, "not here")
}

func (r *fakeRouter) Refused(switchboard.UserID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.budget--; r.budget < 0 {
		return switchboard.Errorf(switchboard.RateLimited, "too many requests")
	}
	return nil
}

// fakeOutbox gives what is put into it.
type fakeOutbox struct {
	router.Device
	cursor switchboard.Cursor
	resync *switchboard.Resync
	frames chan []byte
	fail   chan error
	closed chan struct{}
}

func newFakeOutbox() *fakeOutbox {
	return &fakeOutbox{frames: make(chan []byte, 4), fail: make(chan error, 1), closed: make(chan struct{})}
}

func (o *fakeOutbox) Opening() (switchboard.Cursor, *switchboard.Resync) { return o.cursor, o.resync }

func (o *fakeOutbox) Next(ctx context.Context) ([]byte, error) {
	select {
	case f := <-o.frames:
		return f, nil
	case err := <-o.fail:
		return nil, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (o *fakeOutbox) Notice(ctx context.Context, frame []byte) error { return o.Reply(ctx, frame) }

func (o *fakeOutbox) Reply(ctx context.Context, frame []byte) error {
	select {
	case o.frames <- frame:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (o *fakeOutbox) Close() { close(o.closed) }

// rig is a server with its fakes.
type rig struct {
	*Server
	auth   *fakeAuth
	router *fakeRouter
	http   *httptest.Server
	opened chan *fakeOutbox
	open   func(switchboard.Cursor) (*fakeOutbox, error) // may be set before the first request
}

func newRig(t testing.TB, change func(*Config)) *rig {
	cfg := Config{Limits: switchboard.DefaultLimits(), Version: "test", Node: "n1", Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if change != nil {
		change(&cfg)
	}
	r := &rig{auth: &fakeAuth{}, router: &fakeRouter{budget: 1 << 30}, opened: make(chan *fakeOutbox, 16384)}
	var err error
	r.Server, err = New(cfg, r.auth, r.router, func(_ context.Context, _ switchboard.UserID, c switchboard.Cursor) (Outbox, error) {
		o := newFakeOutbox()
		if r.open != nil {
			var err error
			if o, err = r.open(c); err != nil {
				return nil, err
			}
		}
		o.cursor = c
		r.opened <- o
		return o, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r.http = httptest.NewServer(r.Handler())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := r.Drain(ctx); err != nil {
			t.Errorf("devices stay after drain: %v", err)
		}
		r.http.Close()
	})
	return r
}

// quick makes draining at the end of a test immediate.
func quick(c *Config) { c.DrainGrace = time.Nanosecond }

// dial connects a device of a user.
func (r *rig) dial(t testing.TB, name string) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.Dial(t.Context(), r.http.URL+"/ws", &websocket.DialOptions{
		Subprotocols: []string{switchboard.Protocol, "bearer.token-" + name},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.CloseNow() })
	f := next(t, c)
	if f.Type != switchboard.TypeConnectionEstablished {
		t.Fatalf("first frame is %s", f.Type)
	}
	return c
}

func next(t testing.TB, c *websocket.Conn) switchboard.Frame {
	t.Helper()
	_, b, err := c.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f, err := switchboard.DecodeFrame(b)
	if err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return f
}

// closeCode reads until the connection ends.
func closeCode(t testing.TB, c *websocket.Conn) int {
	t.Helper()
	for {
		if _, _, err := c.Read(t.Context()); err != nil {
			return int(websocket.CloseStatus(err))
		}
	}
}

func (r *rig) request(t testing.TB, method, path string, change func(*http.Request)) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.http.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode == http.StatusSwitchingProtocols {
		return res, ""
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}
