package agent

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// maxLost is how many takeovers in a row without a new step a run survives.
const maxLost = 5

// errStop is the cause of the end of a step whose run is to be stopped.
var errStop = errors.New("the run is to be stopped")

// errTime is the cause of the end of a run that took too long.
var errTime = errors.New("the run took too long")

// execution is one run that this task holds.
type execution struct {
	t     *task
	run   *thread.Run // guarded by the task's mu
	id    switchboard.RunID
	open  *openText
	agent Agent             // at work, as of the newest plan
	below int               // how many agents wait for it
	lost  switchboard.Usage // of a step that was broken off: the next event tells it
	terse bool              // summing up has failed: what does not fit is left out
	ends  bool              // it must end, whatever waits for a person
}

// plan is what a run needs next, as the log says.
type plan struct {
	why      switchboard.EventPayload // it must end
	partial  string
	started  []thread.Call // of all its agents, without a result
	todo     []thread.Call // of the agent at work, that wait for nobody
	waits    bool          // others of them wait for a person
	answered bool          // the agent was asked and has answered
	handTo   string
	reason   string
	deadline time.Time
}

// run goes on with a claimed run after its last recorded step, until it has ended or waits. Nil: fold again.
func (t *task) run(ctx context.Context, run *thread.Run) error {
	x := &execution{t: t, run: run, id: run.ID, open: &openText{}}
	end, err := t.r.cfg.Previews.Offer(t.st.User, run.ID, x.open.encode)
	if err != nil {
		return err
	}
	defer end()
	defer t.r.cfg.Watch(t.st.User, t.st.Thread, func(e thread.Entry) {
		if e.Event.ByPerson() {
			t.poke()
		}
	})()
	return t.goOn(ctx, x.next)
}

// goOn does a run's pieces of work one after the other, as long as something is recorded.
func (t *task) goOn(ctx context.Context, next func(context.Context) (more bool, err error)) error {
	for idle := 0; idle < maxIdle; idle++ {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		before := t.seq()
		more, err := next(ctx)
		if err != nil || !more {
			return err
		}
		if t.seq() != before {
			idle = 0
		}
	}
	return errIdle
}

// maxIdle is how often a run may go on without anything being recorded. Nothing should be able to let it come so far; if
// something does, the wake-up is given back for a second, with an error in the log.
const maxIdle = 100

var errIdle = errors.New("a run goes on, and nothing is recorded")

// seq returns the sequence of the newest entry that is known.
func (t *task) seq() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.st.Seq
}

// plan reads what is next from the fold. Called with mu held.
func (x *execution) plan() plan {
	run := x.run
	x.agent, x.below = x.t.r.agents[run.Agent], len(run.Below)
	p := plan{deadline: run.Deadline(x.t.r.timeLimit(run))}
	began := func(c *thread.Call) bool { return c.Started }
	p.started = openCalls(run.Step, began)
	for _, f := range run.Below {
		p.started = append(p.started, openCalls(f.Step, began)...)
	}
	p.todo = openCalls(run.Step, func(c *thread.Call) bool { return !c.Waits() })
	p.waits = len(openCalls(run.Step, (*thread.Call).Waits)) > 0
	p.answered = x.below > 0 && run.Step.Recorded && len(run.Step.Calls) == 0
	p.handTo, p.reason = x.handedTo(), x.handReason()
	p.why, p.partial = x.ending()
	return p
}

// next does the run's next piece of work. False: it has ended, waits, or is another's.
func (x *execution) next(ctx context.Context) (more bool, err error) {
	t := x.t
	t.mu.Lock()
	if held, err := x.heldLocked(); !held {
		t.mu.Unlock()
		return false, err
	}
	p := x.plan()
	x.ends = p.why != nil
	t.mu.Unlock()

	switch {
	case p.why != nil && len(p.started) > 0:
		return true, x.dispatch(ctx, p.started, true)
	case p.why != nil:
		x.open.reset()
		return true, x.end(ctx, p.why, p.partial)
	}
	ctx, cancel := context.WithDeadlineCause(ctx, p.deadline, errTime)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer stop(nil)
	watch.Go(func() { x.watch(ctx, stop) })
	more, err = x.work(ctx, p)
	switch cause := context.Cause(ctx); {
	case err == nil, errors.Is(err, errLost), errors.Is(err, errDead):
		return more, err
	case errors.Is(err, errStop), errors.Is(cause, errStop), errors.Is(cause, errTime):
		return true, nil
	case cause != nil:
		return false, cause
	case unstorable(err):
		t.r.cfg.Logger.Error("what an agent said cannot be stored; its run is failed", "agent", x.agent.Name, "error", err)
		x.open.reset()
		return true, x.fail(ctx, failure(switchboard.AgentError, "what the agent said cannot be stored", false, ""), switchboard.Usage{})
	}
	return more, err
}

// work does what the plan says. False: the run waits for a person.
func (x *execution) work(ctx context.Context, p plan) (more bool, err error) {
	calls := p.todo
	if x.agent.Run != nil { // the function makes its calls itself, but for those that lead to other agents
		calls = slices.DeleteFunc(slices.Clone(calls), func(c thread.Call) bool {
			_, leads := x.agent.route(c.Tool)
			return !leads
		})
	}
	switch {
	case len(calls) > 0:
		return true, x.calls(ctx, calls)
	case p.waits && len(p.todo) == 0:
		return false, nil
	case p.answered:
		return true, x.back(ctx)
	case p.handTo != "":
		return true, x.hand(ctx, p.handTo, p.reason, thread.Note{})
	case x.agent.Run != nil:
		return true, x.function(ctx)
	}
	return true, x.step(ctx)
}

// back gives the answer to the agent that asked.
func (x *execution) back(ctx context.Context) error {
	x.t.mu.Lock()
	to := ""
	if k := len(x.run.Below); k > 0 {
		to = x.run.Below[k-1].Agent
	}
	x.t.mu.Unlock()
	return x.hand(ctx, to, "", thread.Note{Back: true})
}

// unstorable reports whether an event can never be stored: to try again would be in vain.
func unstorable(err error) bool {
	switch switchboard.CodeOf(err) {
	case switchboard.TooLarge, switchboard.Invalid:
		return true
	}
	return false
}

// heldLocked reports whether our claim is still the newest; errLost if another worker's is.
func (x *execution) heldLocked() (bool, error) {
	r := x.t.st.Run(x.id)
	switch {
	case r == nil || r.Phase != thread.Active && !(x.ends && r.Phase == thread.Suspended):
		return false, nil
	case r.Claim != x.t.claim && x.t.r.cfg.Break&RuleFence == 0:
		return false, errLost
	}
	return true, nil
}

// may says why nothing more may be written: errLost, or errStop if the run is to be stopped. Called with mu held.
func (x *execution) may() error {
	if held, err := x.heldLocked(); err != nil {
		return err
	} else if !held {
		return errLost
	}
	if x.run.Stop != "" {
		return errStop
	}
	return nil
}

// watch folds what people do while a step is in work: a stop ends it, and so does a newer claim.
func (x *execution) watch(ctx context.Context, stop context.CancelCauseFunc) {
	t := x.t
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.news:
		}
		t.mu.Lock()
		err := t.foldLocked(ctx)
		held, lost := x.heldLocked()
		stopped := held && x.run.Stop != ""
		t.mu.Unlock()
		switch {
		case err != nil: // the log is asked again with the next heartbeat
		case lost != nil:
			stop(errLost)
		case !held, stopped:
			stop(errStop)
		}
	}
}

// openCalls returns the calls of a step that have no result.
func openCalls(step thread.Step, which func(*thread.Call) bool) []thread.Call {
	var out []thread.Call
	for i := range step.Calls {
		if c := &step.Calls[i]; !c.Done && which(c) {
			out = append(out, *c)
		}
	}
	return out
}
