package agent

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// errLost says that a newer claim than ours exists: stop, silently, without an ack.
var errLost = errors.New("superseded")

// errDead says that a test has ended this worker.
var errDead = errors.New("dead")

// task is one wake-up in work.
type task struct {
	r    *Runner
	w    thread.Wakeup
	news chan struct{} // holds a token when the thread may have moved
	last atomic.Int64  // when heartbeats end, in Unix nanoseconds: the longest run has ended by then

	mu      thread.Turn // guards what follows, also while the log is waited for
	st      *thread.State
	history []thread.Entry // what agents remember; nil until it is asked for
	claim   uint64         // sequence of our newest claim
	done    done           // the run completed last
}

// point is a step boundary.
func (t *task) point(ctx context.Context, name string) error {
	if t.r.cfg.Point == nil {
		return nil
	}
	if err := t.r.cfg.Point(ctx, Point{name, t.w}); err != nil {
		return fmt.Errorf("%w: %w", errDead, err)
	}
	return nil
}

// extend lets the heartbeats go on for one more run.
func (t *task) extend() {
	t.last.Store(time.Now().Add(switchboard.Milliseconds(t.r.cfg.Limits.RunMS) + t.r.cfg.AckWait).UnixNano())
}

// heartbeat keeps the wake-up ours, and looks for news in case a signal was lost, until the longest run must have ended.
func (t *task) heartbeat(ctx context.Context) {
	tick := time.NewTicker(t.r.cfg.AckWait / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if now.UnixNano() > t.last.Load() || t.point(ctx, "heartbeat") != nil {
				return
			}
			t.w.Heartbeat()
			t.poke()
		}
	}
}

func (t *task) poke() {
	select {
	case t.news <- struct{}{}:
	default:
	}
}

// fold reads what is new of the thread.
func (t *task) fold(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.foldLocked(ctx)
}

func (t *task) foldLocked(ctx context.Context) error {
	if t.st.N == 0 {
		st, err := thread.Load(ctx, t.r.cfg.Log, t.st.User, t.st.Thread)
		if err == nil {
			t.st = st
		}
		return err
	}
	news, err := t.r.cfg.Log.Read(ctx, t.st.User, t.st.Thread, t.st.Position)
	if err != nil {
		return err
	}
	for _, e := range news {
		t.st.Apply(e)
	}
	t.note(news...)
	return nil
}

// note adds to what agents remember, if it has been asked for.
func (t *task) note(es ...thread.Entry) {
	if t.history != nil {
		t.history = append(t.history, es...)
	}
}

// remember is the task's Log: what is read or written is history too.
type remember struct{ t *task }

func (l remember) Append(ctx context.Context, u switchboard.UserID, d thread.Draft, at thread.Position) (thread.Entry, error) {
	if err := l.t.point(ctx, "append"); err != nil {
		return thread.Entry{}, err
	}
	e, err := l.t.r.cfg.Log.Append(ctx, u, d, at)
	if err == nil {
		if err := l.t.point(ctx, "stored"); err != nil {
			return thread.Entry{}, err
		}
		l.t.note(e)
	}
	return e, err
}

func (l remember) Read(ctx context.Context, u switchboard.UserID, id switchboard.ThreadID, after thread.Position) ([]thread.Entry, error) {
	news, err := l.t.r.cfg.Log.Read(ctx, u, id, after)
	l.t.note(news...)
	return news, err
}

// put appends an event of this worker. False: others wrote first, their entries are folded, decide anew. A last event
// must not be lost with the context.
func (t *task) put(ctx context.Context, run switchboard.RunID, p switchboard.EventPayload, h thread.Header) (bool, error) {
	h.Worker = t.r.cfg.Worker
	d := thread.Draft{Event: switchboard.Event{Type: p.EventType(), RunID: run, Time: switchboard.At(time.Now()), Payload: p}, Header: h}
	return t.st.Put(context.WithoutCancel(ctx), remember{t}, d)
}

// advance does what the thread needs, run after run, until it is at rest or another wake-up answers for it. An error
// leaves the wake-up unacknowledged.
func (t *task) advance(ctx context.Context) error {
	if err := t.point(ctx, "delivered"); err != nil {
		return err
	}
	if err := t.fold(ctx); err != nil {
		return err
	}
	for {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := t.point(ctx, "folded"); err != nil {
			return err
		}
		done, err := t.once(ctx)
		if done || err != nil {
			return err
		}
	}
}

// once does the thread's next action; done says that the wake-up has been answered.
func (t *task) once(ctx context.Context) (done bool, err error) {
	t.mu.Lock()
	st := t.st
	what, run := st.Next()
	expires, call := st.Expiry()
	switch {
	case st.Seq < t.w.Seq(): // a replica that is behind answered
		err := t.foldLocked(ctx)
		t.mu.Unlock()
		if err == nil && t.st.Seq < t.w.Seq() {
			err = switchboard.Errorf(switchboard.Unavailable, "the log does not hold the wake-up yet")
		}
		return false, err
	case st.Deleted:
		t.mu.Unlock()
		if err := t.r.cfg.Log.Erase(ctx, st.User, st.Thread, st.Seq); err != nil {
			return false, err
		}
		return true, t.ack(ctx)
	case what == thread.Nothing && call != nil:
		defer t.mu.Unlock()
		return t.await(ctx, run, expires, call)
	case what == thread.Nothing && t.done.run != "":
		t.mu.Unlock()
		return false, t.title(ctx)
	case what == thread.Nothing, !t.onDuty(what, run):
		t.mu.Unlock()
		return true, t.ack(ctx)
	case t.late():
		t.mu.Unlock()
		return false, errLost
	}
	t.mu.Unlock()
	if !t.r.enter(ctx, st.User, st.Thread, what) {
		return true, t.w.Nak(1000 + rand.Int64N(500))
	}
	defer t.r.end(t.r.active, st.User)
	held, err := t.take(ctx, what, run)
	if err != nil || !held {
		return false, err
	}
	return false, t.run(ctx, run)
}

// onDuty reports whether this wake-up answers for the thread. Called with mu held.
func (t *task) onDuty(what thread.Action, run *thread.Run) bool {
	if t.r.cfg.Break&RuleDuty != 0 { // naively: a thread that was claimed under another wake-up is left to that
		return what != thread.TakeOver || run.Wake == t.w.Seq()
	}
	return t.st.Duty == t.w.Seq()
}

// late reports whether a later delivery of this wake-up has made a claim, or this one in another life. Called with mu
// held.
func (t *task) late() bool {
	if t.r.cfg.Break&RuleClaim != 0 {
		return false
	}
	return t.st.Claimed > t.w.Delivery() || t.st.Claimed == t.w.Delivery() && t.claim == 0
}

func (t *task) ack(ctx context.Context) error {
	if err := t.point(ctx, "ack"); err != nil {
		return err
	}
	return t.w.Ack()
}

// await keeps a wake-up for the moment when an approval expires, and then writes the denial. Called with mu held.
func (t *task) await(ctx context.Context, run *thread.Run, expires time.Time, call *thread.Call) (done bool, err error) {
	if d := time.Until(expires); d > 0 {
		return true, t.w.Nak(d.Milliseconds() + 100)
	}
	_, err = t.put(ctx, run.ID, &switchboard.ToolDecidedEvent{CallID: call.CallID, Decision: switchboard.Deny, By: "timeout"}, thread.Header{})
	return false, err
}

// take claims a run. False: others wrote first.
func (t *task) take(ctx context.Context, what thread.Action, run *thread.Run) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.r.agents[run.Agent]
	h := thread.Header{Wake: t.w.Seq(), Delivery: t.w.Delivery(), Note: thread.Note{Keep: a.sumsUp()}}
	attempt := run.Attempt + 1
	var p switchboard.EventPayload
	if run.Phase == thread.Queued {
		p = &switchboard.AgentStartedEvent{Agent: run.Agent, Model: a.ModelName(), Attempt: attempt}
	} else {
		resumed := &switchboard.AgentResumedEvent{Attempt: attempt, Reason: switchboard.ResumedTakeover}
		switch what {
		case thread.GoOn:
			resumed.Reason = switchboard.ResumedDecision
		case thread.EndRun:
			resumed.Reason = switchboard.ResumedStop
		}
		if run.Step.N > 0 && !run.Step.Recorded {
			resumed.Discards = []switchboard.MessageID{run.ID.Message(run.Attempt, run.Step.N)}
		}
		p = resumed
	}
	stored, err := t.put(ctx, run.ID, p, h)
	if err != nil || !stored {
		return false, err
	}
	if run.Attempt != attempt { // whether it was stored was not known, and meanwhile it was lost again
		return false, errLost
	}
	t.claim = run.Claim
	t.extend()
	if what == thread.TakeOver {
		t.r.takeovers.Inc()
	}
	return true, nil
}
