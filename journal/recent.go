package journal

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/netra-systems/switchboard/thread"
)

// Recent gives fn the entries of a shard that were stored since an instant, in order, up to the sequence upTo, and
// rests between batches. An entry that cannot be read is left out: the check of the store tells of it. Errors:
// Unavailable, ctx's.
func (j *Journal) Recent(ctx context.Context, shard int, since time.Time, upTo uint64, pace time.Duration, fn func(thread.Entry)) error {
	r := getRequest{Start: &since, Next: ">", Batch: batchSize, MaxBytes: batchBytes}
	for {
		last := uint64(0)
		_, err := j.get(ctx, shard, r, func(m *nats.Msg) (err error) {
			if last, err = sequenceOf(m); err != nil || last > upTo {
				return err
			}
			if e, err := entryOf(m, m.Header.Get("Nats-Subject")); err == nil {
				fn(e)
			}
			return nil
		})
		if err != nil {
			return readError(err)
		}
		if last == 0 || last >= upTo {
			return nil
		}
		r.Start, r.Seq = nil, last+1
		select {
		case <-time.After(pace):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
