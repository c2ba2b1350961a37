package mcp

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/netra-systems/switchboard"
)

// holder is a site that takes calls with the argument hold, and gives them no answer; others it may refuse once.
type holder struct {
	*site
	good    http.Handler
	forgets func(http.ResponseWriter) // how it says once that it does not know a session
	resumes bool                      // the held call's stream breaks, and could be resumed
	taken   chan struct{}             // one for each held call
	drop    chan struct{}             // closed to break the held call's stream
	calls   atomic.Int64              // others
}

// ServeHTTP implements http.Handler.
func (h *holder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(strings.NewReader(string(b)))
	switch body := string(b); {
	case strings.Contains(body, `"hold"`):
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "id: 1\nretry: 1\n\n")
		http.NewResponseController(w).Flush()
		h.taken <- struct{}{}
		select {
		case <-r.Context().Done():
		case <-h.drop:
		}
	case h.resumes && r.Header.Get("Last-Event-Id") != "":
		http.NotFound(w, r)
	case strings.Contains(body, "tools/call") && h.calls.Add(1) == 1 && h.forgets != nil:
		h.forgets(w)
	default:
		h.good.ServeHTTP(w, r)
	}
}

// held returns a rig with a call that the server has taken, and how that call ends.
func held(t *testing.T, h *holder, name string) (*rig, chan *switchboard.ToolCompletedEvent) {
	t.Helper()
	h.site = newSite(t)
	h.good, h.taken, h.drop = h.now, make(chan struct{}, 10), make(chan struct{})
	g := newRig(t, newPins(t), h.config())
	g.log.await(t, "is connected", 1)
	h.become(h)
	ended := make(chan *switchboard.ToolCompletedEvent, 1)
	go func() {
		end, err := g.dispatch(t.Context(), ann, name, `{"hold":true}`, nil)
		if err != nil {
			t.Error(err)
		}
		ended <- end
	}()
	<-h.taken
	return g, ended
}

// TestTakenOnce: a session that is lost costs a call that the server has taken its answer, and the call is not sent again;
// one that the server refused for the session's sake is.
func TestTakenOnce(t *testing.T) {
	for _, c := range []struct {
		held   string
		status switchboard.CallStatus
		err    string
		answer string // of the server to the other call
	}{
		{"a_note", switchboard.CallUnknown, "may have taken effect", "404 page not found"},
		{"a_note", switchboard.CallUnknown, "may have taken effect", `{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"Session not found"}}`},
		{"a_echo", switchboard.CallError, "connection to the tool's server was lost", "404 page not found"},
	} {
		t.Run(c.held+" "+c.answer[:1], func(t *testing.T) {
			h := &holder{resumes: true, forgets: func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound); fmt.Fprint(w, c.answer) }}
			g, ended := held(t, h, c.held)
			g.wants(g.call(bob, "a_note", `{}`), switchboard.CallOK, `1`, "")
			close(h.drop) // of a session that has not failed as a whole
			g.wants(<-ended, c.status, "", c.err)
			if n := h.calls.Load(); n != 2 || len(h.taken) > 0 {
				t.Errorf("the held call was sent %d times, the other %d", 1+len(h.taken), n)
			}
		})
	}
}

// TestResumedOnce: a call whose stream breaks, and cannot be resumed because the server has forgotten the session, is not
// sent again.
func TestResumedOnce(t *testing.T) {
	h := &holder{resumes: true}
	g, ended := held(t, h, "a_note")
	close(h.drop)
	g.wants(<-ended, switchboard.CallUnknown, "", "may have taken effect")
	if len(h.taken) > 0 {
		t.Errorf("sent %d times", 1+len(h.taken))
	}
}

// TestNeverSent: a call that finds its session lost before it is sent goes through the next one.
func TestNeverSent(t *testing.T) {
	s := newSite(t)
	g := newRig(t, newPins(t), s.config())
	g.log.await(t, "is connected", 1)
	server := g.servers.servers[0]
	x, err := server.dial(t.Context(), "", false)
	if err != nil {
		t.Fatal(err)
	}
	x.close()
	server.mu.Lock()
	known := server.current.end
	lost := &session{sdk: x.sdk, ended: make(chan struct{}), progress: x.progress}
	lost.end = func() { close(lost.ended); known() }
	server.current = lost
	server.mu.Unlock()
	g.wants(g.call(ann, "a_note", `{}`), switchboard.CallOK, `1`, "")
}
