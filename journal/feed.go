package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// Feed gives everything that happens in a shard from now on: each stored entry, in order and without a gap, and the
// deltas of the users listened to, in order with the entries as far as the engine keeps it. Live signals may be lost:
// the feed sees the hole in the sequence, or that the log's end of two seconds ago has not come, and reads what is
// missing before anything later is given.
//
// Next has one caller; Listen and Ignore may be called by any.
type Feed struct {
	j     *Journal
	shard int
	in    chan *nats.Msg
	sub   *nats.Subscription
	pos   uint64
	ready []thread.Entry
	after *nats.Msg // a live message that waits for ready to be given
	check *time.Ticker
	end   uint64           // of the log, at the last check
	lose  func(n int) bool // drops live entries in tests
	seen  int
}

// feedQueue bounds the live messages that wait; more are dropped by the client and read from the log.
const feedQueue = 16384

// checkEvery is how often the log's end is looked at, in case the last live signal was lost.
const checkEvery = 2 * time.Second

// Follow opens the feed of a shard at its end; Position tells where that is.
func (j *Journal) Follow(ctx context.Context, shard int) (*Feed, error) {
	f := &Feed{j: j, shard: shard, in: make(chan *nats.Msg, feedQueue), check: time.NewTicker(checkEvery)}
	var err error
	if f.sub, err = j.live.ChanSubscribe(liveSubject(shard), f.in); err != nil {
		return nil, readError(err)
	}
	if err := j.flush(); err != nil {
		return nil, readError(err)
	}
	stream, err := j.js.Stream(ctx, streamName(shard))
	if err != nil {
		return nil, readError(err)
	}
	f.pos = stream.CachedInfo().State.LastSeq
	return f, nil
}

// flush waits until the engine has taken the subscriptions. (Not by FlushTimeout: its timers are shared by all bubbles
// of a test.)
func (j *Journal) flush() error {
	ctx, cancel := context.WithTimeout(context.Background(), readWait)
	defer cancel()
	return j.live.FlushWithContext(ctx)
}

// Position returns the sequence at which the feed began or of the entry given last. Only Next's caller may ask.
func (f *Feed) Position() uint64 { return f.pos }

// Next waits for what happens next: an entry, or an encoded delta of a user; neither says that the log was looked at and
// nothing is missing. Errors: ctx's, Unavailable (call again), ErrDamaged.
func (f *Feed) Next(ctx context.Context) (entry *thread.Entry, user switchboard.UserID, delta []byte, err error) {
	for {
		if len(f.ready) > 0 {
			e := f.ready[0]
			f.ready = f.ready[1:]
			f.pos = e.Seq
			return &e, e.User, nil, nil
		}
		m := f.after
		f.after = nil
		if m == nil {
			select {
			case <-ctx.Done():
				return nil, "", nil, ctx.Err()
			case <-f.check.C:
				err := f.behind(ctx)
				f.check.Reset(checkEvery) // a tick that came while the engine did not answer is no check of two seconds later
				if err != nil || len(f.ready) == 0 {
					return nil, "", nil, err
				}
				continue
			case m = <-f.in:
			}
		}
		if u, ok := deltaUser(m.Subject); ok {
			return nil, u, m.Data, nil
		}
		if f.lose != nil {
			if f.seen++; f.lose(f.seen) {
				continue
			}
		}
		e, err := entryOf(m, m.Subject)
		switch {
		case err != nil:
			return nil, "", nil, err
		case e.Seq <= f.pos:
		case e.Seq == f.pos+1:
			f.pos = e.Seq
			return &e, e.User, nil, nil
		default:
			f.after = m
			if err := f.fill(ctx); err != nil {
				return nil, "", nil, err
			}
			if len(f.ready) == 0 { // the log holds e at least: a replica that is behind has answered
				return nil, "", nil, readError(fmt.Errorf("feed of shard %d: entry %d is not there yet", f.shard, f.pos+1))
			}
		}
	}
}

// Lose makes the feed lose the live signals for which lose returns true: a fault that tests inject. Only Next's caller
// may call it.
func (f *Feed) Lose(lose func(n int) bool) { f.lose = lose }

// behind reads what is missing if the feed has not come as far as the log was at the check before: what has been stored
// since may still be on its way, behind deltas that must be given first.
func (f *Feed) behind(ctx context.Context) error {
	stream, err := f.j.js.Stream(ctx, streamName(f.shard))
	if err != nil {
		return readError(err)
	}
	before := f.end
	f.end = stream.CachedInfo().State.LastSeq
	if f.pos >= before {
		return nil
	}
	return f.fill(ctx)
}

// fill reads what the log holds after the position.
func (f *Feed) fill(ctx context.Context) error {
	es, _, err := f.j.readSubject(ctx, f.shard, ">", f.pos+1, batchSize, batchBytes)
	if err != nil && !errors.Is(err, context.Canceled) {
		return readError(fmt.Errorf("feed of shard %d: %w", f.shard, err))
	}
	f.ready = es
	return err
}

// Listen adds the deltas of a user; call the returned function to end it.
func (f *Feed) Listen(u switchboard.UserID) (ignore func(), err error) {
	subject, err := deltaSubjects(u)
	if err != nil {
		return nil, err
	}
	sub, err := f.j.live.ChanSubscribe(subject, f.in)
	if err == nil {
		err = f.j.flush()
	}
	if err != nil {
		if sub != nil {
			sub.Unsubscribe()
		}
		return nil, readError(err)
	}
	return func() { sub.Unsubscribe() }, nil
}

// Close ends the feed.
func (f *Feed) Close() {
	f.check.Stop()
	f.sub.Unsubscribe()
}

// PublishDelta sends an encoded delta to whoever listens: not stored, at most once.
func (j *Journal) PublishDelta(u switchboard.UserID, t switchboard.ThreadID, delta []byte) error {
	subject, err := deltaSubject(u, t)
	if err != nil {
		return err
	}
	return j.write.Publish(subject, delta)
}

// Offer answers requests for the open text of a run with the encoded deltas that text returns; end stops it.
func (j *Journal) Offer(u switchboard.UserID, r switchboard.RunID, text func() [][]byte) (end func(), err error) {
	subject, err := snapshotSubject(u, r)
	if err != nil {
		return nil, err
	}
	sub, err := j.write.Subscribe(subject, func(m *nats.Msg) { m.Respond(joinLines(text())) })
	if err != nil {
		return nil, readError(err)
	}
	return func() { sub.Unsubscribe() }, nil
}

// Snapshot asks the holder of a run for its open text: encoded deltas, none if nobody holds it.
func (j *Journal) Snapshot(ctx context.Context, u switchboard.UserID, r switchboard.RunID) ([][]byte, error) {
	subject, err := snapshotSubject(u, r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	m, err := j.write.RequestWithContext(ctx, subject, nil)
	if errors.Is(err, nats.ErrNoResponders) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) {
		return nil, nil
	}
	if err != nil {
		return nil, readError(err)
	}
	return splitLines(m.Data), nil
}
