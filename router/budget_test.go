package router

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/journal/journaltest"
)

func TestMain(m *testing.M) { journaltest.Main(m) }

var alice, bob = switchboard.NewUserID("test", "", "alice"), switchboard.NewUserID("test", "", "bob")

// TestBudgets spends both budgets of a user: they are apart, and apart from others', and say how long to wait.
func TestBudgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudgets(switchboard.Limits{MessagesPerMinute: 60, MessageBurst: 3, RefusalsPerMinute: 5})
		message := func(u switchboard.UserID) error { _, err := b.reserve(u); return err }
		limited := func(err error, wait time.Duration) {
			t.Helper()
			if e := switchboard.AsError(err); err == nil || e.Code != switchboard.RateLimited || e.RetryAfter.Round(time.Millisecond) != wait {
				t.Errorf("%v, wait %v, not %v", err, e, wait)
			}
		}
		for range 3 {
			if err := message(alice); err != nil {
				t.Fatal(err)
			}
		}
		limited(message(alice), time.Second)
		limited(message(alice), time.Second) // a refused one costs nothing
		if err := message(bob); err != nil {
			t.Errorf("another user: %v", err)
		}
		for range 5 {
			if err := b.spendRefusal(alice); err != nil {
				t.Errorf("a refusal: %v", err)
			}
		}
		limited(b.spendRefusal(alice), 12*time.Second)
		time.Sleep(time.Second)
		refund, err := b.reserve(alice)
		if err != nil {
			t.Fatal(err)
		}
		limited(message(alice), time.Second)
		refund()
		if err := message(alice); err != nil {
			t.Errorf("after a refund: %v", err)
		}
		limited(message(alice), time.Second)
	})
}

func TestAddress(t *testing.T) {
	home := switchboard.NewThreadID(alice, "m")
	other := switchboard.NewThreadID(alice, "other")
	run := string(home.Run(1))
	call := string(home.Run(1).Call(1, 0))
	for _, c := range []struct {
		name   string
		thread string
		p      switchboard.MessagePayload
		id     switchboard.ThreadID
		made   bool
		code   switchboard.Code
		field  string
	}{
		{"begins a thread", "", &switchboard.UserMessage{}, home, true, "", ""},
		{"begins a thread by agent", "", &switchboard.StartAgent{}, home, true, "", ""},
		{"named", string(other), &switchboard.UserMessage{}, other, false, "", ""},
		{"malformed", "x.>", &switchboard.UserMessage{}, "", false, switchboard.NotFound, "thread_id"},
		{"by run", "", &switchboard.StopAgent{RunID: run}, home, false, "", ""},
		{"by run and thread", string(home), &switchboard.StopAgent{RunID: run}, home, false, "", ""},
		{"they disagree", string(other), &switchboard.StopAgent{RunID: run}, "", false, switchboard.NotFound, "thread_id"},
		{"malformed run", "", &switchboard.StopAgent{RunID: "x"}, "", false, switchboard.NotFound, "payload.run_id"},
		{"rated by run", "", &switchboard.RateAnswer{RunID: run}, home, false, "", ""},
		{"rated, they disagree", string(other), &switchboard.RateAnswer{RunID: run}, "", false, switchboard.NotFound, "thread_id"},
		{"rated, malformed", "", &switchboard.RateAnswer{RunID: "x"}, "", false, switchboard.NotFound, "payload.run_id"},
		{"by call", "", &switchboard.ToolDecision{CallID: call}, home, false, "", ""},
		{"call of another thread", string(other), &switchboard.ToolDecision{CallID: call}, "", false, switchboard.NotFound, "thread_id"},
		{"malformed call", "", &switchboard.ToolDecision{CallID: run}, "", false, switchboard.NotFound, "payload.call_id"},
		{"rename nothing", "", &switchboard.RenameThread{}, "", false, switchboard.Invalid, "thread_id"},
		{"delete nothing", "", &switchboard.DeleteThread{}, "", false, switchboard.Invalid, "thread_id"},
	} {
		id, made, err := address(alice, switchboard.Message{ID: "m", ThreadID: c.thread, Payload: c.p})
		if id != c.id || made != c.made || switchboard.CodeOf(err) != c.code || err != nil && switchboard.AsError(err).Field != c.field {
			t.Errorf("%s: %s %v %v", c.name, id, made, err)
		}
	}
	if a, b := switchboard.NewThreadID(alice, "m"), switchboard.NewThreadID(bob, "m"); a == b {
		t.Error("two users share a thread")
	}
}
