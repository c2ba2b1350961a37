package thread_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// TestRun folds a run with a tool from its message to its end.
func TestRun(t *testing.T) {
	l := newTape(t)
	l.next(thread.Nothing, "", 0)
	run := l.ask("m1", "")
	if run != run1 {
		t.Fatalf("the run is %q", run)
	}
	duty := l.seq
	l.next(thread.Start, run1, duty)
	claim := l.start(run1)
	l.next(thread.TakeOver, run1, duty)
	r := l.s.Busy()
	if r == nil || r.Claim != claim || r.Worker != "w1" || r.Attempt != 1 || l.s.Claimed != 1 || r.Started.IsZero() {
		t.Fatalf("claimed: %+v, %d", r, l.s.Claimed)
	}
	c := l.calls(run1, 1, 2)
	if !r.Step.Recorded || !r.Step.Thought || r.Step.N != 1 || r.Calls != 2 || r.Usage.InputTokens != 10 {
		t.Errorf("a recorded step: %+v", r)
	}
	l.add(run1, &switchboard.ToolExecutingEvent{CallID: c[0]}, thread.Header{})
	if x := r.Call(c[0]); !x.Started || x.Done {
		t.Errorf("a started call: %+v", x)
	}
	l.add(run1, &switchboard.ToolCompletedEvent{CallID: c[0]}, thread.Header{})
	if x := r.Call(c[0]); !x.Done {
		t.Errorf("a completed call: %+v", x)
	}
	l.done(c[1])
	l.add(run1, &switchboard.AgentHandoffEvent{From: "assistant", To: "other"}, thread.Header{})
	l.next(thread.TakeOver, run1, duty)
	if !slices.Equal(r.Entries, []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9}) {
		t.Errorf("entries of the run: %v", r.Entries)
	}
	l.complete(run1)
	l.next(thread.Nothing, "", 0)
	s := l.s.Summary
	if s.ActiveRun != "" || s.LastText != "the answer" || s.Title != "text of m1" || s.Created.IsZero() || !s.Updated.After(s.Created.Time) {
		t.Errorf("the summary: %+v", s)
	}
	for _, p := range []switchboard.EventPayload{ // of a run that has ended: nothing changes but the position
		&switchboard.AgentThinkingEvent{Step: 9}, &switchboard.ToolCompletedEvent{CallID: c[0]}, &switchboard.AgentFailedEvent{},
	} {
		l.add(run1, p, thread.Header{})
		l.next(thread.Nothing, "", 0)
	}
}

// TestTakeover counts what a run survives.
func TestTakeover(t *testing.T) {
	l := newTape(t)
	l.ask("m1", "")
	duty := l.seq
	l.start(run1)
	r := l.s.Busy()
	resume := func(reason string, attempt int, delivery uint64) {
		l.add(run1, &switchboard.AgentResumedEvent{Attempt: attempt, Reason: reason}, thread.Header{Worker: "w2", Wake: duty, Delivery: delivery})
	}
	l.add(run1, &switchboard.AgentThinkingEvent{Step: 1, Source: "agent"}, thread.Header{})
	resume(switchboard.ResumedTakeover, 2, 2)
	if r.Lost != 1 || r.Attempt != 2 || r.Worker != "w2" || l.s.Claimed != 2 || r.Step.Thought {
		t.Errorf("after a takeover: %+v, claimed %d", r, l.s.Claimed)
	}
	resume(switchboard.ResumedTakeover, 3, 5)
	resume(switchboard.ResumedDecision, 4, 3)
	if r.Lost != 2 || l.s.Claimed != 5 {
		t.Errorf("lost %d, claimed %d", r.Lost, l.s.Claimed)
	}
	c := l.calls(run1, 1, 1)
	if r.Lost != 0 {
		t.Error("a step forgives")
	}
	resume(switchboard.ResumedTakeover, 5, 6)
	if !r.Step.Thought || !r.Step.Recorded {
		t.Error("a recorded step stays")
	}
	l.add(run1, &switchboard.ToolCompletedEvent{CallID: "another", Status: switchboard.CallUnknown}, thread.Header{})
	if r.Lost != 1 {
		t.Error("a call that is closed because its worker was lost forgives")
	}
	l.done(c[0])
	if r.Lost != 0 {
		t.Error("a result forgives")
	}
	l.add(run1, &switchboard.AgentResumedEvent{Attempt: 6}, thread.Header{Wake: duty + 1, Delivery: 99})
	if l.s.Claimed != 6 {
		t.Errorf("a claim under another wake-up counted: %d", l.s.Claimed)
	}
}

// TestDuty follows who answers for a thread: the entry that ended the last rest, until the next.
func TestDuty(t *testing.T) {
	l := newTape(t)
	l.ask("m1", "")
	duty := l.seq
	second := l.ask("m2", "")
	l.say("r1", &switchboard.RenameThread{Title: "new"})
	l.next(thread.Start, run1, duty)
	l.start(run1)
	l.complete(run1)
	l.next(thread.Start, second, duty)
	l.start(second)
	l.add(second, &switchboard.AgentFailedEvent{Code: switchboard.AgentError}, thread.Header{})
	l.next(thread.Nothing, "", 0)
	l.say("r2", &switchboard.RenameThread{Title: "newer"})
	l.next(thread.Nothing, "", 0)
	if l.s.Summary.Title != "newer" {
		t.Errorf("the title is %q", l.s.Summary.Title)
	}
	third := l.ask("m3", "")
	l.next(thread.Start, third, l.seq)
	if l.s.Claimed != 0 {
		t.Errorf("a new duty has claims: %d", l.s.Claimed)
	}
}

// TestSuspended lets a run wait for two people's decisions.
func TestSuspended(t *testing.T) {
	l := newTape(t)
	l.ask("m1", "")
	first := l.seq
	l.start(run1)
	c := l.calls(run1, 1, 3)
	l.done(c[2])
	l.approval(c[0], 2*time.Hour)
	l.next(thread.TakeOver, run1, first) // one call is not asked about yet
	l.approval(c[1], time.Hour)
	l.next(thread.Nothing, run1, 0)
	if at, call := l.s.Expiry(); call == nil || call.CallID != c[1] || !at.Equal(noon.Add(time.Hour)) {
		t.Errorf("the first to expire: %v %+v", at, call)
	}
	queued := l.ask("m2", "")
	l.next(thread.Nothing, run1, 0)
	l.say("d1", &switchboard.ToolDecision{CallID: string(c[0]), Decision: switchboard.Approve, Arguments: json.RawMessage(`{"a":1}`)})
	l.next(thread.GoOn, run1, l.seq)
	r := l.s.Busy()
	if x := r.Call(c[0]); x.Decision != switchboard.Approve || string(x.Arguments) != `{"a":1}` || x.Expired {
		t.Errorf("decided: %+v", x)
	}
	duty := l.seq
	l.add(run1, &switchboard.AgentResumedEvent{Attempt: 2, Reason: switchboard.ResumedDecision}, thread.Header{Wake: duty, Delivery: 1})
	l.next(thread.TakeOver, run1, duty)
	if r.Lost != 0 {
		t.Error("a decision is no loss")
	}
	l.done(c[0])
	l.next(thread.Nothing, run1, 0)
	l.add(run1, &switchboard.ToolDecidedEvent{CallID: c[1], Decision: switchboard.Deny, By: "timeout"}, thread.Header{})
	l.next(thread.GoOn, run1, l.seq)
	if x := r.Call(c[1]); !x.Expired || x.Waits() {
		t.Errorf("expired: %+v", x)
	}
	l.add(run1, &switchboard.ToolDecidedEvent{CallID: c[1], Decision: switchboard.Approve, By: "user"}, thread.Header{})
	if x := r.Call(c[1]); x.Decision != switchboard.Deny {
		t.Error("a second decision counted")
	}
	duty = l.s.Duty
	l.add(run1, &switchboard.AgentResumedEvent{Attempt: 3, Reason: switchboard.ResumedDecision}, thread.Header{})
	l.done(c[1])
	l.complete(run1)
	l.next(thread.Start, queued, duty)
	if at, call := l.s.Expiry(); call != nil || !at.IsZero() {
		t.Error("something expires")
	}
}

// TestOnBusy orders what is sent to a busy thread.
func TestOnBusy(t *testing.T) {
	for _, c := range []struct {
		name      string
		suspended bool
		send      []switchboard.OnBusy
		stop      switchboard.StopReason // of the first run
		after     []uint64               // messages whose runs follow, once the first run has ended
	}{
		{"enqueue", false, []switchboard.OnBusy{"", switchboard.Enqueue}, "", []uint64{2, 3}},
		{"interrupt", false, []switchboard.OnBusy{"", switchboard.Interrupt}, switchboard.StoppedInterrupt, []uint64{3, 2}},
		{"rollback", false, []switchboard.OnBusy{"", switchboard.Rollback}, switchboard.StoppedRollback, []uint64{3, 2}},
		{"the first reason stays", false, []switchboard.OnBusy{switchboard.Interrupt, switchboard.Rollback}, switchboard.StoppedInterrupt, []uint64{3, 2}},
		{"a steer that is not taken", false, []switchboard.OnBusy{switchboard.Steer, ""}, "", []uint64{3, 2}},
		{"a steer of a run that is being stopped", false, []switchboard.OnBusy{switchboard.Interrupt, switchboard.Steer}, switchboard.StoppedInterrupt, []uint64{2, 3}},
		{"interrupt of a suspended run", true, []switchboard.OnBusy{"", switchboard.Interrupt}, switchboard.StoppedInterrupt, []uint64{3, 2}},
		{"steer of a suspended run", true, []switchboard.OnBusy{switchboard.Steer}, "", []uint64{2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newTape(t)
			l.ask("m1", "")
			l.start(run1)
			base := uint64(0)
			if c.suspended {
				l.approval(l.calls(run1, 1, 1)[0], time.Hour)
			}
			base = l.s.N - 1 // messages of the table count from 2
			for i, busy := range c.send {
				l.ask(switchboard.FrameID(strings.Repeat("x", i+1)), busy)
			}
			r := l.s.Run(run1)
			if r.Stop != c.stop {
				t.Errorf("the first run's stop is %q", r.Stop)
			}
			switch {
			case c.suspended && c.stop != "":
				l.next(thread.EndRun, run1, l.seq)
			case c.suspended:
				l.next(thread.Nothing, run1, 0)
			}
			l.add(run1, &switchboard.AgentStoppedEvent{Reason: switchboard.StoppedByUser}, thread.Header{})
			var after []uint64
			for _, r := range l.s.Runs {
				after = append(after, r.N-base)
			}
			if !slices.Equal(after, c.after) {
				t.Errorf("then come %v, not %v", after, c.after)
			}
		})
	}
}

// TestSteersTaken removes what was handed to the agent, and nothing else.
func TestSteersTaken(t *testing.T) {
	l := newTape(t)
	l.ask("m1", "")
	l.start(run1)
	taken := l.ask("s1", switchboard.Steer)
	left := l.ask("s2", switchboard.Steer)
	l.add(run1, &switchboard.MessagesTakenEvent{IDs: []switchboard.FrameID{"s1"}, Step: 1}, thread.Header{})
	if _, err := l.s.Accept(request("stop", &switchboard.StopAgent{RunID: string(taken)}), rules()); switchboard.CodeOf(err) != switchboard.Conflict {
		t.Errorf("a stop of a message that was taken: %v", err)
	}
	l.complete(run1)
	l.next(thread.Start, left, l.s.Duty)
	if len(l.s.Runs) != 1 {
		t.Errorf("%d runs are left", len(l.s.Runs))
	}
}

// TestStop marks runs in every phase.
func TestStop(t *testing.T) {
	t.Run("queued", func(t *testing.T) {
		l := newTape(t)
		l.ask("m1", "")
		duty := l.seq
		second := l.ask("m2", "")
		l.say("s", &switchboard.StopAgent{RunID: string(second)})
		l.next(thread.EndRun, second, duty) // before the one in front of it
	})
	t.Run("queued behind an active one", func(t *testing.T) {
		l := newTape(t)
		l.ask("m1", "")
		duty := l.seq
		l.start(run1)
		second, third := l.ask("m2", ""), l.ask("m3", "")
		l.say("s", &switchboard.StopAgent{RunID: string(third)})
		l.complete(run1)
		l.next(thread.EndRun, third, duty)
		l.start(third)
		l.add(third, &switchboard.AgentStoppedEvent{Reason: switchboard.StoppedByUser}, thread.Header{})
		l.next(thread.Start, second, duty)
	})
	t.Run("a steer", func(t *testing.T) {
		l := newTape(t)
		l.ask("m1", "")
		l.start(run1)
		steer := l.ask("m2", switchboard.Steer)
		l.say("s", &switchboard.StopAgent{RunID: string(steer)})
		if r := l.s.Run(run1); r.Stop != "" || len(r.Steers) != 0 {
			t.Errorf("the running one: %+v", r)
		}
		if r := l.s.Run(steer); r == nil || r.Stop != switchboard.StoppedByUser {
			t.Errorf("the steer: %+v", r)
		}
	})
	t.Run("suspended", func(t *testing.T) {
		l := newTape(t)
		l.ask("m1", "")
		l.start(run1)
		c := l.calls(run1, 1, 1)
		l.approval(c[0], time.Hour)
		l.say("s", &switchboard.StopAgent{RunID: string(run1)})
		l.next(thread.EndRun, run1, l.seq)
	})
}

// TestDeleted forgets everything but the tombstone.
func TestDeleted(t *testing.T) {
	l := newTape(t)
	l.ask("m1", "")
	l.start(run1)
	l.say("del", &switchboard.DeleteThread{})
	l.next(thread.Nothing, "", 0)
	if l.s.Exists() || !l.s.Deleted || l.s.Summary.Title != "" || l.s.Summary.LastText != "" || l.s.Summary.ActiveRun != "" || len(l.s.IDs) != 1 {
		t.Errorf("deleted: %+v", l.s)
	}
	fresh := thread.NewState(alice, home) // the log holds nothing but the tombstone
	fresh.Apply(l.all[len(l.all)-1])
	if fresh.Exists() || fresh.N != l.s.N || !reflect.DeepEqual(fresh.IDs, l.s.IDs) {
		t.Errorf("the fold of the tombstone: %+v", fresh)
	}
}

// TestPreview changes nothing, whatever is previewed, and equal entries make equal states.
func TestPreview(t *testing.T) {
	l := newTape(t)
	l.ask("m1", "")
	l.start(run1)
	c := l.calls(run1, 1, 2)
	l.approval(c[0], time.Hour)
	l.ask("s1", switchboard.Steer)
	l.ask("m2", "")
	again := func() *thread.State {
		s := thread.NewState(alice, home)
		for _, e := range l.all {
			s.Apply(e)
		}
		return s
	}
	before := again()
	if !reflect.DeepEqual(before, l.s) {
		t.Fatal("two folds of the same entries differ")
	}
	for _, p := range []switchboard.EventPayload{
		&switchboard.UserMessageEvent{ID: "x", RunID: home.Run(99), OnBusy: switchboard.Rollback}, &switchboard.UserMessageEvent{ID: "x", OnBusy: switchboard.Steer},
		&switchboard.StopRequestedEvent{RunID: run1}, &switchboard.StopRequestedEvent{RunID: l.s.Runs[1].ID},
		&switchboard.ToolDecidedEvent{CallID: c[0], Decision: switchboard.Approve, Arguments: json.RawMessage(`{"b":2}`)},
		&switchboard.ThreadRenamedEvent{ID: "x", Title: "x"}, &switchboard.ThreadDeletedEvent{ID: "x"}, &switchboard.AgentResumedEvent{Attempt: 2, Reason: switchboard.ResumedTakeover},
		&switchboard.AgentThinkingEvent{Step: 2}, &switchboard.AgentMessageEvent{Step: 1, Calls: []switchboard.Call{{CallID: run1.Call(1, 2)}}},
		&switchboard.MessagesTakenEvent{IDs: []switchboard.FrameID{"s1"}}, &switchboard.ToolApprovalRequiredEvent{CallID: c[1]},
		&switchboard.ToolExecutingEvent{CallID: c[1]}, &switchboard.ToolCompletedEvent{CallID: c[1]}, &switchboard.AgentHandoffEvent{},
		&switchboard.AgentCompletedEvent{Text: "x"}, &switchboard.AgentFailedEvent{}, &switchboard.AgentStoppedEvent{},
	} {
		d := thread.Draft{Event: switchboard.Event{Type: p.EventType(), ThreadID: home, RunID: run1, Payload: p}, Header: thread.Header{N: l.s.N + 1}}
		l.s.Preview(&d)
		if !reflect.DeepEqual(before, l.s) {
			t.Fatalf("the preview of %s changed the state", p.EventType())
		}
	}
}

// TestRollbackOfTaken: a run that is rolled back withdraws the messages that it has taken.
func TestRollbackOfTaken(t *testing.T) {
	l := newTape(t)
	l.ask("m1", "")
	l.start(run1)
	l.ask("s1", switchboard.Steer)
	l.ask("s2", switchboard.Steer)
	l.add(run1, &switchboard.MessagesTakenEvent{IDs: []switchboard.FrameID{"s1"}, Step: 1}, thread.Header{})
	if got := l.s.Run(run1).Entries; !slices.Equal(got, []uint64{1, 2, 3, 5}) {
		t.Errorf("entries of the run: %v", got)
	}
}

// TestSeqAt finds where to begin to read.
func TestSeqAt(t *testing.T) {
	l := newTape(t)
	if l.s.SeqAt(1) != 0 {
		t.Error("an empty thread")
	}
	l.ask("m1", "")
	for range 99 {
		l.add("", &switchboard.ThreadRenamedEvent{Title: "t"}, thread.Header{})
	}
	for n := uint64(1); n <= 120; n++ {
		got := l.s.SeqAt(n)
		at := min(n, 100)
		if exact := l.all[at-1].Seq; got > exact || exact-got > 32*3 {
			t.Errorf("entry %d lies at %d, reading would begin at %d", at, exact, got)
		}
	}
}

func TestExcerpt(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""}, {" a \n\t b ", "a b"}, {"exactly 10", "exactly 10"}, {"eleven chars", "eleven ch…"},
		{"ääääääääääää", "äääääääää…"}, {strings.Repeat("a ", 1000), "a a a a a…"},
	} {
		if got := thread.Excerpt(c.in, 10); got != c.want {
			t.Errorf("%q: %q, not %q", c.in, got, c.want)
		}
	}
}
