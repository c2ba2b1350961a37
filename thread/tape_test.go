package thread_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

var (
	alice = switchboard.NewUserID("test", "", "alice")
	home  = switchboard.NewThreadID(alice, "home")
	noon  = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	run1  = home.Run(1)
)

// tape writes the log of one thread by hand and folds it; sequences have gaps, as in a shared shard.
type tape struct {
	t   *testing.T
	s   *thread.State
	seq uint64
	all []thread.Entry
	pad int // size of each entry
}

func newTape(t *testing.T) *tape { return &tape{t: t, s: thread.NewState(alice, home)} }

// add appends an event with what the fold needs of a header, and returns its sequence.
func (l *tape) add(run switchboard.RunID, p switchboard.EventPayload, h thread.Header) uint64 {
	l.t.Helper()
	l.seq += 3
	n := l.s.N + 1
	d := thread.Draft{Header: h, Event: switchboard.Event{
		Type: p.EventType(), ThreadID: home, RunID: run, N: n, Time: switchboard.At(noon.Add(time.Duration(l.seq) * time.Second)), Payload: p,
	}}
	if d.Event.Type == switchboard.ThreadDeleted {
		d.Event.N = 0
	}
	d.Header.N, d.Header.Chain = n, fmt.Sprintf("chain%d", n)
	l.s.Preview(&d)
	e := thread.Entry{User: alice, Seq: l.seq, Event: d.Event, Header: d.Header, Data: make([]byte, l.pad)}
	l.s.Apply(e)
	if l.s.Summary != e.Header.Summary {
		l.t.Errorf("%s: the preview said %+v, the fold %+v", p.EventType(), e.Header.Summary, l.s.Summary)
	}
	l.all = append(l.all, e)
	return l.seq
}

// say accepts a message as a router does, and returns its run.
func (l *tape) say(id switchboard.FrameID, p switchboard.MessagePayload) switchboard.RunID {
	l.t.Helper()
	v, err := l.s.Accept(request(id, p), rules())
	if err != nil || v.Draft == nil {
		l.t.Fatalf("%s: %+v, %v", id, v, err)
	}
	l.add(v.Draft.Event.RunID, v.Draft.Event.Payload, v.Draft.Header)
	return v.Ack.RunID
}

func (l *tape) ask(id switchboard.FrameID, busy switchboard.OnBusy) switchboard.RunID {
	l.t.Helper()
	return l.say(id, &switchboard.UserMessage{Text: "text of " + string(id), OnBusy: busy})
}

func (l *tape) start(run switchboard.RunID) uint64 {
	l.t.Helper()
	return l.add(run, &switchboard.AgentStartedEvent{Agent: "assistant", Attempt: 1}, thread.Header{Worker: "w1", Wake: l.s.Duty, Delivery: 1})
}

// calls records a step of a run with so many calls.
func (l *tape) calls(run switchboard.RunID, step, n int) []switchboard.CallID {
	l.t.Helper()
	l.add(run, &switchboard.AgentThinkingEvent{MessageID: run.Message(1, step), Step: step, Source: "agent", Text: "…"}, thread.Header{})
	p := &switchboard.AgentMessageEvent{MessageID: run.Message(1, step), Step: step}
	var ids []switchboard.CallID
	for i := range n {
		ids = append(ids, run.Call(step, i))
		p.Calls = append(p.Calls, switchboard.Call{CallID: ids[i], Tool: "fetch", Arguments: json.RawMessage(`{}`)})
	}
	l.add(run, p, thread.Header{Usage: switchboard.Usage{InputTokens: 10, OutputTokens: 1}})
	return ids
}

func (l *tape) approval(c switchboard.CallID, after time.Duration) {
	l.t.Helper()
	l.add(c.Run(), &switchboard.ToolApprovalRequiredEvent{CallID: c, Tool: "fetch", Expires: switchboard.At(noon.Add(after))}, thread.Header{})
}

func (l *tape) done(c switchboard.CallID) {
	l.t.Helper()
	l.begin(c)
	l.end(c)
}

func (l *tape) begin(c switchboard.CallID) {
	l.t.Helper()
	l.add(c.Run(), &switchboard.ToolExecutingEvent{CallID: c, Tool: "fetch"}, thread.Header{})
}

func (l *tape) end(c switchboard.CallID) {
	l.t.Helper()
	l.add(c.Run(), &switchboard.ToolCompletedEvent{CallID: c, Tool: "fetch", Status: switchboard.CallOK}, thread.Header{})
}

// hand lets another agent be at work.
func (l *tape) hand(run switchboard.RunID, to string, note thread.Note) {
	l.t.Helper()
	l.add(run, &switchboard.AgentHandoffEvent{From: l.s.Run(run).Agent, To: to}, thread.Header{Note: note})
}

// title lets an agent name the thread.
func (l *tape) title(run switchboard.RunID, title string) {
	l.t.Helper()
	l.add(run, &switchboard.ThreadRenamedEvent{ID: switchboard.FrameID("title." + string(run)), Title: title}, thread.Header{Usage: switchboard.Usage{OutputTokens: 2}})
}

func (l *tape) complete(run switchboard.RunID) {
	l.t.Helper()
	l.add(run, &switchboard.AgentCompletedEvent{MessageID: run.Message(1, 1), Text: "the answer"}, thread.Header{})
}

// next checks what the thread needs and who must do it.
func (l *tape) next(want thread.Action, run switchboard.RunID, duty uint64) {
	l.t.Helper()
	got, r := l.s.Next()
	id := switchboard.RunID("")
	if r != nil {
		id = r.ID
	}
	if got != want || id != run || l.s.Duty != duty {
		l.t.Errorf("next is %v of %q with duty %d, not %v of %q with duty %d", got, id, l.s.Duty, want, run, duty)
	}
	if l.s.AtRest() != (want == thread.Nothing) {
		l.t.Error("rest and next disagree")
	}
}

func request(id switchboard.FrameID, p switchboard.MessagePayload) thread.Request {
	return thread.Request{ID: id, Payload: p, Time: noon}
}

func rules() thread.Rules {
	l := switchboard.DefaultLimits()
	l.QueuedRunsPerUser = 5
	return thread.Rules{Limits: l, DefaultAgent: "assistant", HasAgent: func(n string) bool { return n == "assistant" || n == "other" }}
}
