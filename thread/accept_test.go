package thread_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// TestAccept answers every type of message in every situation of a thread.
func TestAccept(t *testing.T) {
	const ok = switchboard.Code("")
	l := newTape(t) // 1: ended; 3: suspended, one call waits, one is done; queued and a steer behind it
	first := l.ask("m1", "")
	l.start(first)
	l.complete(first)
	second := l.ask("m2", "")
	l.start(second)
	l.calls(second, 1, 1)
	l.done(second.Call(1, 0))
	c := l.calls(second, 2, 2)
	l.done(c[1])
	l.approval(c[0], time.Hour)
	queued, steer := l.ask("m3", ""), l.ask("m4", switchboard.Steer)
	other := switchboard.NewThreadID(alice, "other")
	stop := func(r switchboard.RunID) switchboard.MessagePayload {
		return &switchboard.StopAgent{RunID: string(r)}
	}
	rate := func(r switchboard.RunID) switchboard.MessagePayload {
		return &switchboard.RateAnswer{RunID: string(r), Rating: switchboard.RatedDown, Comment: "x"}
	}
	decide := func(c switchboard.CallID) switchboard.MessagePayload {
		return &switchboard.ToolDecision{CallID: string(c), Decision: switchboard.Deny}
	}
	for _, x := range []struct {
		name  string
		p     switchboard.MessagePayload
		code  switchboard.Code
		field string
	}{
		{"a message", &switchboard.UserMessage{Text: "x"}, ok, ""},
		{"a message that does not wait", &switchboard.UserMessage{Text: "x", OnBusy: switchboard.Reject}, switchboard.Conflict, "payload.on_busy"},
		{"an unknown agent", &switchboard.UserMessage{Text: "x", Agent: "nobody"}, switchboard.NotFound, "payload.agent"},
		{"a named agent", &switchboard.StartAgent{Agent: "other"}, ok, ""},
		{"an unknown named agent", &switchboard.StartAgent{Agent: "nobody"}, switchboard.NotFound, "payload.agent"},
		{"stop a suspended run", stop(second), ok, ""},
		{"stop a queued run", stop(queued), ok, ""},
		{"stop a steer", stop(steer), ok, ""},
		{"stop an ended run", stop(first), switchboard.Conflict, "payload.run_id"},
		{"stop what is no message", stop(home.Run(2)), switchboard.NotFound, "payload.run_id"},
		{"stop what is not yet", stop(home.Run(99)), switchboard.NotFound, "payload.run_id"},
		{"stop in another thread", stop(other.Run(1)), switchboard.NotFound, "payload.run_id"},
		{"decide what waits", decide(c[0]), ok, ""},
		{"decide what has ended", decide(c[1]), switchboard.Conflict, "payload.call_id"},
		{"decide in an earlier step", decide(second.Call(1, 0)), switchboard.Conflict, "payload.call_id"},
		{"decide what was never asked", decide(second.Call(2, 7)), switchboard.NotFound, "payload.call_id"},
		{"decide in a later step", decide(second.Call(3, 0)), switchboard.NotFound, "payload.call_id"},
		{"decide in an ended run", decide(first.Call(1, 0)), switchboard.Conflict, "payload.call_id"},
		{"decide in a queued run", decide(queued.Call(1, 0)), switchboard.NotFound, "payload.call_id"},
		{"decide in a steer", decide(steer.Call(1, 0)), switchboard.NotFound, "payload.call_id"},
		{"decide in another thread", decide(other.Run(1).Call(1, 0)), switchboard.NotFound, "payload.call_id"},
		{"rate an ended run", rate(first), ok, ""},
		{"rate a run that waits", rate(second), switchboard.Conflict, "payload.run_id"},
		{"rate a queued run", rate(queued), switchboard.Conflict, "payload.run_id"},
		{"rate a steer", rate(steer), switchboard.Conflict, "payload.run_id"},
		{"rate what is no message", rate(home.Run(2)), switchboard.NotFound, "payload.run_id"},
		{"rate in another thread", rate(other.Run(1)), switchboard.NotFound, "payload.run_id"},
		{"rename", &switchboard.RenameThread{Title: "x"}, ok, ""},
		{"delete", &switchboard.DeleteThread{}, ok, ""},
		{"ping", &switchboard.Ping{}, switchboard.Unsupported, "type"},
	} {
		before := l.s.N
		v, err := l.s.Accept(request("new", x.p), rules())
		if switchboard.CodeOf(err) != x.code {
			t.Errorf("%s: %v, not %q", x.name, err, x.code)
			continue
		}
		if err != nil {
			if got := switchboard.AsError(err).Field; got != x.field {
				t.Errorf("%s: field %q, not %q", x.name, got, x.field)
			}
			continue
		}
		_, tombstone := x.p.(*switchboard.DeleteThread)
		if v.Draft == nil || v.Ack.Duplicate || v.Ack.ThreadID != home || (v.Ack.N == before+1) == tombstone || v.Draft.Header.N != before+1 {
			t.Errorf("%s: %+v", x.name, v)
		}
		if l.s.N != before {
			t.Errorf("%s: the state changed", x.name)
		}
	}
}

// TestAcceptTwice gives the first acceptance again, and refuses another payload under its id.
func TestAcceptTwice(t *testing.T) {
	l := newTape(t)
	run := l.ask("m1", "")
	l.say("r1", &switchboard.RenameThread{Title: "x"})
	v, err := l.s.Accept(request("m1", &switchboard.UserMessage{Text: "text of m1"}), rules())
	if err != nil || v.Draft != nil || v.Ack != (switchboard.Ack{ThreadID: home, RunID: run, N: 1, Duplicate: true}) {
		t.Errorf("the same message: %+v, %v", v, err)
	}
	if v, err = l.s.Accept(request("r1", &switchboard.RenameThread{Title: "x"}), rules()); err != nil || v.Ack.N != 2 || !v.Ack.Duplicate {
		t.Errorf("the same new title: %+v, %v", v, err)
	}
	for _, p := range []switchboard.MessagePayload{
		&switchboard.UserMessage{Text: "other"}, &switchboard.UserMessage{Text: "text of m1", OnBusy: switchboard.Steer},
		&switchboard.StartAgent{Agent: "assistant", Text: "text of m1"}, &switchboard.DeleteThread{},
	} {
		if _, err := l.s.Accept(request("m1", p), rules()); switchboard.CodeOf(err) != switchboard.Conflict || switchboard.AsError(err).Field != "id" {
			t.Errorf("%+v under a used id: %v", p, err)
		}
	}
	l.say("del", &switchboard.DeleteThread{})
	if v, err = l.s.Accept(request("del", &switchboard.DeleteThread{}), rules()); err != nil || !v.Ack.Duplicate || v.Ack.N != 0 {
		t.Errorf("the same deletion: %+v, %v", v, err)
	}
	for _, p := range []switchboard.MessagePayload{
		&switchboard.UserMessage{Text: "text of m1"}, &switchboard.RenameThread{Title: "x"}, &switchboard.DeleteThread{},
		&switchboard.StopAgent{RunID: string(run)}, &switchboard.ToolDecision{CallID: string(run.Call(1, 0))},
	} {
		if _, err := l.s.Accept(request("m1", p), rules()); switchboard.CodeOf(err) != switchboard.NotFound {
			t.Errorf("%s to a deleted thread: %v", p.MessageType(), err)
		}
	}
}

// TestAcceptFull refuses more runs than may wait, and more messages that wait to be taken.
func TestAcceptFull(t *testing.T) {
	l := newTape(t)
	for i := range 6 {
		l.ask(switchboard.FrameID(rune('a'+i)), "")
	}
	refused(t, l)
	l = newTape(t)
	l.start(l.ask("m1", ""))
	for i := range 5 {
		l.ask(switchboard.FrameID(rune('a'+i)), switchboard.Steer)
	}
	refused(t, l)
}

func refused(t *testing.T, l *tape) {
	t.Helper()
	_, err := l.s.Accept(request("more", &switchboard.UserMessage{Text: "x", OnBusy: switchboard.Steer}), rules())
	if e := switchboard.AsError(err); err == nil || e.Code != switchboard.RateLimited || e.RetryAfter <= 0 {
		t.Errorf("one more: %v", err)
	}
}

// TestSecondStop and late decisions are conflicts.
func TestSecondStop(t *testing.T) {
	l := newTape(t)
	l.ask("m1", "")
	l.start(run1)
	c := l.calls(run1, 1, 2)
	l.approval(c[0], time.Hour)
	l.approval(c[1], time.Hour)
	l.say("d", &switchboard.ToolDecision{CallID: string(c[0]), Decision: switchboard.Approve})
	l.say("s", &switchboard.StopAgent{RunID: string(run1)})
	for _, p := range []switchboard.MessagePayload{
		&switchboard.StopAgent{RunID: string(run1)},
		&switchboard.ToolDecision{CallID: string(c[0]), Decision: switchboard.Deny}, &switchboard.ToolDecision{CallID: string(c[1]), Decision: switchboard.Approve},
	} {
		if _, err := l.s.Accept(request("x", p), rules()); switchboard.CodeOf(err) != switchboard.Conflict {
			t.Errorf("%s: %v", p.MessageType(), err)
		}
	}
}

// scriptedLog answers appends as it is told, and stores those that are.
type scriptedLog struct {
	l       *tape
	answers []error // of the appends, in order; nil: stored
	lost    bool    // an ErrUnknown was stored nevertheless
	pending []thread.Entry
}

func (s *scriptedLog) Append(_ context.Context, _ switchboard.UserID, d thread.Draft, at thread.Position) (thread.Entry, error) {
	var err error
	if len(s.answers) > 0 {
		err, s.answers = s.answers[0], s.answers[1:]
	}
	e := thread.Entry{User: alice, Seq: at.Seq + 1, Event: d.Event, Header: d.Header}
	if err == nil {
		return e, nil
	}
	if s.lost {
		s.pending = append(s.pending, e)
	}
	return thread.Entry{}, err
}

func (s *scriptedLog) Read(context.Context, switchboard.UserID, switchboard.ThreadID, thread.Position) ([]thread.Entry, error) {
	p := s.pending
	s.pending = nil
	return p, nil
}

// TestPut stores once, whatever the log says.
func TestPut(t *testing.T) {
	draft := func(l *tape) thread.Draft {
		v, err := l.s.Accept(request("m1", &switchboard.UserMessage{Text: "x"}), rules())
		if err != nil {
			t.Fatal(err)
		}
		return *v.Draft
	}
	foreign := thread.Entry{User: alice, Seq: 1, Header: thread.Header{N: 1, Append: "foreign"}, Event: switchboard.Event{
		Type: switchboard.ThreadRenamed, ThreadID: home, Payload: &switchboard.ThreadRenamedEvent{Title: "x"}}}
	for _, c := range []struct {
		name   string
		log    scriptedLog
		stored bool
		n      uint64
		code   switchboard.Code
	}{
		{"stored", scriptedLog{}, true, 1, ""},
		{"another wrote first", scriptedLog{answers: []error{thread.ErrConflict}, pending: []thread.Entry{foreign}}, false, 1, ""},
		{"unknown, stored", scriptedLog{answers: []error{thread.ErrUnknown}, lost: true}, true, 1, ""},
		{"unknown, not stored, then stored", scriptedLog{answers: []error{thread.ErrUnknown}}, true, 1, ""},
		{"unknown for ever", scriptedLog{answers: slices.Repeat([]error{thread.ErrUnknown}, 100)}, false, 0, switchboard.Unavailable},
		{"a conflict that is not seen", scriptedLog{answers: slices.Repeat([]error{thread.ErrConflict}, 100)}, false, 0, switchboard.Unavailable},
		{"refused", scriptedLog{answers: []error{switchboard.Errorf(switchboard.TooLarge, "no")}}, false, 0, switchboard.TooLarge},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := newTape(t)
			stored, err := l.s.Put(t.Context(), &c.log, draft(l))
			if stored != c.stored || switchboard.CodeOf(err) != c.code || l.s.N != c.n {
				t.Errorf("%s: stored %v, %v, n %d", c.name, stored, err, l.s.N)
			}
		})
	}
}
