package thread_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"testing/synctest"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// shelf is a log of one thread in memory.
type shelf struct {
	thread.Log
	all  []thread.Entry
	read int // entries given
}

func (s *shelf) Newest(context.Context, switchboard.UserID, switchboard.ThreadID) (thread.Entry, bool, error) {
	if len(s.all) == 0 {
		return thread.Entry{}, false, nil
	}
	return s.all[len(s.all)-1], true, nil
}

func (s *shelf) Read(_ context.Context, _ switchboard.UserID, _ switchboard.ThreadID, after thread.Position) ([]thread.Entry, error) {
	out := s.all[after.N:]
	s.read += len(out)
	return out, nil
}

func (s *shelf) People(_ context.Context, _ switchboard.UserID, _ switchboard.ThreadID, upTo, count uint64) ([]thread.Entry, error) {
	var out []thread.Entry
	for _, e := range s.all {
		if e.Event.ByPerson() && e.Seq <= upTo {
			out = append(out, e)
		}
	}
	if uint64(len(out)) != count {
		return nil, fmt.Errorf("%d messages up to %d, not %d", len(out), upTo, count)
	}
	return out, nil
}

// TestLoad: a fold that begins at the window knows what a whole one knows, at every place of random threads, and reads
// less.
func TestLoad(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 7))
		l := newTape(t)
		l.pad = thread.WindowBytes / (4 + rng.IntN(40))
		for len(l.all) < 150 {
			wander(l, rng)
		}
		full := thread.NewState(alice, home)
		whole, window := 0, 0
		for i, e := range l.all {
			full.Apply(e)
			s := &shelf{all: l.all[:i+1]}
			got, err := thread.Load(t.Context(), s, alice, home)
			if err != nil {
				t.Fatal(err)
			}
			same(t, fmt.Sprintf("seed %d, entry %d", seed, i), got, full)
			whole, window = whole+i+1, window+s.read
			remembered(t, s, got)
			if _, err := got.Accept(request("new", &switchboard.RenameThread{Title: "x"}), rules()); e.Header.Window.Rest.N > 0 && switchboard.CodeOf(err) != switchboard.Internal {
				t.Fatalf("decided without knowing what was accepted: %v", err)
			}
			if err := got.Recall(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got.IDs, full.IDs) || !reflect.DeepEqual(got.Asked, full.Asked) {
				t.Fatalf("seed %d, entry %d: it recalls %d ids of %d", seed, i, len(got.IDs), len(full.IDs))
			}
			for n := range full.N {
				if at := got.SeqAt(n + 1); at > l.all[n].Seq {
					t.Fatalf("entry %d lies before %d", n+1, at)
				}
			}
		}
		if seed == 0 {
			t.Logf("%d entries read instead of %d", window, whole)
		}
		if window*2 > whole {
			t.Errorf("seed %d: %d entries read instead of %d", seed, window, whole)
		}
	}
}

// TestRecallMissing: an id that is missing in the log is not forgotten in silence.
func TestRecallMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTape(t)
		l.pad = thread.WindowBytes
		for i := range 6 {
			run := l.ask(switchboard.FrameID(fmt.Sprint("m", i)), "")
			l.start(run)
			l.complete(run)
		}
		s, err := thread.Load(t.Context(), &shelf{all: l.all}, alice, home)
		if err != nil || s.Window.Start.N == 0 {
			t.Fatal(s, err)
		}
		damaged := errors.New("damaged")
		if err := s.Recall(t.Context(), &failing{shelf{all: l.all}, damaged}); !errors.Is(err, damaged) {
			t.Errorf("recalled: %v", err)
		}
		if _, err := s.Accept(request("m0", &switchboard.UserMessage{Text: "text of m0"}), rules()); switchboard.CodeOf(err) != switchboard.Internal {
			t.Errorf("decided all the same: %v", err)
		}
	})
}

type failing struct {
	shelf
	err error
}

func (f *failing) People(context.Context, switchboard.UserID, switchboard.ThreadID, uint64, uint64) ([]thread.Entry, error) {
	return nil, f.err
}

// remembered checks that the window holds as much as it should, and whole runs.
func remembered(t *testing.T, log *shelf, s *thread.State) {
	t.Helper()
	es, err := s.Remember(t.Context(), log)
	if err != nil || uint64(len(es)) != s.N-s.Window.Start.N {
		t.Fatalf("%d entries of %d from %d on: %v", len(es), s.N, s.Window.Start.N, err)
	}
	bytes, runs := 0, map[switchboard.RunID]bool{}
	for _, e := range es {
		bytes += len(e.Data)
		if p, ok := e.Event.Payload.(*switchboard.UserMessageEvent); ok {
			runs[p.RunID] = true
		} else if e.Event.RunID != "" && e.Event.Type != switchboard.ThreadRenamed && !runs[e.Event.RunID] {
			t.Fatalf("entry %d is of a run whose message is not remembered", e.Header.N)
		}
	}
	if s.Window.Start.N > 0 && bytes < thread.WindowBytes {
		t.Fatalf("%d bytes are remembered of %d entries", bytes, s.N)
	}
}

func same(t *testing.T, where string, got, want *thread.State) {
	t.Helper()
	if got.Position != want.Position || got.Summary != want.Summary || got.In != want.In || got.Duty != want.Duty || got.Claimed != want.Claimed {
		t.Fatalf("%s: %+v %+v, not %+v %+v", where, got.Position, got.Summary, want.Position, want.Summary)
	}
	if got.Total != want.Total || got.Named != want.Named {
		t.Fatalf("%s: %+v %v, not %+v %v", where, got.Total, got.Named, want.Total, want.Named)
	}
	if len(got.Runs)+len(want.Runs) > 0 && !reflect.DeepEqual(got.Runs, want.Runs) || got.Window != want.Window {
		t.Fatalf("%s: runs or window differ", where)
	}
}

// wander adds a message and goes some way with the thread's runs.
func wander(l *tape, rng *rand.Rand) {
	id := switchboard.FrameID(fmt.Sprint("m", len(l.all)))
	busy := []switchboard.OnBusy{"", "", switchboard.Interrupt, switchboard.Steer}[rng.IntN(4)]
	if len(l.s.Runs) < 4 {
		l.ask(id, busy)
	}
	if rng.IntN(5) == 0 {
		l.say(id+"r", &switchboard.RenameThread{Title: string(id)})
	}
	for rng.IntN(6) > 0 {
		what, r := l.s.Next()
		switch {
		case what == thread.Start:
			l.start(r.ID)
		case what == thread.Nothing:
			return
		case r.Stop != "":
			l.add(r.ID, &switchboard.AgentStoppedEvent{Reason: r.Stop}, thread.Header{})
		case rng.IntN(3) == 0 && r.Last < 6:
			for _, c := range l.calls(r.ID, r.Last+1, 1) {
				if len(r.Below) == 0 && rng.IntN(2) == 0 {
					l.begin(c)
					l.hand(r.ID, "helper", thread.Note{Ask: c})
				} else {
					l.done(c)
				}
			}
		case len(r.Below) > 0:
			c := r.Below[0].Call
			l.calls(r.ID, r.Last+1, 0)
			l.hand(r.ID, r.Below[0].Agent, thread.Note{Back: true})
			l.end(c)
		default:
			l.complete(r.ID)
			if rng.IntN(3) == 0 {
				l.title(r.ID, "a title")
			}
		}
	}
}

// lagging is a log of which some answers come from a replica that is behind.
type lagging struct {
	shelf
	reads, people int // how many answers are behind
	lag           int // entries
}

func (l *lagging) Read(ctx context.Context, u switchboard.UserID, t switchboard.ThreadID, after thread.Position) ([]thread.Entry, error) {
	if l.reads--; l.reads >= 0 {
		behind := shelf{all: l.all[:max(len(l.all)-l.lag, int(after.N))]}
		return behind.Read(ctx, u, t, after)
	}
	return l.shelf.Read(ctx, u, t, after)
}

func (l *lagging) People(ctx context.Context, u switchboard.UserID, t switchboard.ThreadID, upTo, count uint64) ([]thread.Entry, error) {
	if l.people--; l.people >= 0 {
		behind := shelf{all: l.all[:len(l.all)-l.lag]}
		return behind.People(ctx, u, t, upTo, count)
	}
	return l.shelf.People(ctx, u, t, upTo, count)
}

// runs returns the log of a thread of so many runs, which has ended its last.
func runs(t *testing.T, n int) *tape {
	l := newTape(t)
	for i := range n {
		run := l.ask(switchboard.FrameID(fmt.Sprint("m", i)), "")
		l.start(run)
		l.complete(run)
	}
	return l
}

// TestBehind: what a replica that is behind answers is not taken for the thread's end, for what agents remember, or for
// damage.
func TestBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := runs(t, 5)
		for lag := range 5 {
			log := &lagging{shelf: shelf{all: l.all}, lag: lag, reads: 2}
			s, err := thread.Load(t.Context(), log, alice, home)
			if err != nil {
				t.Fatal(err)
			}
			same(t, fmt.Sprint(lag, " entries behind"), s, l.s)
			log.reads, log.people = 2, 2
			if err := s.Recall(t.Context(), log); err != nil || len(s.IDs) != 5 {
				t.Errorf("%d entries behind: recalled %d ids, %v", lag, len(s.IDs), err)
			}
			if es, err := s.Remember(t.Context(), log); err != nil || len(es) != len(l.all) {
				t.Errorf("%d entries behind: remembered %d entries of %d, %v", lag, len(es), len(l.all), err)
			}
		}
		log := &lagging{shelf: shelf{all: l.all}, lag: 1, reads: 1 << 20}
		if _, err := thread.Load(t.Context(), log, alice, home); switchboard.CodeOf(err) != switchboard.Unavailable {
			t.Errorf("a replica that stays behind: %v", err)
		}
	})
}

// TestRecallDeleted: a thread that is deleted and erased before it is recalled is deleted, not damaged.
func TestRecallDeleted(t *testing.T) {
	l := runs(t, 3)
	s, err := thread.Load(t.Context(), &shelf{all: l.all}, alice, home)
	if err != nil {
		t.Fatal(err)
	}
	l.say("gone", &switchboard.DeleteThread{})
	if err := s.Recall(t.Context(), erased{&shelf{all: l.all}}); err != nil || !s.Deleted {
		t.Errorf("deleted %v, %v", s.Deleted, err)
	}
}

// erased is a log that holds nothing but the tombstone.
type erased struct{ *shelf }

func (e erased) Read(context.Context, switchboard.UserID, switchboard.ThreadID, thread.Position) ([]thread.Entry, error) {
	return e.all[len(e.all)-1:], nil
}

func (erased) People(context.Context, switchboard.UserID, switchboard.ThreadID, uint64, uint64) ([]thread.Entry, error) {
	return nil, errors.New("messages are missing")
}
