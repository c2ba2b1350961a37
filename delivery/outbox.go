package delivery

import (
	"context"
	"errors"
	"sync"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// Outbox is everything that is to be written to one device, in order: replies as they come, and the stream of events
// and deltas. It is the device's only queue.
type Outbox struct {
	t *tail
	a *audience // set by attach

	opening switchboard.Cursor
	resync  *switchboard.Resync

	wake chan struct{} // holds a token when Next has something to look at
	room chan struct{} // holds a token when replies have been taken

	mu       sync.Mutex // guards what follows; taken after the tail's mu
	user     switchboard.UserID
	end      error    // why the device is to be closed
	replies  [][]byte // waiting
	held     bool     // the stream waits for the next reply
	plan     *replay  // what the device missed, to be given before live frames
	asked    []switchboard.RunID
	live     []item
	bytes    int
	overflow bool // live frames were dropped while the replay went on: replay again
	closed   bool
	current  *replay // under way; only the writer changes it

	// Only the writer uses what follows.
	next  func(context.Context) (thread.Entry, bool, error)
	view  view
	ready []item                            // to be given before live frames
	given map[switchboard.ThreadID]uint64   // how far each thread came in the replay
	gone  map[switchboard.ThreadID]struct{} // threads that were erased while they were replayed: their tombstones follow
}

// replay is what a device missed.
type replay struct {
	rows    []*thread.Row // of the threads that have moved since
	after   uint64
	upTo    uint64
	place   switchboard.Place // of the user's last event at or below upTo
	runs    map[switchboard.RunID]int
	further bool // goes on after an overflow: what the device knows of runs stays
}

// maxReplies is how many replies may wait before the device's next frame does.
const maxReplies = 32

func newOutbox(t *tail, u switchboard.UserID) *Outbox {
	return &Outbox{t: t, user: u, wake: make(chan struct{}, 1), room: make(chan struct{}, 1), view: view{}, gone: map[switchboard.ThreadID]struct{}{}}
}

// Opening returns the cursor that the device goes on from, and why its own could not be honoured.
func (o *Outbox) Opening() (switchboard.Cursor, *switchboard.Resync) { return o.opening, o.resync }

// attach makes the outbox part of its user's audience.
func (t *tail) attach(ctx context.Context, o *Outbox, c switchboard.Cursor) error {
	a, err := t.audience(ctx, o.user)
	if err != nil {
		return err
	}
	if err := a.hear(t.feed); err != nil {
		t.release(a)
		return err
	}
	o.a = a
	if _, bad := switchboard.ParseCursor(c); c != "" && bad != nil {
		o.opening, _, err = o.goOn(ctx, "")
		o.resync = &switchboard.Resync{Reason: unknownCursor}
		return err
	}
	o.opening, o.resync, err = o.goOn(ctx, c)
	return err
}

// unknownCursor is the reason of a resync for a cursor that names no event of the user.
const unknownCursor = "unknown_cursor"

// mostThreads is how many threads are replayed for a device: one that missed more loads the list anew, which costs less.
const mostThreads = 1000

// goOn plans the replay from a cursor and lets live frames in behind it.
func (o *Outbox) goOn(ctx context.Context, c switchboard.Cursor) (switchboard.Cursor, *switchboard.Resync, error) {
	var from *switchboard.Place
	var resync *switchboard.Resync
	if c != "" {
		place, err := switchboard.ParseCursor(c)
		if err != nil {
			return "", nil, err
		}
		if resync, err = o.t.honour(ctx, o.a, place); err != nil {
			return "", nil, err
		}
		if resync == nil {
			from = &place
			if err := o.t.wait(ctx, place.Seq); err != nil { // the device comes from a node that is ahead
				return "", nil, err
			}
		}
	}
	o.t.mu.Lock()
	defer o.t.mu.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return "", nil, context.Canceled
	}
	seq, chain := o.a.index.Last()
	p := &replay{after: seq, upTo: o.t.pos, place: o.t.place(seq, chain), runs: o.a.index.Active()}
	at := p.place
	if from != nil {
		if rows := o.a.index.Rows(from.Seq); len(rows) > mostThreads {
			resync = &switchboard.Resync{Reason: "too_far"}
		} else {
			p.after, p.rows, at = from.Seq, rows, *from
		}
	}
	o.plan, o.live, o.bytes, o.overflow = p, nil, 0, false
	o.a.devices[o] = struct{}{}
	o.signal()
	return at.Cursor(), resync, nil
}

// honour says whether a cursor can be gone on from; nil if it can.
func (t *tail) honour(ctx context.Context, a *audience, p switchboard.Place) (*switchboard.Resync, error) {
	if p.Epoch != t.b.cfg.Epoch {
		return &switchboard.Resync{Reason: "epoch"}, nil
	}
	t.mu.Lock()
	torn := p.Seq < a.torn
	t.mu.Unlock()
	if torn { // what the device missed cannot be given without a hole: it would be closed each time
		return &switchboard.Resync{Reason: "damaged"}, nil
	}
	if p.Seq == 0 {
		return nil, nil
	}
	e, found, err := t.b.cfg.Journal.At(ctx, a.user, p.Seq)
	if err != nil {
		return nil, err
	}
	if found && e.Header.Chain == p.Check {
		return nil, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !found && a.index.ErasedAfter(p.Seq) {
		return nil, nil
	}
	return &switchboard.Resync{Reason: unknownCursor}, nil
}

// Resume lets the stream go on from a cursor, after the next Reply. Errors: Invalid, Unavailable.
func (o *Outbox) Resume(ctx context.Context, c switchboard.Cursor) (switchboard.ResumeResult, error) {
	o.hold(true)
	_, resync, err := o.goOn(ctx, c)
	if err != nil {
		o.hold(false)
	}
	return switchboard.ResumeResult{Resync: resync}, err
}

// Resync gives the open text of a run, after the next Reply. Errors: NotFound, Conflict if the run has ended.
func (o *Outbox) Resync(ctx context.Context, r switchboard.RunID) error {
	o.t.mu.Lock()
	row := o.a.index.Row(r.Thread())
	ended := row != nil && row.Summary.ActiveRun != r
	never := row == nil || r.N() > row.N
	o.t.mu.Unlock()
	switch {
	case never:
		return switchboard.Errorf(switchboard.NotFound, "no such thing").At("payload.run_id")
	case ended:
		return switchboard.Errorf(switchboard.Conflict, "the run is not active").At("payload.run_id")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held = true
	o.asked = append(o.asked, r)
	return nil
}

func (o *Outbox) hold(held bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held = held
}

// Reply queues a reply, and lets the stream go on that waited for it. It blocks while the device does not read: that is
// the back pressure on what it sends.
func (o *Outbox) Reply(ctx context.Context, frame []byte) error { return o.queue(ctx, frame, true) }

// Notice queues a frame that answers nothing.
func (o *Outbox) Notice(ctx context.Context, frame []byte) error { return o.queue(ctx, frame, false) }

func (o *Outbox) queue(ctx context.Context, frame []byte, reply bool) error {
	for {
		o.mu.Lock()
		if o.closed || o.end != nil {
			err := o.end
			o.mu.Unlock()
			return errors.Join(err, context.Canceled)
		}
		if len(o.replies) < maxReplies {
			o.replies = append(o.replies, frame)
			o.held = o.held && !reply
			o.signal()
			o.mu.Unlock()
			return nil
		}
		o.mu.Unlock()
		select {
		case <-o.room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// End closes the device with an error's code, before anything that still waits.
func (o *Outbox) End(err *switchboard.Error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fail(err)
}

// fail is called with mu held.
func (o *Outbox) fail(err error) {
	if o.end == nil {
		o.end = err
		o.live, o.bytes = nil, 0
	}
	o.signal()
}

func (o *Outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// push takes a live frame. Called with the tail's mu held.
func (o *Outbox) push(it item) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.end != nil || o.closed || o.overflow {
		return
	}
	l := o.t.b.cfg.Limits
	full := func() bool {
		return len(o.live) >= l.OutboxFrames || o.bytes+len(it.frame) > l.OutboxBytes && len(o.live) > 0
	}
	if full() && it.delta != nil {
		return
	}
	if full() {
		o.dropDeltas()
	}
	if full() {
		if o.plan != nil || o.current != nil {
			o.live, o.bytes, o.overflow = nil, 0, true
			return
		}
		o.t.b.slow.Inc()
		o.fail(switchboard.Errorf(switchboard.Slow, "the device does not keep up"))
		return
	}
	o.live = append(o.live, it)
	o.bytes += len(it.frame)
	o.signal()
}

// dropDeltas makes room: deltas are previews.
func (o *Outbox) dropDeltas() {
	kept := o.live[:0]
	o.bytes = 0
	for _, it := range o.live {
		if it.delta == nil {
			kept = append(kept, it)
			o.bytes += len(it.frame)
		}
	}
	clear(o.live[len(kept):])
	o.live = kept
}

// Close takes the device out of its audience.
func (o *Outbox) Close() {
	o.t.mu.Lock()
	o.mu.Lock()
	gone := o.closed
	o.closed = true
	o.live, o.replies = nil, nil
	o.t.b.subscribers.set(o, false)
	if o.a != nil {
		delete(o.a.devices, o)
	}
	o.mu.Unlock()
	o.t.mu.Unlock()
	if o.a != nil && !gone {
		o.a.unhear()
		o.t.release(o.a)
	}
}
