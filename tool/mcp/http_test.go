package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/netra-systems/switchboard"
)

// site is an MCP server by HTTP that can be restarted, and remembers what it was sent.
type site struct {
	*httptest.Server
	t     *testing.T
	mu    sync.Mutex // guards what follows
	now   http.Handler
	seen  []http.Header
	body  strings.Builder
	count int // of calls of note
}

func newSite(t *testing.T) *site {
	s := &site{t: t}
	s.restart()
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

// restart forgets all sessions.
func (s *site) restart() {
	server := testServer()
	server.AddTool(&sdk.Tool{Name: "note", InputSchema: json.RawMessage(anyObject)}, func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.count++
		return text(fmt.Sprint(s.count)), nil
	})
	server.AddTool(&sdk.Tool{Name: "whoami", InputSchema: json.RawMessage(anyObject), Annotations: &sdk.ToolAnnotations{ReadOnlyHint: true}},
		func(_ context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
			return text(r.Extra.Header.Get("X-User") + " " + r.Session.ID()), nil
		})
	handler := sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = handler
}

func (s *site) become(h http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = h
}

// ServeHTTP implements http.Handler.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	s.mu.Lock()
	h := s.now
	s.seen = append(s.seen, r.Header.Clone())
	s.body.Write(body)
	s.mu.Unlock()
	h.ServeHTTP(w, r)
}

func (s *site) config() Config {
	return Config{Name: "a", URL: s.URL, Headers: map[string]string{"Authorization": `Bearer {{secret "crm"}}`}}
}

// TestHTTP: a server's tools are offered and called; every request has the headers; a server that is restarted is
// connected anew, and a call that it had not taken is sent once more, one that it had taken never.
func TestHTTP(t *testing.T) {
	s := newSite(t)
	g := newRig(t, newPins(t), s.config())
	g.log.await(t, "is connected", 1)
	g.wants(g.call(ann, "a_echo", `{"a":1}`), switchboard.CallOK, `{"a":1}`, "")
	g.wants(g.call(ann, "a_note", `{}`), switchboard.CallOK, `1`, "")
	s.restart()
	g.wants(g.call(ann, "a_note", `{}`), switchboard.CallOK, `2`, "")
	g.wants(g.call(ann, "a_note", `{}`), switchboard.CallOK, `3`, "")
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.seen {
		if h.Get("Authorization") != "Bearer s3cret-crm" {
			t.Errorf("a request with %v", h)
		}
	}
	for _, personal := range []string{string(ann), "first", "call_id"} {
		if strings.Contains(s.body.String(), personal) {
			t.Errorf("the server was told %s", personal)
		}
	}
	if strings.Contains(g.log.String(), "s3cret") {
		t.Errorf("a secret is in the log: %s", g.log)
	}
}

// TestCutHTTP: a connection that breaks under a call leaves the outcome unknown; the call is not sent again.
func TestCutHTTP(t *testing.T) {
	s := newSite(t)
	g := newRig(t, newPins(t), s.config())
	g.log.await(t, "is connected", 1)
	good := s.now
	var calls atomic.Int64
	s.become(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if strings.Contains(string(b), "tools/call") {
			calls.Add(1)
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(strings.NewReader(string(b)))
		good.ServeHTTP(w, r)
	}))
	g.wants(g.call(ann, "a_note", `{}`), switchboard.CallUnknown, "", "may have taken effect")
	g.wants(g.call(ann, "a_echo", `{}`), switchboard.CallError, "", "connection to the tool's server was lost")
	if n := calls.Load(); n != 2 {
		t.Errorf("sent %d times", n)
	}
	s.become(good)
	g.wants(g.call(ann, "a_echo", `{}`), switchboard.CallOK, `{}`, "")
}

// TestUsers: headers that name the user make each user a session of their own, whoever calls at the same time; the
// list of tools is asked for in nobody's name.
func TestUsers(t *testing.T) {
	s := newSite(t)
	c := s.config()
	c.Headers["X-User"] = `{{.User.ID}}`
	c.Headers["X-Key"] = `{{secret (printf "key-%s" .User.ID)}}`
	c.ListHeaders = map[string]string{"X-Key": "of the lists"}
	g := newRig(t, newPins(t), c)
	g.log.await(t, "is connected", 1)
	sessions := map[string]string{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 5 {
		for _, u := range []switchboard.UserID{ann, bob} {
			all.Go(func() {
				end := g.call(u, "a_whoami", `{"user":"`+string(bob)+`","X-User":"root"}`)
				var got string
				if err := json.Unmarshal(end.Result, &got); err != nil {
					t.Errorf("%s %s", end.Error, err)
				}
				who, session, _ := strings.Cut(got, " ")
				if who != string(u) {
					t.Errorf("called as %q for %s", who, u)
				}
				mu.Lock()
				defer mu.Unlock()
				if other, known := sessions[session]; session != "" && known && other != who {
					t.Error("two users have one session")
				}
				sessions[session] = who
			})
		}
	}
	all.Wait()
	s.restart()
	if end := g.call(ann, "a_whoami", `{}`); !strings.HasPrefix(string(end.Result), `"`+string(ann)) {
		t.Errorf("after a restart: %s %s", end.Result, end.Error)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	lists := 0
	for _, h := range s.seen {
		u, key := h.Get("X-User"), h.Get("X-Key")
		if u == "" && key == "of the lists" {
			lists++
		} else if key != "s3cret-key-"+u {
			t.Errorf("user %q with key %q", u, key)
		}
	}
	if lists == 0 {
		t.Error("the lists were asked for in a user's name")
	}
	for token, who := range sessions {
		if (token == "") || who == "" {
			t.Logf("session %q of %q", token, who)
		}
	}
}

// TestNoSecret: a call whose headers cannot be made up is not sent, and says nothing of them.
func TestNoSecret(t *testing.T) {
	s := newSite(t)
	c := s.config()
	c.Headers["X-User"] = `{{.User.ID}}{{secret "missing"}}`
	g := newRig(t, newPins(t), c)
	g.log.await(t, "is connected", 1)
	end := g.call(ann, "a_whoami", `{}`)
	if end.Status != switchboard.CallError || strings.Contains(end.Error, "missing") {
		t.Errorf("%s %q", end.Status, end.Error)
	}
	if strings.Contains(g.log.String(), "missing") {
		t.Errorf("log: %s", g.log)
	}
}

// TestRedirect: a server that sends us elsewhere is not followed: neither headers nor arguments reach another host.
func TestRedirect(t *testing.T) {
	thief := newSite(t)
	for _, code := range []int{http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		s := newSite(t)
		g := newRig(t, newPins(t), s.config())
		g.log.await(t, "is connected", 1)
		s.become(http.RedirectHandler(thief.URL, code))
		g.call(ann, "a_echo", `{"a":"arguments"}`)
		g.stop()
	}
	thief.mu.Lock()
	defer thief.mu.Unlock()
	if len(thief.seen) > 0 {
		t.Errorf("the other host was sent %v %s", thief.seen, &thief.body)
	}
}

// TestEndless: an answer without end is given up, and what was read of it is not kept.
func TestEndless(t *testing.T) {
	for _, kind := range []string{"application/json", "text/event-stream", "text/html"} {
		t.Run(kind, func(t *testing.T) {
			s := newSite(t)
			g := newRig(t, newPins(t), s.config())
			g.log.await(t, "is connected", 1)
			good := s.now
			s.become(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", kind)
				if kind == "text/html" {
					w.WriteHeader(http.StatusBadGateway + 7)
				}
				chunk := []byte(strings.Repeat("x", 1<<20))
				fmt.Fprint(w, "data: ")
				for {
					if _, err := w.Write(chunk); err != nil {
						return
					}
				}
			}))
			if end := g.call(ann, "a_note", `{}`); end.Status == switchboard.CallOK {
				t.Errorf("%s %s", end.Status, end.Result)
			}
			s.become(good)
			g.wants(g.call(ann, "a_echo", `{}`), switchboard.CallOK, `{}`, "")
		})
	}
}

// TestLateServer: a server that is not there when the node starts is connected when it comes.
func TestLateServer(t *testing.T) {
	s := newSite(t)
	good := s.now
	s.become(http.NotFoundHandler())
	g := newRig(t, newPins(t), s.config())
	g.log.await(t, "is away", 1)
	g.wants(g.call(ann, "a_echo", `{}`), switchboard.CallError, "", "no such tool")
	s.become(good)
	g.log.await(t, "is connected", 1)
	g.wants(g.call(ann, "a_echo", `{}`), switchboard.CallOK, `{}`, "")
}

// TestPool: users have a session each, as many as are allowed; the one that has been idle longest makes room, and those
// that are idle for long are closed.
func TestPool(t *testing.T) {
	s := newSite(t)
	g := newRig(t, newPins(t), s.config())
	g.log.await(t, "is connected", 1)
	opened := map[switchboard.UserID]int{}
	p := newPool(2, func(ctx context.Context, u switchboard.UserID) (*session, error) {
		opened[u]++
		return g.servers.servers[0].dial(ctx, u, false)
	})
	defer p.close()
	get := func(u switchboard.UserID) func() {
		t.Helper()
		_, release, err := p.get(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		return release
	}
	annEnds, bobEnds := get(ann), get(bob)
	if _, _, err := p.get(t.Context(), "carol"); err != errBusy {
		t.Errorf("a third at once: %v", err)
	}
	bobEnds()
	get("carol")()
	annEnds()
	get(ann)()
	get(bob)() // in place of carol or ann, whoever was idle longer: carol
	if opened[ann] != 1 || opened[bob] != 2 || opened["carol"] != 1 {
		t.Errorf("opened %v", opened)
	}
	p.sweep(time.Now().Add(idleWait - time.Minute))
	if len(p.users) != 2 {
		t.Errorf("%d sessions", len(p.users))
	}
	p.sweep(time.Now().Add(idleWait + time.Minute))
	if len(p.users) != 0 {
		t.Errorf("%d idle sessions", len(p.users))
	}
}
