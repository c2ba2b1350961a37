// Package delivery is the one Broadcaster: it follows the log and gives each device of a user what the log holds, in
// its order.
//
// There is one tail per shard and node. A device attaches at the tail's position: first it is given what it missed,
// then what happens; never an event at or below its cursor, never one twice, never a hole. Every event goes to the
// devices of its own user and to no other: the user is compared once more at the last step. Deltas are previews and
// may be dropped; events never: a device that does not keep up is closed and comes back with its cursor.
//
// Everything may be called concurrently, but for Outbox.Next, which belongs to the device's writer.
package delivery

import (
	"context"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// Feed is everything that happens in a shard, in order. Its Next returns nothing at all, now and then, if the log was
// looked at and nothing is missing.
type Feed interface {
	Next(ctx context.Context) (e *thread.Entry, u switchboard.UserID, delta []byte, err error)
	Position() uint64
	Listen(u switchboard.UserID) (ignore func(), err error)
	Close()
}

// Journal is what delivery reads of the log.
type Journal interface {
	Heads(ctx context.Context, u switchboard.UserID) ([]thread.Entry, error)
	Since(ctx context.Context, u switchboard.UserID, after uint64) ([]thread.Entry, error)
	LoadIndex(ctx context.Context, u switchboard.UserID) (base string, list, recent []byte, err error)
	SaveIndex(ctx context.Context, u switchboard.UserID, list []byte) (base string, err error)
	SaveRecent(ctx context.Context, u switchboard.UserID, base string, recent []byte) error
	Stored(u switchboard.UserID) uint64
	At(ctx context.Context, u switchboard.UserID, seq uint64) (thread.Entry, bool, error)
	Replay(u switchboard.UserID, rows []*thread.Row, after, upTo uint64) func(context.Context) (thread.Entry, bool, error)
	Snapshot(ctx context.Context, u switchboard.UserID, r switchboard.RunID) ([][]byte, error)
}

// Config is what a Broadcaster needs.
type Config struct {
	Journal  Journal
	Follow   func(ctx context.Context, shard int) (Feed, error)
	Shards   int
	Shard    func(switchboard.UserID) int
	Epoch    string
	Limits   switchboard.Limits
	Observe  func(thread.Entry)    // is shown every entry of every user, in order per shard; may be nil
	Registry prometheus.Registerer // may be nil
	Log      *slog.Logger
}

// Broadcaster delivers.
type Broadcaster struct {
	cfg     Config
	tails   []*tail
	crossed prometheus.Counter
	slow    prometheus.Counter
	events  prometheus.Counter
	deltas  prometheus.Counter

	subscribers subscribers
}

// New returns a Broadcaster that follows nothing yet: Start opens its tails, Run follows them.
func New(cfg Config) *Broadcaster {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "switchboard_" + name, Help: help})
		if cfg.Registry != nil {
			cfg.Registry.MustRegister(c)
		}
		return c
	}
	b := &Broadcaster{
		cfg:     cfg,
		crossed: counter("crossed_lines_total", "Frames that were about to reach a user they do not belong to, and were dropped. Must be zero."),
		slow:    counter("slow_devices_total", "Devices closed because they did not keep up."),
		events:  counter("events_delivered_total", "Events given to devices."),
		deltas:  counter("deltas_delivered_total", "Deltas given to devices."),
	}
	return b
}

// Start opens the tails at the end of the log.
func (b *Broadcaster) Start(ctx context.Context) error {
	for s := range b.cfg.Shards {
		f, err := b.cfg.Follow(ctx, s)
		if err != nil {
			return err
		}
		b.tails = append(b.tails, newTail(b, f))
	}
	return nil
}

// Run follows the log until ctx ends, then closes the tails.
func (b *Broadcaster) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, t := range b.tails {
		wg.Go(func() { t.run(ctx) })
		wg.Go(func() { t.save(ctx) })
	}
	wg.Wait()
	return nil
}

// Open attaches a device of a user, to go on from a cursor; without one it is given what happens from now on. Close
// the Outbox when the device has gone. A cursor that cannot be honoured is told by Opening. Errors: Unavailable.
func (b *Broadcaster) Open(ctx context.Context, u switchboard.UserID, c switchboard.Cursor) (*Outbox, error) {
	t := b.tail(u)
	o := newOutbox(t, u)
	if err := t.attach(ctx, o, c); err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

// Watch calls fn with each new entry of a thread, soon after it is stored and maybe late or never: a signal, not a
// proof. fn must not block. Call the returned function to end it.
func (b *Broadcaster) Watch(u switchboard.UserID, id switchboard.ThreadID, fn func(thread.Entry)) (end func()) {
	return b.tail(u).watch(id, fn)
}

// Index calls fn with the list of a user's threads, as far as the tail has come. fn must not keep it.
func (b *Broadcaster) Index(ctx context.Context, u switchboard.UserID, fn func(*thread.Index) error) error {
	t := b.tail(u)
	a, err := t.audience(ctx, u)
	if err != nil {
		return err
	}
	defer t.release(a)
	t.mu.Lock()
	defer t.mu.Unlock()
	return fn(a.index)
}

// CatchUp waits until the list of a user holds what was appended on this node: whoever was told that something is stored
// must find it there. Errors: Unavailable.
func (b *Broadcaster) CatchUp(ctx context.Context, u switchboard.UserID) error {
	return b.tail(u).wait(ctx, b.cfg.Journal.Stored(u))
}

// Ready returns why the log cannot be followed, nil if it can.
func (b *Broadcaster) Ready() error {
	for _, t := range b.tails {
		t.mu.Lock()
		err := t.broken
		t.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *Broadcaster) tail(u switchboard.UserID) *tail { return b.tails[b.cfg.Shard(u)] }
