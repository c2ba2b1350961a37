package journal

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// Report is what a check of the store found.
type Report struct {
	Entries  uint64   // read
	Threads  int      // of all users
	Erased   uint64   // entries that were erased with their threads
	Records  uint64   // small documents
	Findings []string // what is damaged; none: the store holds what was written to it
}

func (r *Report) find(format string, args ...any) {
	const enough = 100
	if len(r.Findings) < enough {
		r.Findings = append(r.Findings, fmt.Sprintf(format, args...))
	}
}

// Check reads everything and holds it against what must be: each thread is numbered without gaps and chained, no entry
// is missing but those of deleted threads, and everything that the engine says it has can be read. It waits for pace
// after each batch of entries, so that it may run beside a server. Errors: ctx's, Unavailable.
func (j *Journal) Check(ctx context.Context, pace time.Duration) (Report, error) {
	var r Report
	for s := range j.shards {
		if err := j.checkShard(ctx, s, pace, &r); err != nil {
			return r, err
		}
	}
	names := j.js.StreamNames(ctx)
	for name := range names.Name() {
		if strings.HasPrefix(name, "KV_") {
			if err := j.checkRecords(ctx, name, &r); err != nil {
				return r, err
			}
		}
	}
	if err := names.Err(); err != nil {
		return r, readError(err)
	}
	return r, nil
}

// checkShard reads a shard until there is no more: a thread that is deleted meanwhile has its tombstone before its entries
// go, so what is missing at the end was lost.
func (j *Journal) checkShard(ctx context.Context, shard int, pace time.Duration, r *Report) error {
	a := audit{threads: map[threadOf]*audited{}}
	end, err := j.endOf(ctx, streamName(shard))
	if err != nil {
		return err
	}
	last, err := j.readWhole(ctx, streamName(shard), 0, pace, a.take)
	if err != nil {
		return err
	}
	a.missing(max(end.Last, last))
	r.Entries, r.Threads, r.Erased = r.Entries+a.entries, r.Threads+len(a.threads), r.Erased+a.erased
	for _, f := range a.findings {
		r.find("shard %d: %s", shard, f)
	}
	return nil
}

// recordTries bounds how often a bucket is counted that changes meanwhile.
const recordTries = 5

// checkRecords counts the documents of a bucket. In one that never stands still nothing can be said to be missing.
func (j *Journal) checkRecords(ctx context.Context, stream string, r *Report) error {
	for try := 1; ; try++ {
		end, err := j.endOf(ctx, stream)
		if err != nil {
			return err
		}
		var read uint64
		last, err := j.readWhole(ctx, stream, 0, 0, func(*nats.Msg) { read++ })
		if err != nil {
			return err
		}
		now, err := j.endOf(ctx, stream)
		if err != nil {
			return err
		}
		still := now == end && last <= end.Last
		if read < end.Messages && !still && try < recordTries {
			continue
		}
		r.Records += read
		if read < end.Messages && still {
			r.find("%s: %d of %d records cannot be read", strings.TrimPrefix(stream, "KV_"), end.Messages-read, end.Messages)
		}
		return nil
	}
}

// readWhole gives all messages of a stream after a sequence, and returns the sequence of the last.
func (j *Journal) readWhole(ctx context.Context, stream string, after uint64, pace time.Duration, fn func(*nats.Msg)) (last uint64, err error) {
	last = after
	for {
		from := last + 1
		_, err := j.getFrom(ctx, stream, getRequest{Seq: from, Next: ">", Batch: batchSize, MaxBytes: batchBytes}, func(m *nats.Msg) (err error) {
			if last, err = sequenceOf(m); err == nil {
				fn(m)
			}
			return err
		})
		if err != nil {
			return last, readError(err)
		}
		if last < from {
			return last, nil
		}
		select {
		case <-time.After(pace):
		case <-ctx.Done():
			return last, ctx.Err()
		}
	}
}

type threadOf struct {
	user   switchboard.UserID
	thread switchboard.ThreadID
}

// audited is what has been read of a thread.
type audited struct {
	at    thread.Position
	read  uint64
	gone  bool   // deleted
	fault string // forgotten if the thread turns out to be deleted: its entries are being erased
}

// audit reads a shard in order.
type audit struct {
	threads         map[threadOf]*audited
	entries, erased uint64
	findings        []string
}

func (a *audit) take(m *nats.Msg) {
	a.entries++
	e, err := entryOf(m, m.Header.Get("Nats-Subject"))
	if err != nil {
		a.findings = append(a.findings, err.Error())
		return
	}
	k := threadOf{e.User, e.Event.ThreadID}
	t := a.threads[k]
	if t == nil {
		t = &audited{}
		a.threads[k] = t
	}
	switch {
	case e.Event.Type == switchboard.ThreadDeleted:
		t.gone = true
		a.erased += e.Header.N - 1 - t.read
	case t.fault != "":
	case e.Header.N != t.at.N+1:
		t.fault = fmt.Sprintf("thread %s of user %s: entry %d follows %d", k.thread, k.user, e.Header.N, t.at.N)
	case e.Header.Chain != chain(t.at.Chain, e.Data):
		t.fault = fmt.Sprintf("thread %s of user %s: entry %d is not what was written", k.thread, k.user, e.Header.N)
	}
	t.read++
	t.at = thread.Position{N: e.Header.N, Seq: e.Seq, Chain: e.Header.Chain}
}

// missing counts what should be there: every sequence up to the last is an entry, or was erased with its thread.
func (a *audit) missing(last uint64) {
	for _, t := range a.threads {
		if t.fault != "" && !t.gone {
			a.findings = append(a.findings, t.fault)
		}
	}
	if there := a.entries + a.erased; there < last {
		a.findings = append(a.findings, fmt.Sprintf("%d entries are missing", last-there))
	}
}
