package transport

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/auth"
)

// events opens a stream and returns a function that reads its next event, as its lines.
func (r *rig) events(t *testing.T, path string, change func(*http.Request)) (*http.Response, func() string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", r.http.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer token-ann")
	if change != nil {
		change(req)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	lines := bufio.NewScanner(res.Body)
	return res, func() string {
		var out []string
		for lines.Scan() {
			if lines.Text() == "" {
				return strings.Join(out, "\n")
			}
			out = append(out, lines.Text())
		}
		return "end"
	}
}

func TestEvents(t *testing.T) {
	r := newRig(t, quick)
	res, next := r.events(t, "/api/v1/events?cursor=e.1.a", func(req *http.Request) { req.Header.Set("Last-Event-ID", "e.2.b") })
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	if e := next(); !strings.HasPrefix(e, "event: connection_established\ndata: {") || !strings.Contains(e, `"cursor":"e.2.b"`) {
		t.Errorf("first event: %s", e)
	}
	o := <-r.opened
	event, err := switchboard.EncodeEvent(switchboard.Event{Type: switchboard.ThreadDeleted, Cursor: "e.3.c", Payload: &switchboard.ThreadDeletedEvent{}})
	if err != nil {
		t.Fatal(err)
	}
	o.frames <- event
	if e, want := next(), "id: e.3.c\nevent: thread_deleted\ndata: "+string(event); e != want {
		t.Errorf("%s\nwant\n%s", e, want)
	}
	o.frames <- switchboard.EncodeNotice(switchboard.TypeCaughtUp, switchboard.CaughtUp{Cursor: "e.4.d"})
	if e := next(); !strings.HasPrefix(e, "id: e.4.d\nevent: caught_up\ndata: ") {
		t.Error(e)
	}
	o.frames <- []byte(`{"type":"agent_delta","payload":{"text":"x"}}`)
	if e := next(); e != "event: agent_delta\ndata: "+`{"type":"agent_delta","payload":{"text":"x"}}` {
		t.Error(e)
	}
	o.fail <- switchboard.Errorf(switchboard.Slow, "because")
	if e := next(); !strings.HasPrefix(e, "event: error\ndata: ") || !strings.Contains(e, `"code":"slow"`) {
		t.Error(e)
	}
	if e := next(); e != "end" {
		t.Error(e)
	}
	<-o.closed
}

func TestEventsErrors(t *testing.T) {
	r := newRig(t, quick)
	gap := newFakeOutbox()
	gap.resync = &switchboard.Resync{Reason: "epoch"}
	for _, c := range []struct {
		name string
		open *fakeOutbox
		err  error
		auth string
		want int
		code string
	}{
		{"gap", gap, nil, "Bearer token-ann", 410, "gap"},
		{"bad cursor", nil, switchboard.Errorf(switchboard.Invalid, "not a cursor").At("cursor"), "Bearer token-ann", 400, "invalid"},
		{"store down", nil, switchboard.Errorf(switchboard.Unavailable, "later"), "Bearer token-ann", 503, "unavailable"},
		{"no identity", nil, nil, "Bearer nonsense", 401, "unauthenticated"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.open = func(switchboard.Cursor) (*fakeOutbox, error) { return c.open, c.err }
			res, body := r.request(t, "GET", "/api/v1/events?cursor=x", func(req *http.Request) { req.Header.Set("Authorization", c.auth) })
			if res.StatusCode != c.want || !strings.Contains(body, `"code":"`+c.code+`"`) || res.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%d %s", res.StatusCode, body)
			}
			if c.open != nil {
				<-c.open.closed
			}
		})
	}
}

func TestEventsLeave(t *testing.T) {
	r := newRig(t, func(c *Config) { quick(c); c.Limits.PingMS = 1 })
	ctx, cancel := context.WithCancel(t.Context())
	_, next := r.events(t, "/api/v1/events", func(req *http.Request) { *req = *req.WithContext(ctx) })
	next()
	if e := next(); e != ": " {
		t.Errorf("no heartbeat but %q", e)
	}
	cancel()
	<-(<-r.opened).closed
	_, next = r.events(t, "/api/v1/events", nil)
	next()
	_ = r.auth.Logout(t.Context(), auth.Identity{Session: "session-ann"})
	for e := next(); e != "end"; e = next() {
		if e != ": " && !strings.Contains(e, "unauthenticated") {
			t.Error(e)
		}
	}
	<-(<-r.opened).closed
}
