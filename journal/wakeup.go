package journal

import (
	"context"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// advancer is the durable consumer of each shard that shares wake-ups among all workers.
const advancer = "advance"

// pullWait is how long one pull waits at the engine.
const pullWait = 30 * time.Second

// NextWakeup waits for a wake-up of a shard: one is asked for at a time, never ahead. Errors: ctx's, Unavailable.
func (j *Journal) NextWakeup(ctx context.Context, shard int) (thread.Wakeup, error) {
	for ctx.Err() == nil {
		w, err := j.pull(ctx, shard)
		if w != nil || err != nil {
			return w, err
		}
	}
	return nil, ctx.Err()
}

// pull asks once; nil if nothing came in time.
func (j *Journal) pull(ctx context.Context, shard int) (thread.Wakeup, error) {
	wait, cancel := context.WithTimeout(ctx, pullWait)
	defer cancel()
	batch, err := j.wakers[shard].Fetch(1, jetstream.FetchContext(wait))
	if err != nil {
		return nil, wakeError(ctx, err)
	}
	m, ok := <-batch.Messages()
	switch {
	case ok && ctx.Err() != nil: // it came to a worker that is going: given back at once
		m.Nak()
		return nil, ctx.Err()
	case ok:
		return newWakeup(m)
	}
	if err := batch.Error(); err != nil && wait.Err() == nil {
		return nil, wakeError(ctx, err)
	}
	return nil, nil
}

func wakeError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return readError(err)
}

type wakeup struct {
	m         jetstream.Msg
	user      switchboard.UserID
	thread    switchboard.ThreadID
	seq       uint64
	delivered uint64
}

func newWakeup(m jetstream.Msg) (thread.Wakeup, error) {
	meta, err := m.Metadata()
	if err != nil {
		return nil, err
	}
	u, t, err := parseSubject(m.Subject())
	if err != nil {
		return nil, err
	}
	return &wakeup{m, u, t, meta.Sequence.Stream, meta.NumDelivered}, nil
}

func (w *wakeup) User() switchboard.UserID     { return w.user }
func (w *wakeup) Thread() switchboard.ThreadID { return w.thread }
func (w *wakeup) Seq() uint64                  { return w.seq }
func (w *wakeup) Delivery() uint64             { return w.delivered }
func (w *wakeup) Heartbeat() error             { return w.m.InProgress() }

func (w *wakeup) Ack() error {
	ctx, cancel := context.WithTimeout(context.Background(), readWait)
	defer cancel()
	return w.m.DoubleAck(ctx)
}

func (w *wakeup) Nak(afterMS int64) error {
	return w.m.NakWithDelay(time.Duration(afterMS) * time.Millisecond)
}

// joinLines and splitLines carry several encoded deltas in one answer: JSON has no raw line feeds.
func joinLines(lines [][]byte) []byte {
	var out []byte
	for i, l := range lines {
		if i > 0 {
			out = append(out, '\n')
		}
		out = append(out, l...)
	}
	return out
}

func splitLines(b []byte) [][]byte {
	var out [][]byte
	for l := range strings.SplitSeq(string(b), "\n") {
		if l != "" {
			out = append(out, []byte(l))
		}
	}
	return out
}
