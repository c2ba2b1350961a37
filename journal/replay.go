package journal

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// reader reads a literal subject in order, a batch at a time.
type reader struct {
	subject     string
	from        uint64
	buffer      []thread.Entry
	batch       int
	most, bytes int // bounds of a batch
	done        bool
}

// peek returns the reader's next entry, nil at the end.
func (r *reader) peek(ctx context.Context, j *Journal, shard int) (*thread.Entry, error) {
	if len(r.buffer) == 0 && !r.done {
		r.batch = min(max(16, 4*r.batch), r.most)
		page, more, err := j.readSubject(ctx, shard, r.subject, r.from, r.batch, r.bytes)
		if err != nil {
			return nil, readError(err)
		}
		r.buffer, r.done = page, !more || len(page) == 0
		if len(page) > 0 {
			r.from = page[len(page)-1].Seq + 1
		}
	}
	if len(r.buffer) == 0 {
		return nil, nil
	}
	return &r.buffer[0], nil
}

// take returns the entry that peek showed.
func (r *reader) take() thread.Entry {
	e := r.buffer[0]
	r.buffer[0] = thread.Entry{}
	r.buffer = r.buffer[1:]
	return e
}

// front is a heap of readers by their next entries.
type front []*reader

func (f front) Len() int           { return len(f) }
func (f front) Less(i, k int) bool { return f[i].buffer[0].Seq < f[k].buffer[0].Seq }
func (f front) Swap(i, k int)      { f[i], f[k] = f[k], f[i] }
func (f *front) Push(r any)        { *f = append(*f, r.(*reader)) }
func (f *front) Pop() any {
	last := len(*f) - 1
	r := (*f)[last]
	*f = (*f)[:last]
	return r
}

// What the readers of a merge hold together, but for one entry of each, which the engine gives in any case.
const (
	mergeEntries = 8192
	mergeBytes   = 8 << 20
)

// merge returns a function that gives the entries of several subjects in the order in which they were stored; false at
// the end.
func (j *Journal) merge(shard int, readers []*reader) func(context.Context) (thread.Entry, bool, error) {
	for _, r := range readers {
		r.most, r.bytes = max(1, min(batchSize, mergeEntries/len(readers))), max(1, min(batchBytes, mergeBytes/len(readers)))
	}
	var known front
	unknown := slices.Clone(readers) // readers whose next entry has not been looked at
	return func(ctx context.Context) (thread.Entry, bool, error) {
		for len(unknown) > 0 {
			last := len(unknown) - 1
			e, err := unknown[last].peek(ctx, j, shard)
			if err != nil {
				return thread.Entry{}, false, err
			}
			if e != nil {
				heap.Push(&known, unknown[last])
			}
			unknown = unknown[:last]
		}
		if len(known) == 0 {
			return thread.Entry{}, false, nil
		}
		r := heap.Pop(&known).(*reader)
		unknown = append(unknown, r)
		return r.take(), true, nil
	}
}

// Replay returns a function that gives the entries with sequences in (after, upTo] of the threads of these rows, which
// tell how far each had come at upTo, in order; false at the end. It reads the literal subjects of those threads, never
// the log between (measured: a wildcard scan takes 100–200 ms of a large log and stalls publishers). Errors: Unavailable;
// ErrDamaged if an entry is missing: what is given is without gaps. Of a thread that has been deleted, or is deleted
// meanwhile, nothing more is given but its tombstone: its entries are being erased, some before they are read.
func (j *Journal) Replay(u switchboard.UserID, rows []*thread.Row, after, upTo uint64) func(context.Context) (thread.Entry, bool, error) {
	r := &replay{j: j, user: u, rows: rows, last: after, upTo: upTo}
	return r.give
}

type replay struct {
	j          *Journal
	user       switchboard.UserID
	rows       []*thread.Row
	last, upTo uint64 // last: what has been given
	next       func(context.Context) (thread.Entry, bool, error)
	count      *counted
}

// give gives the next entry. If one is missing, it is read again from the one given last on: a replica may be behind.
func (r *replay) give(ctx context.Context) (thread.Entry, bool, error) {
	for try := 0; ; try++ {
		e, ok, err := r.read(ctx)
		if ok {
			r.last = e.Seq
		}
		if !errors.Is(err, ErrDamaged) {
			return e, ok, err
		}
		r.next = nil
		if err := again(ctx, try, err); err != nil {
			return thread.Entry{}, false, err
		}
	}
}

// begin reads how far each thread had come at the last entry given, and goes on from there.
func (r *replay) begin(ctx context.Context) (err error) {
	s := r.j.Shard(r.user)
	var readers []*reader
	for _, row := range r.rows {
		for _, direction := range []string{"in", "out"} {
			subject, err := threadSubject(s, r.user, row.Summary.ThreadID, direction)
			if err != nil {
				continue // no such thread can exist
			}
			readers = append(readers, &reader{subject: subject, from: r.last + 1})
		}
	}
	next := r.j.merge(s, readers)
	if r.count, err = r.j.count(ctx, r.user, r.rows, readers, r.last); err == nil {
		r.next = next
	}
	return err
}

func (r *replay) read(ctx context.Context) (e thread.Entry, ok bool, err error) {
	if r.next == nil {
		if err := r.begin(ctx); err != nil {
			return thread.Entry{}, false, err
		}
	}
	for {
		e, ok, err = r.next(ctx)
		switch {
		case err != nil:
			return thread.Entry{}, false, err
		case !ok || e.Seq > r.upTo:
			return thread.Entry{}, false, r.ended(ctx)
		case e.Event.Type == switchboard.ThreadDeleted:
			return e, true, nil
		}
		follows, live := r.count.take(e)
		switch {
		case follows:
			return e, true, nil
		case live:
			if err := r.gap(ctx, e.Event.ThreadID); err != nil {
				return thread.Entry{}, false, err
			}
		}
	}
}

// gap is an entry that is missing, unless its thread has been deleted meanwhile: then nothing more of it is live.
func (r *replay) gap(ctx context.Context, t switchboard.ThreadID) error {
	e, found, err := r.j.Newest(ctx, r.user, t)
	if err != nil {
		return err
	}
	if found && e.Header.Summary.Created.IsZero() {
		delete(r.count.to, t)
		return nil
	}
	return fmt.Errorf("%w: a thread has a gap near its entry %d", ErrDamaged, r.count.at[t])
}

// ended checks that each thread was given to its end.
func (r *replay) ended(ctx context.Context) error {
	for t, n := range r.count.to {
		if r.count.at[t] < n {
			if err := r.gap(ctx, t); err != nil {
				return err
			}
		}
	}
	return nil
}

// counted holds what is replayed against how far each thread had come before and must have come in the end.
type counted struct {
	at, to map[switchboard.ThreadID]uint64
}

// count reads how far each thread had come at a sequence. A thread whose first entry is among what is replayed had not come
// anywhere, and is not asked for: the engine would look through all of the log for what is not there (measured: 18 ms for
// 300,000 entries, while publishers wait).
func (j *Journal) count(ctx context.Context, u switchboard.UserID, rows []*thread.Row, readers []*reader, after uint64) (*counted, error) {
	c := &counted{at: map[switchboard.ThreadID]uint64{}, to: map[switchboard.ThreadID]uint64{}}
	s := j.Shard(u)
	begins := map[switchboard.ThreadID]bool{}
	for _, r := range readers {
		e, err := r.peek(ctx, j, s)
		if err != nil {
			return nil, err
		}
		if e != nil && e.Header.N == 1 {
			begins[e.Event.ThreadID] = true
		}
	}
	var subjects []string
	for _, r := range rows {
		if r.Deleted { // what stood before the tombstone is gone, or going
			continue
		}
		c.to[r.Summary.ThreadID] = r.N
		if begins[r.Summary.ThreadID] {
			continue
		}
		for _, direction := range []string{"in", "out"} {
			if subject, err := threadSubject(s, u, r.Summary.ThreadID, direction); err == nil {
				subjects = append(subjects, subject)
			}
		}
	}
	if after == 0 {
		return c, nil
	}
	for some := range slices.Chunk(subjects, multiLast) {
		_, err := j.get(ctx, s, getRequest{MultiLast: some, UpTo: after}, func(m *nats.Msg) error {
			e, err := entryOf(m, m.Header.Get("Nats-Subject"))
			c.at[e.Event.ThreadID] = max(c.at[e.Event.ThreadID], e.Header.N)
			return err
		})
		if err != nil {
			return nil, readError(err)
		}
	}
	return c, nil
}

// multiLast is how many subjects one multi_last asks for: the engine refuses more than 1,024, and ends its answer after
// 64 MiB without saying so, which this many of the largest events do not reach.
const multiLast = 100

// take counts an entry, and reports whether it is the next of its thread, and whether that is live: not deleted.
func (c *counted) take(e thread.Entry) (follows, live bool) {
	t := e.Event.ThreadID
	if _, live = c.to[t]; !live {
		return false, false
	}
	c.at[t]++
	return c.at[t] == e.Header.N, true
}
