package crash

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/probe"
	"github.com/netra-systems/switchboard/thread"
)

var ann, bob = switchboard.NewUserID("test", "", "ann"), switchboard.NewUserID("test", "", "bob")

// began is when the recorded histories begin.
var began = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const answer = "The whole answer."

// recorded returns a history in which nothing is wrong: two users, each with a thread of two runs, the second of which
// was taken over after its worker was killed; two devices each.
func recorded(t *testing.T) *history {
	t.Helper()
	h := &history{
		sent:   map[switchboard.FrameID]*sent{},
		log:    map[switchboard.UserID]map[switchboard.ThreadID][]thread.Entry{},
		pages:  map[switchboard.UserID]map[switchboard.ThreadID][]line{},
		faults: []fault{{at: began.Add(10 * time.Second), until: began.Add(11 * time.Second), kind: "kill", worker: "n1.1"}},
	}
	for _, u := range []switchboard.UserID{ann, bob} {
		id := switchboard.NewThreadID(u, "m1")
		var entries []thread.Entry
		add := func(run switchboard.RunID, worker string, after time.Duration, p switchboard.EventPayload) {
			n := uint64(len(entries) + 1)
			entries = append(entries, thread.Entry{
				User: u, Seq: n, Header: thread.Header{N: n, Worker: worker},
				Event: switchboard.Event{Type: p.EventType(), ThreadID: id, RunID: run, N: n, Time: switchboard.At(began.Add(after)), Payload: p},
			})
		}
		for i, worker := range []string{"n1.1", "n2.1"} {
			run := id.Run(uint64(len(entries) + 1))
			m := switchboard.FrameID(fmt.Sprintf("m%d-of-%s", i+1, u))
			h.sent[m] = &sent{user: u, message: switchboard.Message{ID: m}, script: script{name: "text", want: answer, sound: true},
				acks: []switchboard.Ack{{ThreadID: id, RunID: run, N: run.N()}}}
			add(run, "", 0, &switchboard.UserMessageEvent{ID: m, RunID: run, Text: "?"})
			add(run, "n1.1", time.Second, &switchboard.AgentStartedEvent{Attempt: 1})
			if i == 1 {
				add(run, worker, 15*time.Second, &switchboard.AgentResumedEvent{Attempt: 2, Reason: switchboard.ResumedTakeover})
			}
			add(run, worker, 16*time.Second, &switchboard.AgentThinkingEvent{Text: "…"})
			add(run, worker, 17*time.Second, &switchboard.AgentCompletedEvent{Text: answer})
		}
		h.log[u] = map[switchboard.ThreadID][]thread.Entry{id: entries}
		h.tell(t, u)
	}
	return h
}

// tell lets pages and devices of a user hold what the log does.
func (h *history) tell(t *testing.T, u switchboard.UserID) {
	t.Helper()
	var lines []line
	id := switchboard.NewThreadID(u, "m1")
	for _, e := range h.log[u][id] {
		l, err := lineOf(e.Event)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
	h.pages[u] = map[switchboard.ThreadID][]line{id: lines}
	h.views = slices.DeleteFunc(h.views, func(v view) bool { return v.user == u })
	for i := range 2 {
		h.views = append(h.views, view{name: fmt.Sprint("device ", i+1), user: u, threads: map[switchboard.ThreadID][]line{id: slices.Clone(lines)}})
	}
}

// edit changes the entries of ann's thread.
func (h *history) edit(change func([]thread.Entry) []thread.Entry) {
	id := switchboard.NewThreadID(ann, "m1")
	entries := change(h.log[ann][id])
	for i := range entries {
		entries[i].Header.N, entries[i].Event.N = uint64(i+1), uint64(i+1)
	}
	h.log[ann][id] = entries
}

// at returns the place of the k-th event of a type, from 0.
func at(entries []thread.Entry, typ switchboard.EventType, k int) int {
	for i, e := range entries {
		if e.Event.Type == typ {
			if k--; k < 0 {
				return i
			}
		}
	}
	return -1
}

func TestNothingIsFoundWhereNothingIsWrong(t *testing.T) {
	v := judge(recorded(t))
	if len(v.violations) > 0 || v.acknowledged != 4 || v.runs != 4 || v.completed != 4 || len(v.clean) != 2 || v.clean[0] != 5*time.Second {
		t.Errorf("%+v", v)
	}
}

// TestEveryViolationIsFound plants what each checker is for.
func TestEveryViolationIsFound(t *testing.T) {
	first := switchboard.FrameID("m1-of-" + string(ann))
	last := switchboard.FrameID("m2-of-" + string(ann))
	inLog := func(change func([]thread.Entry) []thread.Entry) func(*testing.T, *history) {
		return func(t *testing.T, h *history) { h.edit(change); h.tell(t, ann) }
	}
	for name, test := range map[string]struct {
		want  string // a kind
		plant func(*testing.T, *history)
		count func(*verdict) int // a figure that must be 1
	}{
		"a lost ack": {"lost", func(t *testing.T, h *history) {
			h.sent["gone"] = &sent{user: ann, acks: []switchboard.Ack{{N: 1}}}
		}, func(v *verdict) int { return v.lost }},
		"a duplicate run": {"duplicated", inLog(func(es []thread.Entry) []thread.Entry {
			run := es[0].Event.ThreadID.Run(uint64(len(es) + 1))
			for _, e := range es[:at(es, switchboard.AgentCompleted, 0)+1] {
				e.Event.RunID = run
				if p, ok := e.Event.Payload.(*switchboard.UserMessageEvent); ok {
					again := *p
					again.RunID, e.Event.Payload = run, &again
				}
				es = append(es, e)
			}
			return es
		}), func(v *verdict) int { return v.duplicated }},
		"a message of nobody":    {"unexpected", func(t *testing.T, h *history) { delete(h.sent, last) }, func(v *verdict) int { return v.unexpected }},
		"another user's message": {"unexpected", func(t *testing.T, h *history) { h.sent[last].user = bob }, func(v *verdict) int { return v.unexpected }},
		"a device that does not know of a deletion": {"views differ", func(t *testing.T, h *history) {
			id := switchboard.NewThreadID(ann, "m1")
			e := switchboard.Event{Type: switchboard.ThreadDeleted, ThreadID: id, Time: switchboard.At(began), Payload: &switchboard.ThreadDeletedEvent{ID: "d"}}
			h.log[ann][id] = []thread.Entry{{User: ann, Event: e, Header: thread.Header{N: 99}}}
			h.sent["d"] = &sent{user: ann}
		}, nil},
		"acks that differ": {"acks differ", func(t *testing.T, h *history) {
			h.sent[first].acks = append(h.sent[first].acks, switchboard.Ack{ThreadID: h.sent[first].acks[0].ThreadID, RunID: "x.9", N: 9})
		}, nil},
		"two first acks": {"two first acks", func(t *testing.T, h *history) {
			h.sent[first].acks = append(h.sent[first].acks, h.sent[first].acks[0])
		}, nil},
		"refused and stored": {"refused and stored", func(t *testing.T, h *history) {
			h.sent[last].acks, h.sent[last].refused = nil, switchboard.Errorf(switchboard.Conflict, "busy")
		}, nil},
		"two terminals": {"grammar", inLog(func(es []thread.Entry) []thread.Entry { return append(es, es[len(es)-1]) }), nil},
		"no terminal":   {"no end", inLog(func(es []thread.Entry) []thread.Entry { return es[:len(es)-1] }), nil},
		"a run without a message": {"run of nobody", inLog(func(es []thread.Entry) []thread.Entry {
			e := es[1]
			e.Event.RunID = e.Event.ThreadID.Run(99)
			return append(es, e)
		}), nil},
		"a message taken after its own run": {"taken twice", inLog(func(es []thread.Entry) []thread.Entry {
			taken := es[at(es, switchboard.AgentThinking, 1)]
			taken.Event.Type, taken.Event.Payload = switchboard.MessagesTaken, &switchboard.MessagesTakenEvent{IDs: []switchboard.FrameID{first}}
			return slices.Insert(es, len(es)-1, taken)
		}), nil},
		"a half answer": {"half an answer", inLog(func(es []thread.Entry) []thread.Entry {
			es[len(es)-1].Event.Payload = &switchboard.AgentCompletedEvent{Text: "The whole"}
			return es
		}), nil},
		"an answer of a model that broke": {"half an answer", func(t *testing.T, h *history) { h.sent[last].script = script{never: true} }, nil},
		"failed for nothing": {"failed for nothing", inLog(func(es []thread.Entry) []thread.Entry {
			es[len(es)-1].Event.Type, es[len(es)-1].Event.Payload = switchboard.AgentFailed, &switchboard.AgentFailedEvent{Code: switchboard.AgentError}
			return es
		}), nil},
		"a zombie write": {"zombie write", inLog(func(es []thread.Entry) []thread.Entry {
			es[at(es, switchboard.AgentThinking, 1)].Header.Worker = "n1.1"
			return es
		}), func(v *verdict) int { return v.zombieWrites }},
		"a late takeover": {"late takeover", inLog(func(es []thread.Entry) []thread.Entry {
			es[at(es, switchboard.AgentResumed, 0)].Event.Time = switchboard.At(began.Add(26 * time.Second))
			return es
		}), nil},
		"a reordered device list": {"views differ", func(t *testing.T, h *history) {
			lines := h.views[0].threads[switchboard.NewThreadID(ann, "m1")]
			lines[2], lines[3] = lines[3], lines[2]
		}, nil},
		"a device that lacks an event": {"views differ", func(t *testing.T, h *history) {
			id := switchboard.NewThreadID(ann, "m1")
			h.views[0].threads[id] = h.views[0].threads[id][:3]
		}, nil},
		"a device with a foreign thread": {"views differ", func(t *testing.T, h *history) {
			h.views[0].threads[switchboard.NewThreadID(bob, "m1")] = nil
		}, nil},
		"a page that differs": {"views differ", func(t *testing.T, h *history) { h.pages[ann][switchboard.NewThreadID(ann, "m1")][0].n = 7 }, nil},
		"a hole in n": {"gap", func(t *testing.T, h *history) {
			es := h.log[ann][switchboard.NewThreadID(ann, "m1")]
			es[3].Event.N, es[3].Header.N = 40, 40
		}, nil},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			h := recorded(t)
			test.plant(t, h)
			v := judge(h)
			if !slices.ContainsFunc(v.violations, func(x violation) bool { return x.kind == test.want }) {
				t.Errorf("%q was not found: %+v", test.want, v.violations)
			}
			if test.count != nil && test.count(v) != 1 {
				t.Errorf("it is counted %d times", test.count(v))
			}
		})
	}
}

// TestDevicesFindViolations plants what a device must find in what it receives.
func TestDevicesFindViolations(t *testing.T) {
	id := switchboard.NewThreadID(ann, "m1")
	event := func(n uint64, p switchboard.EventPayload) []byte {
		b, err := switchboard.EncodeEvent(switchboard.Event{Type: p.EventType(), ThreadID: id, RunID: id.Run(1), N: n, Cursor: "e.1.c", Time: switchboard.At(began), Payload: p})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	message := func(text string) *switchboard.UserMessageEvent {
		return &switchboard.UserMessageEvent{ID: "m1", RunID: id.Run(1), Text: text}
	}
	hello := func(u switchboard.UserID, r *switchboard.Resync) []byte {
		return switchboard.EncodeNotice(switchboard.TypeConnectionEstablished, switchboard.ConnectionEstablished{User: switchboard.User{ID: u}, Resync: r})
	}
	words := probe.NewLedger()
	own, foreign := words.Begin(probe.Owner{User: ann, Run: 1}, "m1"), words.Begin(probe.Owner{User: bob, Run: 1}, "m2")
	for want, frames := range map[string][][]byte{
		"":                 {hello(ann, nil), event(1, message(own)), event(2, &switchboard.AgentStartedEvent{}), event(2, &switchboard.AgentStartedEvent{})},
		"leak":             {hello(ann, nil), event(1, message("of bob: "+foreign))},
		"gap":              {hello(ann, nil), event(1, message(own)), event(3, &switchboard.AgentStartedEvent{})},
		"changed event":    {hello(ann, nil), event(1, message(own)), event(1, message("another"))},
		"resync":           {hello(ann, &switchboard.Resync{Reason: "restored"})},
		"unreadable frame": {hello(ann, nil), []byte("{")},
	} {
		d := newDevice(nil, words, "a device", "")
		for _, f := range frames {
			d.receive(f)
		}
		if got := d.view().wrong; (len(got) > 0) != (want != "") || want != "" && got[0].kind != want {
			t.Errorf("%q: %+v", want, got)
		}
	}
	d := newDevice(nil, words, "a device", "")
	d.receive(hello(ann, nil))
	d.receive(hello(bob, nil))
	d.texts["x"], d.texts["y"] = "The wh", "the wh"
	d.compare("x", answer)
	d.compare("y", answer)
	if got := d.view().wrong; len(got) != 2 || got[0].kind != "leak" || got[1].kind != "deltas differ" {
		t.Errorf("%+v", got)
	}
}
