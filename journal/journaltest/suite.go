package journaltest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/journal"
	"github.com/netra-systems/switchboard/thread"
)

// Test checks that journals that open makes keep what the journal promises. Each call of open gives a journal on an
// empty store of its own.
func Test(t *testing.T, open func(t *testing.T) *journal.Journal) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *journal.Journal)
	}{
		{"AppendAndRead", appendAndRead},
		{"TooLarge", tooLarge},
		{"OneOfManyWriters", oneOfManyWriters},
		{"PutAfterConflict", putAfterConflict},
		{"Feed", feed},
		{"FeedHole", feedHole},
		{"Deltas", deltas},
		{"Snapshot", snapshot},
		{"Heads", heads},
		{"ManyHeads", manyHeads},
		{"Index", index},
		{"Replay", replay},
		{"ReplayErased", replayErased},
		{"Page", page},
		{"Erase", erase},
		{"Window", window},
		{"Recent", recent},
		{"Wakeups", wakeups},
		{"Isolation", isolation},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

var alice, bob = switchboard.NewUserID("test", "", "alice"), switchboard.NewUserID("test", "", "bob")

// line is a thread that a test writes to.
type line struct {
	t  *testing.T
	j  *journal.Journal
	st *thread.State
}

func newLine(t *testing.T, j *journal.Journal, u switchboard.UserID, name string) *line {
	return &line{t, j, thread.NewState(u, switchboard.NewThreadID(u, switchboard.FrameID(name)))}
}

// say appends a message, or (as an agent) a thought.
func (l *line) say(person bool, text string) {
	l.t.Helper()
	stored, err := l.put(person, text)
	if err != nil || !stored {
		l.t.Fatalf("append: stored %v, %v", stored, err)
	}
}

func (l *line) put(person bool, text string) (bool, error) {
	e := switchboard.Event{Time: switchboard.At(time.Now())}
	if person {
		n := l.st.N + 1
		e.RunID = l.st.Thread.Run(n)
		e.Payload = &switchboard.UserMessageEvent{ID: switchboard.FrameID(fmt.Sprint("m", n)), RunID: e.RunID, Text: text, Title: "t"}
	} else {
		e.RunID = l.st.Thread.Run(1)
		e.Payload = &switchboard.AgentThinkingEvent{Text: text, Source: "agent", Step: 1}
	}
	e.Type = e.Payload.EventType()
	return l.st.Put(l.t.Context(), l.j, thread.Draft{Event: e})
}

func read(t *testing.T, j *journal.Journal, st *thread.State) []thread.Entry {
	t.Helper()
	es, err := j.Read(t.Context(), st.User, st.Thread, thread.Position{})
	if err != nil {
		t.Fatal(err)
	}
	return es
}

func numbers(es []thread.Entry) []uint64 {
	out := []uint64{}
	for _, e := range es {
		out = append(out, e.Header.N)
	}
	return out
}

func count(n uint64) []uint64 {
	out := []uint64{}
	for i := range n {
		out = append(out, i+1)
	}
	return out
}

func appendAndRead(t *testing.T, j *journal.Journal) {
	l := newLine(t, j, alice, "a")
	for i := range 600 {
		l.say(i%3 == 0, fmt.Sprint("text ", i))
	}
	es := read(t, j, l.st)
	if !slices.Equal(numbers(es), count(600)) {
		t.Fatalf("numbers %v", numbers(es))
	}
	if p := es[1].Event.Payload.(*switchboard.AgentThinkingEvent); p.Text != "text 1" {
		t.Fatalf("payload %+v", p)
	}
	again := thread.NewState(alice, l.st.Thread)
	if _, err := again.Advance(t.Context(), j); err != nil || again.Position != l.st.Position || again.Summary != l.st.Summary {
		t.Fatalf("a second fold differs: %v %+v %+v", err, again, l.st)
	}
	e, found, err := j.At(t.Context(), alice, es[7].Seq)
	if err != nil || !found || e.Header.Chain != es[7].Header.Chain {
		t.Fatalf("at: %v %v", found, err)
	}
}

func oneOfManyWriters(t *testing.T, j *journal.Journal) {
	const writers, each = 8, 20
	var wg sync.WaitGroup
	var mu sync.Mutex
	stored := 0
	for w := range writers {
		wg.Go(func() {
			l := newLine(t, j, alice, "a")
			for i := 0; i < each; {
				ok, err := l.put(w%2 == 0, "x")
				if err != nil {
					t.Error(err)
					return
				}
				if ok {
					i++
					mu.Lock()
					stored++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	es := read(t, j, newLine(t, j, alice, "a").st)
	if !slices.Equal(numbers(es), count(writers*each)) || stored != writers*each {
		t.Fatalf("stored %d, numbers %v", stored, numbers(es))
	}
}

func putAfterConflict(t *testing.T, j *journal.Journal) {
	l, other := newLine(t, j, alice, "a"), newLine(t, j, alice, "a")
	l.say(true, "first")
	if stored, err := other.put(true, "second"); stored || err != nil {
		t.Fatalf("a writer at an old position stored %v, %v", stored, err)
	}
	if other.st.Position != l.st.Position {
		t.Fatal("the news were not folded")
	}
	other.say(true, "second")
	_, err := j.Append(t.Context(), alice, thread.Draft{Event: switchboard.Event{ThreadID: l.st.Thread, Type: switchboard.AgentThinking, Payload: &switchboard.AgentThinkingEvent{}}}, l.st.Position)
	if !errors.Is(err, thread.ErrConflict) {
		t.Fatalf("append at an old position: %v", err)
	}
}

// follow opens the feed of a user's shard.
func follow(t *testing.T, j *journal.Journal, u switchboard.UserID) *journal.Feed {
	t.Helper()
	f, err := j.Follow(t.Context(), j.Shard(u))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

// nextEntry returns the feed's next entry, and the deltas before it.
func nextEntry(t *testing.T, f *journal.Feed) (thread.Entry, []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var deltas []string
	for {
		e, _, d, err := f.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if e != nil {
			return *e, deltas
		}
		if d != nil {
			deltas = append(deltas, string(d))
		}
	}
}

func feed(t *testing.T, j *journal.Journal) {
	l := newLine(t, j, alice, "a")
	l.say(true, "before")
	f := follow(t, j, alice)
	for range 50 {
		l.say(false, "x")
	}
	for n := uint64(2); n <= 51; n++ {
		if e, _ := nextEntry(t, f); e.Header.N != n || e.User != alice || len(e.Data) == 0 {
			t.Fatalf("entry %d of %s, want %d", e.Header.N, e.User, n)
		}
	}
	if f.Position() != l.st.Seq {
		t.Fatalf("position %d, want %d", f.Position(), l.st.Seq)
	}
}

// feedHole lets a feed lose live signals, in the middle and at the end.
func feedHole(t *testing.T, j *journal.Journal) {
	f := follow(t, j, alice)
	l := newLine(t, j, alice, "a")
	f.Lose(func(n int) bool { return n%3 != 0 })
	for range 400 {
		l.say(true, "x")
	}
	f.Lose(func(int) bool { return true })
	l.say(true, "the last one is lost")
	for n := uint64(1); n <= 401; n++ {
		if e, _ := nextEntry(t, f); e.Header.N != n {
			t.Fatalf("entry %d, want %d", e.Header.N, n)
		}
	}
}

func deltas(t *testing.T, j *journal.Journal) {
	f := follow(t, j, alice)
	ignore, err := f.Listen(alice)
	if err != nil {
		t.Fatal(err)
	}
	l := newLine(t, j, alice, "a")
	l.say(true, "x")
	for i := range 20 {
		j.PublishDelta(alice, l.st.Thread, fmt.Append(nil, i))
		j.PublishDelta(bob, l.st.Thread, []byte("bob's"))
	}
	l.say(false, "y")
	_, before := nextEntry(t, f)
	_, between := nextEntry(t, f)
	if len(before) != 0 || len(between) != 20 || between[19] != "19" {
		t.Fatalf("deltas before %v, between %v", before, between)
	}
	ignore()
	j.PublishDelta(alice, l.st.Thread, []byte("unheard"))
	l.say(false, "z")
	if _, after := nextEntry(t, f); len(after) != 0 {
		t.Fatalf("deltas after the end: %v", after)
	}
}

func snapshot(t *testing.T, j *journal.Journal) {
	run := switchboard.NewThreadID(alice, "a").Run(1)
	if got, err := j.Snapshot(t.Context(), alice, run); err != nil || len(got) != 0 {
		t.Fatalf("without a holder: %q %v", got, err)
	}
	end, err := j.Offer(alice, run, func() [][]byte { return [][]byte{[]byte("one"), []byte("two")} })
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	if got, err := j.Snapshot(t.Context(), alice, run); err != nil || len(got) != 2 || string(got[1]) != "two" {
		t.Fatalf("%q %v", got, err)
	}
	if got, err := j.Snapshot(t.Context(), bob, run); err != nil || len(got) != 0 {
		t.Fatalf("another user got %q %v", got, err)
	}
}

func heads(t *testing.T, j *journal.Journal) {
	if hs, err := j.Heads(t.Context(), alice); err != nil || len(hs) != 0 {
		t.Fatalf("of nothing: %v %v", hs, err)
	}
	a, b := newLine(t, j, alice, "a"), newLine(t, j, alice, "b")
	a.say(true, "x")
	b.say(true, "y")
	b.say(false, "y")
	a.say(false, "x")
	newLine(t, j, bob, "c").say(true, "bob")
	hs, err := j.Heads(t.Context(), alice)
	if err != nil || len(hs) != 2 || hs[0].Seq != b.st.Seq || hs[1].Seq != a.st.Seq {
		t.Fatalf("%v %v", hs, err)
	}
	if hs[1].Header.Summary != a.st.Summary {
		t.Fatalf("summary %+v, want %+v", hs[1].Header.Summary, a.st.Summary)
	}
	for after, want := range map[uint64]int{0: 4, b.st.Seq: 1, a.st.Seq: 0, a.st.Seq + 5: 0} {
		if es, err := j.Since(t.Context(), alice, after); err != nil || len(es) != want {
			t.Fatalf("after %d: %d entries, not %d, %v", after, len(es), want, err)
		}
	}
}

// manyHeads has more subjects than the engine answers at once.
func manyHeads(t *testing.T, j *journal.Journal) {
	const threads = 1100
	for i := range threads {
		newLine(t, j, alice, fmt.Sprint("t", i)).say(true, "x")
	}
	hs, err := j.Heads(t.Context(), alice)
	if err != nil || len(hs) != threads {
		t.Fatalf("%d heads, %v", len(hs), err)
	}
	if !slices.IsSortedFunc(hs, func(a, b thread.Entry) int { return int(a.Seq) - int(b.Seq) }) || hs[0].Header.Summary.Title != "t" {
		t.Fatal("not in order, or without summary")
	}
}

func replay(t *testing.T, j *journal.Journal) {
	a, b := newLine(t, j, alice, "a"), newLine(t, j, alice, "b")
	var want []uint64
	var rows []*thread.Row
	for i := range 700 {
		l := a
		if i%5 == 0 {
			l = b
		}
		l.say(i%2 == 0, "x")
		want = append(want, l.st.Seq)
		if i == 689 {
			rows = []*thread.Row{{N: a.st.N, Summary: a.st.Summary}, {N: b.st.N, Summary: b.st.Summary}}
		}
	}
	got, err := replayed(t, j, rows, want[9], want[689])
	if err != nil || !slices.Equal(got, want[10:690]) {
		t.Fatalf("%d entries, want %d, %v", len(got), 680, err)
	}
	if got, err = replayed(t, j, rows, 0, want[689]); err != nil || len(got) != 690 {
		t.Fatalf("%d entries, want %d, %v", len(got), 690, err)
	}
	if _, err := replayed(t, j, rows, want[9], want[600]); !errors.Is(err, journal.ErrDamaged) {
		t.Errorf("the end is missing, and the replay says %v", err)
	}
	last := max(a.st.Seq, b.st.Seq)
	c := newLine(t, j, alice, "c")
	for i := range 40 {
		c.say(i%2 == 0, "began later")
	}
	begun := []*thread.Row{{N: a.st.N, Summary: a.st.Summary}, {N: b.st.N, Summary: b.st.Summary}, {N: c.st.N, Summary: c.st.Summary}}
	if got, err := replayed(t, j, begun, last-2, c.st.Seq); err != nil || len(got) != 42 {
		t.Errorf("one began after that: %d entries, %v", len(got), err)
	}
	d := thread.Draft{Event: switchboard.Event{Type: switchboard.ThreadDeleted, Payload: &switchboard.ThreadDeletedEvent{ID: "del"}}}
	if stored, err := b.st.Put(t.Context(), j, d); !stored || err != nil {
		t.Fatal(stored, err)
	}
	if err := j.Erase(t.Context(), alice, b.st.Thread, b.st.Seq); err != nil {
		t.Fatal(err)
	}
	if got, err := replayed(t, j, rows, want[9], want[689]); err != nil || len(got) != 680-680/5 {
		t.Errorf("one was deleted meanwhile: %d entries, %v", len(got), err)
	}
}

// replayed returns the sequences of a replay.
func replayed(t *testing.T, j *journal.Journal, rows []*thread.Row, after, upTo uint64) (got []uint64, err error) {
	t.Helper()
	next := j.Replay(alice, rows, after, upTo)
	for {
		e, ok, err := next(t.Context())
		if err != nil || !ok {
			return got, err
		}
		got = append(got, e.Seq)
	}
}

func page(t *testing.T, j *journal.Journal) {
	l := newLine(t, j, alice, "a")
	for i := range 100 {
		l.say(i%2 == 0, "x")
	}
	es, err := j.Page(t.Context(), alice, l.st.Thread, l.st.SeqAt(41), 40, 100, 10)
	if err != nil || !slices.Equal(numbers(es), count(50)[40:]) {
		t.Fatalf("%v %v", numbers(es), err)
	}
}

func erase(t *testing.T, j *journal.Journal) {
	l := newLine(t, j, alice, "a")
	keep := newLine(t, j, alice, "b")
	keep.say(true, "stays")
	for i := range 10 {
		l.say(i%2 == 0, "secret")
	}
	d := thread.Draft{Event: switchboard.Event{Type: switchboard.ThreadDeleted, Payload: &switchboard.ThreadDeletedEvent{ID: "del"}}}
	if stored, err := l.st.Put(t.Context(), j, d); !stored || err != nil {
		t.Fatal(stored, err)
	}
	for range 2 {
		if err := j.Erase(t.Context(), alice, l.st.Thread, l.st.Seq); err != nil {
			t.Fatal(err)
		}
		es := read(t, j, l.st)
		if len(es) != 1 || es[0].Event.Type != switchboard.ThreadDeleted || es[0].Event.N != 0 {
			t.Fatalf("left: %v", numbers(es))
		}
	}
	if es := read(t, j, keep.st); len(es) != 1 {
		t.Fatal("another thread was erased")
	}
	again := thread.NewState(alice, l.st.Thread)
	if _, err := again.Advance(t.Context(), j); err != nil || !again.Deleted {
		t.Fatalf("deleted %v, %v", again.Deleted, err)
	}
}

func wakeups(t *testing.T, j *journal.Journal) {
	l := newLine(t, j, alice, "a")
	l.say(true, "x")
	l.say(false, "no wake-up")
	s := j.Shard(alice)
	w, err := j.NextWakeup(t.Context(), s)
	if err != nil || w.User() != alice || w.Thread() != l.st.Thread || w.Delivery() != 1 {
		t.Fatalf("%v %v", w, err)
	}
	if err := w.Nak(0); err != nil {
		t.Fatal(err)
	}
	if w, err = j.NextWakeup(t.Context(), s); err != nil || w.Delivery() != 2 {
		t.Fatalf("after a nak: %v %v", w, err)
	}
	if err := w.Ack(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { _, err := j.NextWakeup(ctx, s); ended <- err }()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatalf("after the end: %v", err)
	}
}

// isolation asks for what is another's.
func isolation(t *testing.T, j *journal.Journal) {
	l := newLine(t, j, alice, "a")
	l.say(true, "alice's")
	if es, err := j.Read(t.Context(), bob, l.st.Thread, thread.Position{}); err != nil || len(es) != 0 {
		t.Fatalf("bob read %v %v", es, err)
	}
	if _, found, err := j.At(t.Context(), bob, l.st.Seq); err != nil || found {
		t.Fatalf("bob found %v %v", found, err)
	}
	for _, id := range []string{"*", ">", "a.b", "", "a b", "\x00", "$JS.API.INFO", string(l.st.Thread) + ".in"} {
		if es, err := j.Read(t.Context(), alice, switchboard.ThreadID(id), thread.Position{}); switchboard.CodeOf(err) != switchboard.NotFound {
			t.Fatalf("%q: %v %v", id, es, err)
		}
		d := thread.Draft{Event: switchboard.Event{ThreadID: switchboard.ThreadID(id), Type: switchboard.AgentThinking, Payload: &switchboard.AgentThinkingEvent{}}}
		if _, err := j.Append(t.Context(), alice, d, thread.Position{}); switchboard.CodeOf(err) != switchboard.Invalid {
			t.Fatalf("append to %q: %v", id, err)
		}
		if _, err := j.Heads(t.Context(), switchboard.UserID(id)); err == nil {
			t.Fatalf("heads of %q", id)
		}
	}
}
