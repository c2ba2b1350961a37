package thread_test

import (
	"testing"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// TestFrames: an agent asks another one, which asks a third and hands over to a fourth; each answer reaches the call of
// the one that asked, and everybody's steps and tokens are counted.
func TestFrames(t *testing.T) {
	l := newTape(t)
	run := l.ask("m", "")
	l.start(run)
	at := func(agent string, below, step, open int) {
		t.Helper()
		r := l.s.Run(run)
		if r.Agent != agent || len(r.Below) != below || r.Step.N != step || r.Open() != open {
			t.Fatalf("%s is at work above %d in step %d, next is %d", r.Agent, len(r.Below), r.Step.N, r.Open())
		}
	}
	at("assistant", 0, 0, 1)
	first := l.calls(run, 1, 2)
	l.done(first[0])
	l.begin(first[1])
	l.hand(run, "b", thread.Note{Ask: first[1]})
	at("b", 1, 0, 2)
	second := l.calls(run, 2, 1)
	l.begin(second[0])
	l.hand(run, "c", thread.Note{Ask: second[0]})
	at("c", 2, 0, 3)
	if r := l.s.Run(run); !r.Has("assistant") || !r.Waits("b") || r.Waits("c") || r.Has("d") || !r.Call(first[1]).Started || r.Call(second[0]).Done {
		t.Errorf("the stack is %+v", r.Below)
	}
	l.done(l.calls(run, 3, 1)[0])
	l.hand(run, "d", thread.Note{})
	at("d", 2, 3, 4)
	if !l.s.Run(run).Step.Handed {
		t.Error("the handing over is forgotten")
	}
	l.add(run, &switchboard.AgentMessageEvent{MessageID: "m4", Step: 4, Text: "half"}, thread.Header{Note: thread.Note{Failed: "it broke"}})
	l.hand(run, "b", thread.Note{Back: true})
	at("b", 1, 2, 5)
	if a := l.s.Run(run).Call(second[0]).Answer; a == nil || a.Text != "half" || a.Failed != "it broke" {
		t.Errorf("b is answered %+v", a)
	}
	l.end(second[0])
	l.add(run, &switchboard.AgentMessageEvent{MessageID: "m5", Step: 5, Text: "whole"}, thread.Header{})
	l.hand(run, "assistant", thread.Note{Back: true})
	at("assistant", 0, 1, 6)
	r := l.s.Run(run)
	if c := r.Call(first[1]); c.Answer.Text != "whole" || c.Done || c.Started == false {
		t.Errorf("the first call is %+v", c)
	}
	if r.Usage.InputTokens != 30 || r.Own["b"].Steps != 2 || r.Own["c"].Usage.InputTokens != 10 || r.Own["d"].Steps != 1 || r.Steps != 5 {
		t.Errorf("spent %+v, by each %+v", r.Spent, r.Own)
	}
	if _, err := l.s.Accept(request("x", &switchboard.ToolDecision{CallID: string(run.Call(3, 0)), Decision: "deny"}), rules()); switchboard.CodeOf(err) != switchboard.Conflict {
		t.Errorf("a late decision: %v", err)
	}
}

// TestDrafts: an answer that is to be written anew ends nothing.
func TestDrafts(t *testing.T) {
	l := newTape(t)
	run := l.ask("m", "")
	l.start(run)
	l.add(run, &switchboard.AgentMessageEvent{MessageID: "m1", Step: 1, Text: "a draft"}, thread.Header{Note: thread.Note{Advice: "shorter"}})
	if r := l.s.Run(run); r == nil || r.Drafts != 1 || r.Step.Advice != "shorter" || r.Open() != 2 {
		t.Errorf("after a draft: %+v", r)
	}
}

// TestTitle: an agent's title is neither a person's entry nor an id, and ends nobody's rest. A person's id may be the same.
func TestTitle(t *testing.T) {
	l := newTape(t)
	run := l.ask("m", "")
	l.start(run)
	l.complete(run)
	if l.s.Named {
		t.Error("a first message counts as a title")
	}
	in := l.s.In
	l.title(run, "Of cats")
	if !l.s.Named || l.s.Summary.Title != "Of cats" || l.s.In != in || l.s.Duty != 0 || len(l.s.IDs) != 1 || l.s.Total.OutputTokens != 2 {
		t.Errorf("after a title: %+v", l.s)
	}
	l.say(switchboard.FrameID("title."+string(run)), &switchboard.RenameThread{Title: "Of dogs"})
	if l.s.Summary.Title != "Of dogs" || l.s.In != in+1 {
		t.Errorf("after a person's: %+v", l.s.Summary)
	}
}

// TestKeep: what an agent that sums up has not summed up is remembered, within a bound; then what follows the summary.
func TestKeep(t *testing.T) {
	l := newTape(t)
	l.pad = thread.WindowBytes / 4
	turn := func(note thread.Note) (n uint64) {
		run := l.ask(switchboard.FrameID("m"+string(rune('0'+len(l.all)))), "")
		l.add(run, &switchboard.AgentStartedEvent{Agent: "assistant", Attempt: 1}, thread.Header{Wake: l.s.Duty, Delivery: 1, Note: thread.Note{Keep: true}})
		if note.Covers > 0 {
			l.add(run, &switchboard.AgentThinkingEvent{MessageID: "s", Step: 1, Source: "agent", Text: "sum"}, thread.Header{Note: note})
		}
		l.complete(run)
		return l.s.N
	}
	var ends []uint64
	for range 8 {
		ends = append(ends, turn(thread.Note{}))
	}
	if l.s.Window.Start.N != 0 {
		t.Errorf("begins at %d, and nothing is summed up", l.s.Window.Start.N)
	}
	covers := ends[5]
	turn(thread.Note{Covers: covers})
	for range 3 {
		turn(thread.Note{})
	}
	if s := l.s.Window.Start.N; s == 0 || s > covers {
		t.Errorf("begins at %d, and the thread is summed up to %d", s, covers)
	}
	for range 60 {
		turn(thread.Note{})
	}
	if s := l.s.Window.Start.N; s <= covers {
		t.Errorf("begins at %d for ever", s)
	}
}

// TestUsage: a list sums up what all threads have cost, whatever becomes of them.
func TestUsage(t *testing.T) {
	l := newTape(t)
	run := l.ask("m", "")
	l.start(run)
	l.calls(run, 1, 0)
	x := thread.NewIndex(l.all)
	other := head("b", 4, 1<<40, "", true)
	other.Header.Total = switchboard.Usage{InputTokens: 5}
	x.Apply(other)
	if u := x.Usage(); u != (switchboard.Usage{InputTokens: 15, OutputTokens: 1}) {
		t.Errorf("used %+v", u)
	}
	l.say("gone", &switchboard.DeleteThread{})
	x.Apply(l.all[len(l.all)-1])
	if u := x.Usage(); u.InputTokens != 15 {
		t.Errorf("used %+v once the thread is gone", u)
	}
}
