package journal

import (
	"context"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// reader reads a literal subject in order, a batch at a time.
type reader struct {
	subject string
	from    uint64
	buffer  []thread.Entry
	batch   int
	done    bool
}

// peek returns the reader's next entry, nil at the end.
func (r *reader) peek(ctx context.Context, j *Journal, shard int) (*thread.Entry, error) {
	if len(r.buffer) == 0 && !r.done {
		r.batch = min(max(16, 4*r.batch), batchSize)
		page, more, err := j.readSubject(ctx, shard, r.subject, r.from, r.batch)
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

// merge returns a function that gives the entries of several subjects in the order in which they were stored; false at
// the end.
func (j *Journal) merge(shard int, readers []*reader) func(context.Context) (thread.Entry, bool, error) {
	return func(ctx context.Context) (thread.Entry, bool, error) {
		var first *reader
		var next *thread.Entry
		for _, r := range readers {
			e, err := r.peek(ctx, j, shard)
			if err != nil {
				return thread.Entry{}, false, err
			}
			if e != nil && (next == nil || e.Seq < next.Seq) {
				first, next = r, e
			}
		}
		if next == nil {
			return thread.Entry{}, false, nil
		}
		e := *next
		first.buffer = first.buffer[1:]
		return e, true, nil
	}
}

// Replay returns a function that gives the entries with sequences in (after, upTo] of the threads of these rows, which
// tell how far each had come at upTo, in order; false at the end. It reads the literal subjects of those threads, never
// the log between (measured: a wildcard scan takes 100–200 ms of a large log and stalls publishers). Errors: Unavailable;
// ErrDamaged if an entry is missing: what is given is without gaps. Of a thread that has been deleted, or is deleted
// meanwhile, nothing more is given but its tombstone: its entries are being erased, some before they are read.
func (j *Journal) Replay(u switchboard.UserID, rows []*thread.Row, after, upTo uint64) func(context.Context) (thread.Entry, bool, error) {
	s := j.Shard(u)
	var readers []*reader
	for _, r := range rows {
		for _, direction := range []string{"in", "out"} {
			subject, err := threadSubject(s, u, r.Summary.ThreadID, direction)
			if err != nil {
				continue // no such thread can exist
			}
			readers = append(readers, &reader{subject: subject, from: after + 1})
		}
	}
	next := j.merge(s, readers)
	var count *counted
	return func(ctx context.Context) (e thread.Entry, ok bool, err error) {
		if count == nil {
			if count, err = j.count(ctx, u, rows, readers, after); err != nil {
				return thread.Entry{}, false, err
			}
		}
		for {
			e, ok, err = next(ctx)
			switch {
			case err != nil:
				return thread.Entry{}, false, err
			case !ok || e.Seq > upTo:
				return thread.Entry{}, false, j.ended(ctx, u, count)
			case e.Event.Type == switchboard.ThreadDeleted:
				return e, true, nil
			}
			follows, live := count.take(e)
			switch {
			case follows:
				return e, true, nil
			case live:
				if err := j.gap(ctx, u, count, e.Event.ThreadID); err != nil {
					return thread.Entry{}, false, err
				}
			}
		}
	}
}

// gap is an entry that is missing, unless its thread has been deleted meanwhile: then nothing more of it is live.
func (j *Journal) gap(ctx context.Context, u switchboard.UserID, c *counted, t switchboard.ThreadID) error {
	e, found, err := j.Newest(ctx, u, t)
	if err != nil {
		return err
	}
	if found && e.Header.Summary.Created.IsZero() {
		delete(c.to, t)
		return nil
	}
	return fmt.Errorf("%w: a thread has a gap near its entry %d", ErrDamaged, c.at[t])
}

// ended checks that each thread was given to its end.
func (j *Journal) ended(ctx context.Context, u switchboard.UserID, c *counted) error {
	for t, n := range c.to {
		if c.at[t] < n {
			if err := j.gap(ctx, u, c, t); err != nil {
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
