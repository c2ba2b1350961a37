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

// checkTries bounds how often a shard is read again because threads were erased meanwhile.
const checkTries = 3

func (j *Journal) checkShard(ctx context.Context, shard int, pace time.Duration, r *Report) error {
	for try := 1; ; try++ {
		a := audit{threads: map[threadOf]*audited{}}
		end, err := j.endOf(ctx, streamName(shard))
		if err != nil {
			return err
		}
		if err := j.read(ctx, streamName(shard), end.Last, pace, a.take); err != nil {
			return err
		}
		a.missing(end.Last)
		if len(a.findings) > 0 && try < checkTries {
			continue
		}
		r.Entries, r.Threads, r.Erased = r.Entries+a.entries, r.Threads+len(a.threads), r.Erased+a.erased
		for _, f := range a.findings {
			r.find("shard %d: %s", shard, f)
		}
		return nil
	}
}

// checkRecords counts the documents of a bucket.
func (j *Journal) checkRecords(ctx context.Context, stream string, r *Report) error {
	for try := 1; ; try++ {
		end, err := j.endOf(ctx, stream)
		if err != nil {
			return err
		}
		var read uint64
		if err := j.read(ctx, stream, end.Last, 0, func(*nats.Msg) { read++ }); err != nil {
			return err
		}
		if read < end.Messages && try < checkTries {
			continue // some were replaced meanwhile
		}
		r.Records += read
		if read < end.Messages {
			r.find("%s: %d of %d records cannot be read", strings.TrimPrefix(stream, "KV_"), end.Messages-read, end.Messages)
		}
		return nil
	}
}

// read gives all messages of a stream up to a sequence.
func (j *Journal) read(ctx context.Context, stream string, upTo uint64, pace time.Duration, fn func(*nats.Msg)) error {
	for from := uint64(1); from <= upTo; {
		var last uint64
		_, err := j.getFrom(ctx, stream, getRequest{Seq: from, Next: ">", Batch: batchSize, MaxBytes: batchBytes}, func(m *nats.Msg) error {
			seq, err := sequenceOf(m)
			if err == nil && seq <= upTo {
				fn(m)
			}
			last = seq
			return err
		})
		if err != nil {
			return readError(err)
		}
		if last == 0 {
			return nil
		}
		from = last + 1
		if pace > 0 {
			select {
			case <-time.After(pace):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
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
		a.findings = append(a.findings, fmt.Sprintf("%d of %d entries are missing", last-there, last))
	}
}
