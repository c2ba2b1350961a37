package delivery

import (
	"context"
	"math"
	"time"

	"github.com/netra-systems/switchboard/thread"
)

// stored is what the store keeps of a user's list of threads.
type stored struct {
	base string // name of the newest base; none: ""
	from uint64 // newest sequence in it
	upTo uint64 // newest sequence that is stored in all
}

// storeFrom is from how many threads on a list is stored: a shorter one is read from the log as fast.
const storeFrom = 256

// storeEvery is how often lists that have moved are stored.
const storeEvery = 2 * time.Second

// storeWait bounds one round of storing when the node stops.
const storeWait = 5 * time.Second

// read makes the user's list: from what is stored of it and the entries since, else from the newest entry of each
// thread. What is stored is believed only if its newest entry is in the log.
func (t *tail) read(ctx context.Context, a *audience) (*thread.Index, error) {
	if x := t.recall(ctx, a); x != nil {
		last, chain := x.Last()
		if e, found, err := t.b.cfg.Journal.At(ctx, a.user, last); err == nil && found && e.Header.Chain == chain {
			return x, nil
		}
		a.stored = stored{}
	}
	heads, err := t.b.cfg.Journal.Heads(ctx, a.user)
	if err != nil {
		return nil, err
	}
	return thread.NewIndex(heads), nil
}

// recall reads what is stored; nil if that is of no use.
func (t *tail) recall(ctx context.Context, a *audience) *thread.Index {
	base, list, recent, err := t.b.cfg.Journal.LoadIndex(ctx, a.user)
	if err != nil || base == "" {
		return nil
	}
	rows, err := thread.DecodeRows(list)
	if err != nil || len(rows) == 0 {
		return nil
	}
	x := thread.NewIndex(nil)
	for _, r := range rows {
		x.Put(r)
	}
	from, _ := x.Last()
	if news, err := thread.DecodeRows(recent); err == nil {
		for _, r := range news {
			x.Put(r)
		}
	}
	upTo, _ := x.Last()
	a.stored = stored{base, from, upTo}
	return x
}

// save stores lists that have moved, until ctx ends and then once more.
func (t *tail) save(ctx context.Context) {
	tick := time.NewTicker(storeEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			t.saveAll(ctx)
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeWait)
			defer cancel()
			t.saveAll(ctx)
			return
		}
	}
}

func (t *tail) saveAll(ctx context.Context) {
	t.mu.Lock()
	moved := t.unstored
	t.unstored = map[*audience]struct{}{}
	t.mu.Unlock()
	for a := range moved {
		if err := t.saveOne(ctx, a); err != nil {
			t.b.cfg.Log.Debug("a list of threads could not be stored", "user", a.user, "error", err)
		}
	}
}

// note marks a list that has moved, if it is long. One that is still being read may have a hole, which nobody would read
// again: its newest entry is in the log. Called with mu held.
func (t *tail) note(a *audience) {
	if !a.whole {
		return
	}
	if last, _ := a.index.Last(); last > a.stored.upTo && a.index.Len() >= storeFrom {
		t.unstored[a] = struct{}{}
	}
}

// saveOne stores what is new since the base, or a new base if that is much: with n threads, √2n rows make both cost the
// same in the long run.
func (t *tail) saveOne(ctx context.Context, a *audience) error {
	t.mu.Lock()
	s := a.stored
	upTo, _ := a.index.Last()
	rows := a.index.Rows(s.from)
	whole := s.base == "" || len(rows) > int(math.Sqrt(2*float64(a.index.Len())))
	if whole {
		rows = a.index.Rows(0)
	}
	t.mu.Unlock()
	var err error
	if whole {
		s.from = upTo
		s.base, err = t.b.cfg.Journal.SaveIndex(ctx, a.user, thread.EncodeRows(rows))
	} else {
		err = t.b.cfg.Journal.SaveRecent(ctx, a.user, s.base, thread.EncodeRows(rows))
	}
	if err != nil {
		return err
	}
	s.upTo = upTo
	t.mu.Lock()
	a.stored = s
	t.mu.Unlock()
	return nil
}
