package router

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/journal/journaltest"
	"github.com/netra-systems/switchboard/quality"
	"github.com/netra-systems/switchboard/thread"
)

// noDevice is a stream that takes every order.
type noDevice struct{}

func (noDevice) Resume(context.Context, switchboard.Cursor) (switchboard.ResumeResult, error) {
	return switchboard.ResumeResult{}, nil
}

func (noDevice) Subscribe(bool) {}

func (noDevice) Resync(context.Context, switchboard.RunID) error { return nil }

// FuzzRoute: whatever a device sends, it gets one reply in time, valid JSON, with the frame's id, and an error with a code
// of the table. The log is a real one.
func FuzzRoute(f *testing.F) {
	l := switchboard.DefaultLimits()
	l.MessagesPerMinute, l.MessageBurst, l.RefusalsPerMinute, l.QueuedRunsPerUser = 1<<30, 1<<30, 1<<30, 1<<30
	l.FrameBytes = 16 << 10
	r := New(Config{Journal: journaltest.Open(f), Threads: noThreads{}, Quality: quality.New(quality.Config{}), Epoch: "e", Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Rules: thread.Rules{Limits: l, DefaultAgent: "a", HasAgent: func(name string) bool { return name == "a" }}})
	caller := Caller{User: switchboard.User{ID: alice, Name: "alice", Roles: []string{operator}}, Device: noDevice{}}
	t1 := switchboard.NewThreadID(alice, "m1")
	for _, frame := range []string{
		`{"type":"user_message","id":"m1","payload":{"text":"x"}}`,
		`{"type":"user_message","id":"m1","payload":{"text":"another"}}`,
		`{"type":"user_message","id":"m2","thread_id":"` + string(t1) + `","payload":{"text":"x","on_busy":"rollback"}}`,
		`{"type":"start_agent","id":"m3","payload":{"agent":"a","input":{"a":[1,{}]}}}`,
		`{"type":"stop_agent","id":"m4","payload":{"run_id":"` + string(t1.Run(1)) + `"}}`,
		`{"type":"tool_decision","id":"m5","payload":{"call_id":"` + string(t1.Run(1).Call(1, 0)) + `","decision":"approve"}}`,
		`{"type":"rename_thread","id":"m6","thread_id":"` + string(t1) + `","payload":{"title":"t"}}`,
		`{"type":"delete_thread","id":"m7","thread_id":"` + string(t1) + `"}`,
		`{"type":"get_thread","id":"m8","thread_id":"` + string(t1) + `","payload":{"before":18446744073709551615,"limit":3}}`,
		`{"type":"list_threads","id":"m9","payload":{"before":"x","limit":50}}`,
		`{"type":"resume","id":"m10","payload":{"cursor":"e.1.a"}}`,
		`{"type":"resync_message","id":"m11","payload":{"run_id":"` + string(t1.Run(1)) + `"}}`,
		`{"type":"rate_answer","id":"m15","payload":{"run_id":"` + string(t1.Run(1)) + `","rating":"up","comment":"x"}}`,
		`{"type":"validate_content","id":"m16","payload":{"content":"1. Do it because you do it.","content_type":"report","strict":true}}`,
		`{"type":"generate_quality_report","id":"m17","payload":{"report_type":"detailed","period":"week"}}`,
		`{"type":"subscribe_quality_alerts","id":"m18","payload":{"action":"subscribe"}}`,
		`{"type":"ping","id":"m12"}`, `{"type":"get_quality_metrics","id":"m13","payload":{"agent":"a","period_hours":168}}`, `{"id":"m14"}`, `{`, ``, `null`, "\xff",
	} {
		f.Add([]byte(frame))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		begin := time.Now()
		reply := r.Route(t.Context(), caller, frame)
		if took := time.Since(begin); took > answerWait+time.Second {
			t.Fatalf("answered after %v", took)
		}
		if !json.Valid(reply) {
			t.Fatalf("not JSON: %q", reply)
		}
		got, err := switchboard.DecodeFrame(reply)
		if err != nil {
			t.Fatalf("a reply that cannot be read: %q: %v", reply, err)
		}
		sent, _ := switchboard.DecodeMessage(frame, l)
		if got.ID != sent.ID {
			t.Fatalf("the reply to %q is for %q", sent.ID, got.ID)
		}
		switch got.Type {
		case switchboard.TypeAck:
			var ack switchboard.Ack
			if err := got.Decode(&ack); err != nil || ack.ThreadID == "" {
				t.Fatalf("an ack of nothing: %s", reply)
			}
		case switchboard.TypeError:
			var p switchboard.Problem
			if err := got.Decode(&p); err != nil || switchboard.Codes[p.Code].HTTP == 0 || p.Message == "" {
				t.Fatalf("not a good error: %s", reply)
			}
			if p.Code == switchboard.Internal || p.Code == switchboard.Unavailable {
				t.Fatalf("%s for %q", reply, frame)
			}
		case switchboard.TypeResult:
		default:
			t.Fatalf("neither ack, result nor error: %s", reply)
		}
	})
}
