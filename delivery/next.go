package delivery

import (
	"context"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// item is a frame of the stream and what it is about: an event, a delta, or neither.
type item struct {
	user  switchboard.UserID
	frame []byte
	event *thread.Entry
	delta *switchboard.Delta
}

func deltaItem(u switchboard.UserID, frame []byte) (item, bool) {
	d, err := switchboard.DecodeDelta(frame)
	return item{user: u, frame: frame, delta: &d}, err == nil
}

// view is what a device knows of the active runs: it decides which deltas it may be given.
type view map[switchboard.RunID]*runView

type runView struct {
	attempt int
	step    int                            // the newest whose text and calls are an event
	final   map[switchboard.MessageID]bool // messages whose text is an event
	thought map[switchboard.MessageID]bool // messages whose reasoning is an event
}

func (v view) run(r switchboard.RunID, attempt int) *runView {
	x := v[r]
	if x == nil {
		x = &runView{final: map[switchboard.MessageID]bool{}, thought: map[switchboard.MessageID]bool{}}
		v[r] = x
	}
	x.attempt = max(x.attempt, attempt)
	return x
}

// event follows an event that is given to the device.
func (v view) event(e switchboard.Event) {
	switch p := e.Payload.(type) {
	case *switchboard.AgentStartedEvent:
		v.run(e.RunID, p.Attempt)
	case *switchboard.AgentResumedEvent:
		v.run(e.RunID, p.Attempt)
	case *switchboard.AgentMessageEvent:
		x := v.run(e.RunID, 0)
		x.step, x.final[p.MessageID] = p.Step, true
	case *switchboard.AgentThinkingEvent:
		if p.Source == "model" {
			v.run(e.RunID, 0).thought[p.MessageID] = true
		}
	case *switchboard.ThreadDeletedEvent:
		for r := range v {
			if r.Thread() == e.ThreadID {
				delete(v, r)
			}
		}
	}
	if e.Type.Terminal() {
		delete(v, e.RunID)
	}
}

// wants reports whether a delta may be given: not before its attempt's start, not of an older attempt, not of a
// message that is final.
func (v view) wants(d *switchboard.Delta) bool {
	x := v[d.RunID]
	p := d.Payload
	if x == nil || p.Attempt != x.attempt {
		return false
	}
	switch p.Kind {
	case switchboard.DeltaText:
		return !x.final[p.MessageID]
	case switchboard.DeltaToolArguments:
		return p.CallID.Step() > x.step
	case switchboard.DeltaThinking:
		return !x.final[p.MessageID] && !x.thought[p.MessageID]
	}
	return true
}

// Next waits for the next frame to write. A *switchboard.Error ends the device: the Close of its code is the close
// code. Its only caller is the device's writer.
func (o *Outbox) Next(ctx context.Context) ([]byte, error) {
	for {
		frame, err := o.reply()
		if frame != nil || err != nil {
			return frame, err
		}
		it, ok, err := o.stream(ctx)
		if err != nil {
			return nil, err
		}
		if ok {
			if frame := o.give(it); frame != nil {
				return frame, nil
			}
			continue
		}
		select {
		case <-o.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// reply takes the next reply, or the reason to close.
func (o *Outbox) reply() ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.end != nil {
		return nil, o.end
	}
	if len(o.replies) == 0 {
		return nil, nil
	}
	f := o.replies[0]
	o.replies = o.replies[1:]
	select {
	case o.room <- struct{}{}:
	default:
	}
	return f, nil
}

// give is the last step: the frame's user is compared with the device's.
func (o *Outbox) give(it item) []byte {
	b := o.t.b
	switch {
	case it.user != o.user:
		b.crossed.Inc()
		b.cfg.Log.Error("a frame was about to cross to another user and was dropped", "device_user", o.user, "frame_user", it.user)
		return nil
	case it.event != nil:
		if o.erased(it.event.Event) {
			return nil
		}
		o.view.event(it.event.Event)
		b.events.Inc()
	case it.delta != nil:
		if !o.view.wants(it.delta) {
			return nil
		}
		b.deltas.Inc()
	}
	return it.frame
}

// erased reports whether an event is of a thread whose entries before it are gone: its tombstone is all that is left to give.
func (o *Outbox) erased(e switchboard.Event) bool {
	_, gone := o.gone[e.ThreadID]
	if gone && e.Type == switchboard.ThreadDeleted {
		delete(o.gone, e.ThreadID)
		return false
	}
	return gone
}

// stream takes the next frame of the stream: of the replay, then what it left ready, then live.
func (o *Outbox) stream(ctx context.Context) (item, bool, error) {
	if held := o.begin(); held {
		return item{}, false, nil
	}
	if o.current != nil {
		it, ok, err := o.replayed(ctx)
		if ok || err != nil {
			return it, ok, err
		}
	}
	if len(o.ready) > 0 {
		it := o.ready[0]
		o.ready = o.ready[1:]
		return it, true, nil
	}
	o.mu.Lock()
	asked := o.asked
	o.asked = nil
	o.mu.Unlock()
	if len(asked) > 0 {
		for _, r := range asked {
			o.snapshot(ctx, r)
		}
		return o.stream(ctx)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.live) == 0 {
		return item{}, false, nil
	}
	it := o.live[0]
	o.live[0] = item{}
	o.live = o.live[1:]
	o.bytes -= len(it.frame)
	return it, true, nil
}

// begin takes up a new plan, and reports whether the stream waits for a reply.
func (o *Outbox) begin() (held bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held {
		return true
	}
	if o.plan != nil {
		o.current, o.plan, o.next, o.ready = o.plan, nil, nil, nil
	}
	return false
}

// replayed takes the next event of the replay; at its end the open messages and caught_up are made ready.
func (o *Outbox) replayed(ctx context.Context) (item, bool, error) {
	p := o.current
	if o.next == nil {
		if !p.further {
			o.view = view{}
		}
		o.next = o.t.b.cfg.Journal.Replay(o.user, p.rows, p.after, p.upTo)
		o.given = map[switchboard.ThreadID]uint64{}
	}
	e, ok, err := o.next(ctx)
	if err != nil {
		if switchboard.CodeOf(err) == switchboard.Internal && ctx.Err() == nil { // the log is damaged
			o.t.mu.Lock()
			o.a.torn = max(o.a.torn, p.upTo)
			o.t.mu.Unlock()
		}
		return item{}, false, switchboard.Wrap(switchboard.Unavailable, "the log cannot be read", err)
	}
	if ok {
		o.given[e.Event.ThreadID] = e.Header.N
		return o.t.item(e), true, nil
	}
	for _, r := range p.rows { // the log was whole, so what did not come to its end has been deleted
		if o.given[r.Summary.ThreadID] < r.N {
			o.gone[r.Summary.ThreadID] = struct{}{}
		}
	}
	o.given = nil
	if o.missed(p) {
		return item{}, false, nil
	}
	for r, attempt := range p.runs {
		if attempt > 0 {
			o.view.run(r, attempt)
			o.snapshot(ctx, r)
		}
	}
	o.ready = append(o.ready, item{user: o.user, frame: switchboard.EncodeNotice(switchboard.TypeCaughtUp, switchboard.CaughtUp{Cursor: p.place.Cursor()})})
	return item{}, false, nil
}

// missed ends the replay, and reports whether another follows: one that was asked for meanwhile, else a further one if live
// frames did not fit behind it.
func (o *Outbox) missed(p *replay) bool {
	o.t.mu.Lock()
	defer o.t.mu.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.next, o.current = nil, nil
	if o.plan != nil { // what does not fit behind that one, its own end finds
		return true
	}
	if !o.overflow {
		return false
	}
	seq, chain := o.a.index.Last()
	o.overflow = false
	o.plan = &replay{
		rows: o.a.index.Rows(p.upTo), after: p.upTo, upTo: o.t.pos,
		place: o.t.place(seq, chain), runs: o.a.index.Active(), further: true,
	}
	o.signal()
	return true
}

// snapshot makes the open text of a run ready.
func (o *Outbox) snapshot(ctx context.Context, r switchboard.RunID) {
	deltas, err := o.t.b.cfg.Journal.Snapshot(ctx, o.user, r)
	if err != nil {
		o.t.b.cfg.Log.Warn("the open text of a run cannot be had", "error", err)
		return
	}
	for _, d := range deltas {
		if it, ok := deltaItem(o.user, d); ok {
			o.ready = append(o.ready, it)
		}
	}
}
