package router

import (
	"io"
	"log/slog"
	"testing"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/quality"
	"github.com/netra-systems/switchboard/thread"
)

// TestMessageRouter: each message type of the protocol is answered in exactly one place, and what has no handler is refused
// and never acknowledged.
func TestMessageRouter(t *testing.T) {
	r := New(Config{Threads: noThreads{}, Quality: quality.New(quality.Config{}), Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Rules: thread.Rules{Limits: switchboard.DefaultLimits()}})
	known := map[switchboard.MessageType]bool{}
	for _, typ := range switchboard.MessageTypes() {
		known[typ] = true
		_, asks := r.queries[typ]
		if accepted[typ] == asks && typ != switchboard.TypeAuthenticate { // which this version refuses
			t.Errorf("%s: appended %t, answered by a handler %t", typ, accepted[typ], asks)
		}
	}
	for typ := range r.queries {
		if !known[typ] {
			t.Errorf("a handler for %s, which is no type", typ)
		}
	}
	for _, frame := range []string{`{"type":"broadcast","id":"a","payload":{}}`, `{"type":"chat","id":"a","payload":{"text":"x"}}`} {
		f, err := switchboard.DecodeFrame(r.Route(t.Context(), Caller{User: switchboard.User{ID: alice}}, []byte(frame)))
		var p switchboard.Problem
		if err != nil || f.Type != switchboard.TypeError || f.Decode(&p) != nil || p.Code != switchboard.Unsupported {
			t.Errorf("%s: answered by %s %+v, %v", frame, f.Type, p, err)
		}
	}
}
