package delivery

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

var (
	alice, bob = switchboard.NewUserID("test", "", "alice"), switchboard.NewUserID("test", "", "bob")
	home       = switchboard.NewThreadID(alice, "home")
	run        = home.Run(1)
)

// TestWants gives a device no delta before its attempt's start, none of an older attempt, none of what is final.
func TestWants(t *testing.T) {
	say := func(p switchboard.EventPayload) switchboard.Event {
		return switchboard.Event{Type: p.EventType(), ThreadID: home, RunID: run, Payload: p}
	}
	delta := func(attempt int, kind switchboard.DeltaKind, step int) *switchboard.Delta {
		p := switchboard.DeltaPayload{Attempt: attempt, Kind: kind, MessageID: run.Message(attempt, step), Count: 1}
		if kind == switchboard.DeltaToolArguments || kind == switchboard.DeltaToolProgress {
			p.MessageID, p.CallID = "", run.Call(step, 0)
		}
		return &switchboard.Delta{ThreadID: home, RunID: run, Payload: p}
	}
	v := view{}
	for i, c := range []struct {
		event                         switchboard.EventPayload // given first; nil: none
		attempt, step                 int
		text, thinking, arguments, up bool // which deltas are wanted then
	}{
		{nil, 1, 1, false, false, false, false},
		{&switchboard.AgentStartedEvent{Attempt: 1}, 1, 1, true, true, true, true},
		{nil, 2, 1, false, false, false, false},
		{&switchboard.AgentThinkingEvent{MessageID: run.Message(1, 1), Source: "agent"}, 1, 1, true, true, true, true},
		{&switchboard.AgentThinkingEvent{MessageID: run.Message(1, 1), Source: "model"}, 1, 1, true, false, true, true},
		{&switchboard.AgentMessageEvent{MessageID: run.Message(1, 1), Step: 1}, 1, 1, false, false, false, true},
		{nil, 1, 2, true, true, true, true},
		{&switchboard.AgentResumedEvent{Attempt: 2}, 1, 2, false, false, false, false},
		{nil, 2, 2, true, true, true, true},
		{&switchboard.AgentCompletedEvent{MessageID: run.Message(2, 2)}, 2, 2, false, false, false, false},
	} {
		if c.event != nil {
			v.event(say(c.event))
		}
		got := [4]bool{
			v.wants(delta(c.attempt, switchboard.DeltaText, c.step)), v.wants(delta(c.attempt, switchboard.DeltaThinking, c.step)),
			v.wants(delta(c.attempt, switchboard.DeltaToolArguments, c.step)), v.wants(delta(c.attempt, switchboard.DeltaToolProgress, c.step)),
		}
		if want := [4]bool{c.text, c.thinking, c.arguments, c.up}; got != want {
			t.Errorf("row %d: %v, not %v", i, got, want)
		}
	}
	v.event(say(&switchboard.AgentStartedEvent{Attempt: 1}))
	v.event(switchboard.Event{Type: switchboard.ThreadDeleted, ThreadID: home, Payload: &switchboard.ThreadDeletedEvent{}})
	if len(v) != 0 {
		t.Error("a run of a deleted thread is kept")
	}
}

// past is a journal that replays what it is given; done, if set, is called at the end of each replay.
type past struct {
	Journal
	entries []thread.Entry
	done    func()
}

func (p *past) Replay(_ switchboard.UserID, _ []*thread.Row, after, upTo uint64) func(context.Context) (thread.Entry, bool, error) {
	i := 0
	return func(context.Context) (thread.Entry, bool, error) {
		for ; i < len(p.entries); i++ {
			if e := p.entries[i]; e.Seq > after && e.Seq <= upTo {
				i++
				return e, true, nil
			}
		}
		if p.done != nil {
			p.done()
		}
		return thread.Entry{}, false, nil
	}
}

func (p *past) Snapshot(context.Context, switchboard.UserID, switchboard.RunID) ([][]byte, error) {
	return nil, nil
}

func (p *past) At(_ context.Context, _ switchboard.UserID, seq uint64) (thread.Entry, bool, error) {
	return thread.Entry{Seq: seq, Header: thread.Header{Chain: "c"}}, true, nil
}

type still struct{ Feed }

func (still) Position() uint64 { return 0 }

func entry(seq uint64) thread.Entry {
	row := switchboard.ThreadSummary{ThreadID: home, Created: switchboard.At(time.Unix(1, 0))}
	return thread.Entry{User: alice, Seq: seq, Data: []byte(`{"type":"thread_renamed"}`), Header: thread.Header{N: seq, Chain: "c", Summary: row},
		Event: switchboard.Event{Type: switchboard.ThreadRenamed, ThreadID: home, N: seq, Payload: &switchboard.ThreadRenamedEvent{}}}
}

func tombstone(seq uint64) thread.Entry {
	e := entry(seq)
	e.Data, e.Header.Summary.Created = []byte(`{"type":"thread_deleted"}`), switchboard.Time{}
	e.Event = switchboard.Event{Type: switchboard.ThreadDeleted, ThreadID: home, Payload: &switchboard.ThreadDeletedEvent{}}
	return e
}

// open returns an outbox of alice on a tail without a feed: tests give its entries by hand.
func open(log *bytes.Buffer, p *past, frames int) *Outbox {
	l := switchboard.DefaultLimits()
	l.OutboxFrames = frames
	b := New(Config{Journal: p, Epoch: "e", Limits: l, Log: slog.New(slog.NewTextHandler(log, nil))})
	o := newOutbox(newTail(b, still{}), alice)
	o.a = &audience{user: alice, index: thread.NewIndex(nil), devices: map[*Outbox]struct{}{o: {}}, uses: 1, ears: 1, ignore: func() {}}
	o.t.users[alice] = o.a
	return o
}

func counted(t *testing.T, c prometheus.Counter) float64 {
	t.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(c)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families[0].GetMetric()[0].GetCounter().GetValue()
}

// TestCrossedLine plants a frame of another user: it is dropped, counted and logged.
func TestCrossedLine(t *testing.T) {
	var log bytes.Buffer
	o := open(&log, &past{}, 10)
	o.push(item{user: bob, frame: []byte("a secret of bob")})
	o.push(item{user: alice, frame: []byte("mine")})
	f, err := o.Next(t.Context())
	if err != nil || string(f) != "mine" {
		t.Errorf("%q %v", f, err)
	}
	if n := counted(t, o.t.b.crossed); n != 1 {
		t.Errorf("counted %v", n)
	}
	if s := log.String(); !strings.Contains(s, "ERROR") || strings.Contains(s, "secret") {
		t.Errorf("logged %q", s)
	}
}

// TestSlow drops deltas first, and closes the device when events do not fit.
func TestSlow(t *testing.T) {
	o := open(new(bytes.Buffer), &past{}, 3)
	for range 5 {
		o.push(item{user: alice, frame: []byte("d"), delta: &switchboard.Delta{}})
	}
	for seq := range uint64(3) {
		o.t.entry(entry(seq + 1))
	}
	if o.end != nil || len(o.live) != 3 || o.live[0].event == nil {
		t.Fatalf("deltas kept events out: %v", o.end)
	}
	o.t.entry(entry(4))
	_, err := o.Next(t.Context())
	if switchboard.CodeOf(err) != switchboard.Slow || counted(t, o.t.b.slow) != 1 {
		t.Errorf("ended with %v", err)
	}
	o.Close()
	o.Close()
	if err := o.Reply(t.Context(), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a reply to a closed device: %v", err)
	}
}

// TestNotify gives a notice to the devices that are subscribed; one that does not read has it dropped, one that has left
// is forgotten.
func TestNotify(t *testing.T) {
	o := open(new(bytes.Buffer), &past{}, 10)
	other := newOutbox(o.t, alice)
	b := o.t.b
	b.Notify([]byte("to nobody"))
	o.Subscribe(true)
	b.Notify([]byte("first"))
	if f, err := o.Next(t.Context()); string(f) != "first" || err != nil {
		t.Fatalf("%q %v", f, err)
	}
	if len(other.replies) > 0 {
		t.Errorf("another device was given %q", other.replies)
	}
	for range maxReplies + 5 {
		b.Notify([]byte("flood"))
	}
	if len(o.replies) != maxReplies {
		t.Errorf("%d frames wait for a device that does not read", len(o.replies))
	}
	o.Subscribe(false)
	if len(b.subscribers.all) != 0 {
		t.Error("still subscribed")
	}
	o.Subscribe(true)
	o.Close()
	if len(b.subscribers.all) != 0 {
		t.Error("a device that has left is kept")
	}
	o.Subscribe(true)
	if b.Notify([]byte("late")); len(b.subscribers.all) != 0 || len(o.replies) != 0 {
		t.Error("a device that has left has subscribed")
	}
}

// TestHeld holds the stream until the reply: notices do not release it.
func TestHeld(t *testing.T) {
	o := open(new(bytes.Buffer), &past{}, 10)
	o.t.entry(entry(1))
	if _, err := o.Resume(t.Context(), switchboard.Place{Epoch: "e", Seq: 1, Check: "c"}.Cursor()); err != nil {
		t.Fatal(err)
	}
	o.t.entry(entry(2))
	o.Notice(t.Context(), []byte("notice"))
	if f, err := o.Next(t.Context()); string(f) != "notice" || err != nil {
		t.Fatalf("%q %v", f, err)
	}
	if _, ok, err := o.stream(t.Context()); ok || err != nil {
		t.Fatalf("the notice released the stream: %v", err)
	}
	o.Reply(t.Context(), []byte("reply"))
	for _, want := range []string{"reply", "caught_up", "thread_renamed"} {
		if f, err := o.Next(t.Context()); !strings.Contains(string(f), want) || err != nil {
			t.Errorf("%q %v, not %s", f, err, want)
		}
	}
}

// TestOverflow replays again what did not fit behind a replay: every event once, in order.
func TestOverflow(t *testing.T) {
	p := &past{}
	o := open(new(bytes.Buffer), p, 4)
	next := uint64(0)
	grow := func(n int) {
		for range n {
			next++
			p.entries = append(p.entries, entry(next))
			o.t.entry(entry(next))
		}
	}
	grow(1)
	p.done = func() {
		if next < 30 {
			grow(9)
		}
	}
	if _, err := o.Resume(t.Context(), switchboard.Place{Epoch: "e", Seq: 1, Check: "c"}.Cursor()); err != nil {
		t.Fatal(err)
	}
	o.Reply(t.Context(), []byte("reply"))
	seen := 1
	for uint64(seen) < next || next < 30 {
		f, err := o.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(f), "thread_renamed") {
			seen++
			if !strings.Contains(string(f), string(o.t.place(uint64(seen), "c").Cursor())) {
				t.Fatalf("event %d: %s", seen, f)
			}
		}
	}
}

// TestTooFar: a device that missed more threads than are replayed is told to reload, and given what comes.
func TestTooFar(t *testing.T) {
	o := open(new(bytes.Buffer), &past{}, 10)
	for i := range mostThreads + 1 {
		o.a.index.Apply(head(i, uint64(i)+1))
		o.t.pos++
	}
	for from, told := range []bool{true, false} {
		r, err := o.Resume(t.Context(), switchboard.Place{Epoch: "e", Seq: uint64(from), Check: "c"}.Cursor())
		if err != nil || told != (r.Resync != nil) || told != (len(o.plan.rows) == 0) {
			t.Errorf("from %d: %+v, %d threads are replayed, %v", from, r, len(o.plan.rows), err)
		}
	}
}

// TestResumeMeanwhile: a device that asks for another place while its replay ends, and whose live frames overflow, is given
// everything from that place on.
func TestResumeMeanwhile(t *testing.T) {
	p := &past{}
	o := open(new(bytes.Buffer), p, 4)
	grow := func(from, to uint64) {
		for seq := from; seq <= to; seq++ {
			p.entries = append(p.entries, entry(seq))
			o.t.entry(entry(seq))
		}
	}
	resume := func() {
		if _, err := o.Resume(t.Context(), switchboard.Place{Epoch: "e", Seq: 1, Check: "c"}.Cursor()); err != nil {
			t.Fatal(err)
		}
	}
	grow(1, 2)
	p.done = func() {
		p.done = nil
		resume()
		grow(3, 12)
	}
	resume()
	o.Reply(t.Context(), []byte("first"))
	wants(t, "before", o, "first", "thread_renamed")
	if _, ok, err := o.stream(t.Context()); ok || err != nil {
		t.Fatalf("the stream waits for the reply: %v", err)
	}
	o.Reply(t.Context(), []byte("second"))
	all := []string{"second"}
	for seq := uint64(2); seq <= 12; seq++ {
		all = append(all, string(o.t.place(seq, "c").Cursor()))
	}
	wants(t, "after", o, append(all, "caught_up")...)
}

// torn is a journal in which an entry is missing.
type torn struct{ *past }

func (torn) Replay(switchboard.UserID, []*thread.Row, uint64, uint64) func(context.Context) (thread.Entry, bool, error) {
	return func(context.Context) (thread.Entry, bool, error) {
		return thread.Entry{}, false, errors.New("an entry is missing")
	}
}

// TestTorn: a device whose cursor lies before an entry that is missing is told to reload when it comes back, or it would be
// closed each time.
func TestTorn(t *testing.T) {
	o := open(new(bytes.Buffer), &past{}, 10)
	o.t.b.cfg.Journal = torn{&past{}}
	for seq := range uint64(3) {
		o.t.entry(entry(seq + 1))
	}
	cursor := func(seq uint64) switchboard.Cursor {
		return switchboard.Place{Epoch: "e", Seq: seq, Check: "c"}.Cursor()
	}
	if _, err := o.Resume(t.Context(), cursor(1)); err != nil {
		t.Fatal(err)
	}
	o.Reply(t.Context(), []byte("reply"))
	o.Next(t.Context())
	if f, err := o.Next(t.Context()); switchboard.CodeOf(err) != switchboard.Unavailable {
		t.Errorf("%q %v", f, err)
	}
	if r, err := o.Resume(t.Context(), cursor(1)); err != nil || r.Resync == nil {
		t.Errorf("it goes on from before the gap: %+v, %v", r, err)
	}
	if r, err := o.Resume(t.Context(), cursor(3)); err != nil || r.Resync != nil {
		t.Errorf("it does not go on from after the gap: %+v, %v", r, err)
	}
}

// TestErasedMeanwhile: of a thread that is erased while it is followed, or replayed, a device is given nothing after the hole
// but the tombstone.
func TestErasedMeanwhile(t *testing.T) {
	o := open(new(bytes.Buffer), &past{}, 10)
	for _, e := range []thread.Entry{entry(1), entry(2), entry(4), tombstone(5)} {
		o.t.entry(e)
	}
	wants(t, "followed", o, "thread_renamed", "thread_renamed", "thread_deleted")

	o = open(new(bytes.Buffer), &past{entries: []thread.Entry{entry(1)}}, 10)
	for seq := range uint64(3) {
		o.t.entry(entry(seq + 1))
	}
	if _, err := o.Resume(t.Context(), switchboard.Place{Epoch: "e"}.Cursor()); err != nil {
		t.Fatal(err)
	}
	o.t.entry(entry(4))
	o.t.entry(tombstone(5))
	o.Reply(t.Context(), []byte("reply"))
	wants(t, "replayed", o, "reply", "thread_renamed", "caught_up", "thread_deleted")
}

// wants checks what a device is given.
func wants(t *testing.T, name string, o *Outbox, all ...string) {
	t.Helper()
	for i, want := range all {
		if f, err := o.Next(t.Context()); !strings.Contains(string(f), want) || err != nil {
			t.Errorf("%s: frame %d is %q %v, not %s", name, i, f, err, want)
		}
	}
	if len(o.live) > 0 {
		t.Errorf("%s: %d frames are left", name, len(o.live))
	}
}
