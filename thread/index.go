package thread

import (
	"slices"
	"sort"
	"strconv"

	"github.com/netra-systems/switchboard"
)

// Row is what the list of a user's threads knows of one. It is never changed.
type Row struct {
	Summary switchboard.ThreadSummary
	Seq     uint64 // of the thread's newest entry
	N       uint64
	Chain   string
	Usage   switchboard.Usage // of all runs, also when the thread is deleted
	Attempt int               // of the active run
	Held    bool              // by a worker
	Deleted bool
}

// Index is the fold of a user's entries to the list of threads, in the order of activity. Entries may be applied
// again. It is not safe for concurrent use.
type Index struct {
	rows  map[switchboard.ThreadID]*Row
	order []*Row // by Seq, ascending
	busy  int    // threads with a run that is active or waits
	held  int    // threads with a run that a worker holds
	usage switchboard.Usage
}

// NewIndex returns the index of a user whose threads end with these entries, in order.
func NewIndex(heads []Entry) *Index {
	x := &Index{rows: make(map[switchboard.ThreadID]*Row, len(heads))}
	for _, e := range heads {
		x.Apply(e)
	}
	return x
}

// Apply folds an entry of the user; one that is known already changes nothing.
func (x *Index) Apply(e Entry) {
	x.Put(&Row{
		Summary: e.Header.Summary, Seq: e.Seq, N: e.Header.N, Chain: e.Header.Chain, Attempt: e.Header.Attempt, Held: e.Header.Held,
		Deleted: e.Header.Summary.Created.IsZero(), Usage: e.Header.Total,
	})
}

// Beyond reports whether entries of the thread between what is known and e have not been applied; a tombstone is never beyond.
func (x *Index) Beyond(e Entry) bool {
	known := uint64(0)
	if r := x.rows[e.Event.ThreadID]; r != nil {
		known = r.N
	}
	return e.Header.N > known+1 && e.Event.Type != switchboard.ThreadDeleted
}

// Put takes the row of a thread, unless a newer one is known.
func (x *Index) Put(r *Row) {
	t := r.Summary.ThreadID
	if old := x.rows[t]; old != nil {
		if r.N <= old.N {
			return
		}
		i := x.above(old.Seq - 1)
		x.order = slices.Delete(x.order, i, i+1)
		x.count(old, -1)
	}
	x.rows[t] = r
	x.count(r, 1)
	if n := len(x.order); n == 0 || x.order[n-1].Seq < r.Seq {
		x.order = append(x.order, r)
	} else {
		x.order = slices.Insert(x.order, x.above(r.Seq), r)
	}
}

// Len returns how many threads the user has or had.
func (x *Index) Len() int { return len(x.order) }

// Rows returns the rows of threads that have entries after a sequence, in the order of activity.
func (x *Index) Rows(after uint64) []*Row { return slices.Clone(x.order[x.above(after):]) }

// above returns the place of the first row with a sequence above seq.
func (x *Index) above(seq uint64) int {
	return sort.Search(len(x.order), func(i int) bool { return x.order[i].Seq > seq })
}

// Last returns the sequence and the chain value of the user's newest entry, zero if there is none.
func (x *Index) Last() (seq uint64, chain string) {
	if len(x.order) == 0 {
		return 0, ""
	}
	r := x.order[len(x.order)-1]
	return r.Seq, r.Chain
}

// Active returns the runs that hold a thread or wait, with their attempts.
func (x *Index) Active() map[switchboard.RunID]int {
	out := map[switchboard.RunID]int{}
	for _, r := range x.order {
		if r.Summary.ActiveRun != "" {
			out[r.Summary.ActiveRun] = r.Attempt
		}
	}
	return out
}

func (x *Index) count(r *Row, by int) {
	if r.Summary.ActiveRun != "" {
		x.busy += by
	}
	if r.Held {
		x.held += by
	}
	x.usage.InputTokens += int64(by) * r.Usage.InputTokens
	x.usage.OutputTokens += int64(by) * r.Usage.OutputTokens
}

// Usage returns what models have read and written for the user in all threads, also in those deleted.
func (x *Index) Usage() switchboard.Usage { return x.usage }

// HeldBeside returns in how many threads but t a worker holds a run.
func (x *Index) HeldBeside(t switchboard.ThreadID) int {
	if r := x.rows[t]; r != nil && r.Held {
		return x.held - 1
	}
	return x.held
}

// Busy returns in how many threads a run is active or waits.
func (x *Index) Busy() int { return x.busy }

// Row returns the row of a thread; nil if the user has none of this id, or deleted it.
func (x *Index) Row(t switchboard.ThreadID) *Row {
	if r := x.rows[t]; r != nil && !r.Deleted {
		return r
	}
	return nil
}

// ErasedAfter reports whether a thread was deleted after a sequence, so that the entry there may be gone.
func (x *Index) ErasedAfter(seq uint64) bool {
	return slices.ContainsFunc(x.order[x.above(seq):], func(r *Row) bool { return r.Deleted })
}

// Newest returns the rows of the threads with the newest activity, at most n.
func (x *Index) Newest(n int) []switchboard.ThreadSummary {
	var out []switchboard.ThreadSummary
	for _, r := range slices.Backward(x.order) {
		if len(out) == n {
			break
		}
		if !r.Deleted {
			out = append(out, r.Summary)
		}
	}
	return out
}

// List returns a page of threads, newest activity first. Errors: Invalid, field "payload.before".
func (x *Index) List(m switchboard.ListThreads, l switchboard.Limits) (switchboard.ThreadList, error) {
	end := len(x.order)
	if m.Before != "" {
		seq, err := strconv.ParseUint(m.Before, 10, 64)
		if err != nil || seq == 0 {
			return switchboard.ThreadList{}, switchboard.Errorf(switchboard.Invalid, "not the next of a page").At("payload.before")
		}
		end = x.above(seq - 1)
	}
	limit := m.Limit
	if limit == 0 {
		limit = l.PageThreads
	}
	page := switchboard.ThreadList{Threads: []switchboard.ThreadSummary{}}
	for i := end - 1; i >= 0; i-- {
		r := x.order[i]
		if r.Deleted {
			continue
		}
		if len(page.Threads) == limit {
			page.Next = strconv.FormatUint(x.order[i+1].Seq, 10)
			break
		}
		page.Threads = append(page.Threads, r.Summary)
	}
	return page, nil
}
