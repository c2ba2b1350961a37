package main

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard"
)

// sse is an event of a stream.
type sse struct{ id, event, data string }

// stream opens the stream of events and reads up to an event that is wanted.
func (s *server) stream(t tb, token, last string, wanted func(sse) bool) []sse {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", s.url+"/api/v1/events", nil)
	if err != nil {
		t.Fatalf("%v", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	var out []sse
	var e sse
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			e.id = value
		case "event":
			e.event = value
		case "data":
			e.data = value
		case "":
			if e.event == "" {
				continue
			}
			if out = append(out, e); wanted(e) {
				return out
			}
			e = sse{}
		}
	}
	t.Fatalf("the stream ended after %d events: %v", len(out), lines.Err())
	return nil
}

// TestE2EEvents follows a user by server-sent events: the same events as on the socket, from any of their ids on.
func TestE2EEvents(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	token := s.user(t, "ann")
	h := newHistory()
	conn := h.connect(t, s, token)
	untilType(t, conn, switchboard.TypeCaughtUp)
	live := make(chan []sse, 1)
	ready := make(chan struct{})
	go func() {
		live <- s.stream(t, token, "", func(e sse) bool {
			if e.event == switchboard.TypeCaughtUp {
				close(ready)
			}
			return e.event == string(switchboard.AgentCompleted)
		})
	}()
	<-ready
	ack := say(t, conn, "What is 6 * 7?")
	untilEnd(t, conn, ack.RunID)
	events := func(all []sse) (raw [][]byte) {
		for _, e := range all {
			if strings.Contains(e.data, `"n":`) {
				raw = append(raw, []byte(e.data))
			}
		}
		return raw
	}
	got := <-live
	if lost, unexpected := compare(h.raw, events(got)); lost+unexpected > 0 {
		t.Errorf("live: %d lost, %d unexpected", lost, unexpected)
	}
	deltas := 0
	for _, e := range got {
		switch {
		case e.event == switchboard.TypeAgentDelta:
			deltas++
			if e.id != "" {
				t.Errorf("a delta has the id %s", e.id)
			}
		case strings.Contains(e.data, `"n":`) && !strings.Contains(e.data, `"cursor":"`+e.id+`"`):
			t.Errorf("id %s of %s", e.id, e.data)
		}
	}
	if deltas == 0 || got[0].event != switchboard.TypeConnectionEstablished {
		t.Errorf("%d deltas, first %s", deltas, got[0].event)
	}
	caughtUp := func(e sse) bool { return e.event == switchboard.TypeCaughtUp }
	for i, e := range h.events {
		all := s.stream(t, token, string(e.Cursor), caughtUp)
		if lost, unexpected := compare(h.raw[i+1:], events(all)); lost+unexpected > 0 {
			t.Errorf("after %d: %d lost, %d unexpected", i+1, lost, unexpected)
		}
	}
	for _, last := range []string{"other.1.abc", strings.Replace(string(h.cursor), ".", ".9", 1), "nonsense", "a\tb", strings.Repeat("x", 100)} {
		a := s.do(t, "GET", "/api/v1/events", "", "Authorization", "Bearer "+token, "Last-Event-ID", last)
		if a.status != http.StatusGone || !strings.Contains(string(a.body), `"code":"gap"`) {
			t.Errorf("Last-Event-ID %q: %d %s", last, a.status, a.body)
		}
	}
	s.end(t, "TERM")
}
