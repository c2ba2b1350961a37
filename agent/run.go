package agent

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
	"github.com/netra-systems/switchboard/tool"
)

// maxLost is how many takeovers in a row without a new step a run survives.
const maxLost = 5

// errStop is the cause of the end of a step whose run is to be stopped.
var errStop = errors.New("the run is to be stopped")

// execution is one run that this task holds.
type execution struct {
	t    *task
	run  *thread.Run // guarded by the task's mu
	id   switchboard.RunID
	open *openText
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
		if e.Event.Type.ByPerson() {
			t.poke()
		}
	})()
	for {
		more, err := x.next(ctx)
		if err != nil || !more {
			return err
		}
	}
}

// next does the run's next piece of work. False: it has ended, waits, or is another's.
func (x *execution) next(ctx context.Context) (more bool, err error) {
	t := x.t
	t.mu.Lock()
	if held, err := x.heldLocked(); !held {
		t.mu.Unlock()
		return false, err
	}
	run := x.run
	started := openCalls(run, func(c *thread.Call) bool { return c.Started })
	todo := openCalls(run, func(c *thread.Call) bool { return !c.Waits() })
	why, partial := x.ending()
	deadline := run.Deadline(switchboard.Milliseconds(t.r.cfg.Limits.RunMS))
	recorded := run.Step.Recorded
	waits := len(openCalls(run, (*thread.Call).Waits)) > 0
	t.mu.Unlock()

	switch {
	case why != nil && len(started) > 0:
		return true, x.dispatch(ctx, started, true)
	case why != nil:
		x.open.reset()
		return true, x.end(ctx, why, partial)
	}
	ctx, cancel := context.WithDeadlineCause(ctx, deadline, errTime)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer stop(nil)
	watch.Go(func() { x.watch(ctx, stop) })
	switch {
	case recorded && len(todo) > 0:
		err = x.calls(ctx, todo)
	case recorded && waits:
		return false, nil
	default:
		err = x.step(ctx)
	}
	switch cause := context.Cause(ctx); {
	case err == nil, errors.Is(err, errLost), errors.Is(err, errDead):
		return true, err
	case errors.Is(err, errStop), errors.Is(cause, errStop), errors.Is(cause, errTime):
		return true, nil
	case cause != nil:
		return false, cause
	case unstorable(err):
		t.r.cfg.Logger.Error("what an agent said cannot be stored; its run is failed", "agent", run.Agent, "error", err)
		x.open.reset()
		return true, x.fail(ctx, failure(switchboard.AgentError, "what the agent said cannot be stored", false, ""))
	}
	return true, err
}

// unstorable reports whether an event can never be stored: to try again would be in vain.
func unstorable(err error) bool {
	switch switchboard.CodeOf(err) {
	case switchboard.TooLarge, switchboard.Invalid:
		return true
	}
	return false
}

// errTime is the cause of the end of a run that took too long.
var errTime = errors.New("the run took too long")

// heldLocked reports whether our claim is still the newest; errLost if another worker's is.
func (x *execution) heldLocked() (bool, error) {
	r := x.t.st.Run(x.id)
	switch {
	case r == nil || r.Phase != thread.Active:
		return false, nil
	case r.Claim != x.t.claim && x.t.r.cfg.Break&RuleFence == 0:
		return false, errLost
	}
	return true, nil
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

// openCalls returns the calls of the newest step that have no result.
func openCalls(run *thread.Run, which func(*thread.Call) bool) []thread.Call {
	var out []thread.Call
	for i := range run.Step.Calls {
		if c := &run.Step.Calls[i]; !c.Done && which(c) {
			out = append(out, *c)
		}
	}
	return out
}

// ending returns the terminal event if the run must end now. Called with mu held.
func (x *execution) ending() (switchboard.EventPayload, string) {
	run := x.run
	partial := x.open.text()
	switch {
	case run.Stop != "":
		p := &switchboard.AgentStoppedEvent{Reason: run.Stop, PartialText: partial}
		if run.Stop == switchboard.StoppedRollback {
			p.Withdraws, p.PartialText = run.Entries, ""
		}
		return p, partial
	case run.Lost >= maxLost:
		return failure(switchboard.AttemptsExhausted, "the run was lost by too many workers", true, partial), partial
	case !x.t.r.Has(run.Agent):
		return failure(switchboard.AgentUnknown, "there is no such agent here", false, partial), partial
	case !time.Now().Before(run.Deadline(switchboard.Milliseconds(x.t.r.cfg.Limits.RunMS))):
		return failure(switchboard.BudgetTime, "the run took too long", true, partial), partial
	}
	return nil, ""
}

func failure(code switchboard.FailureCode, message string, retryable bool, partial string) *switchboard.AgentFailedEvent {
	return &switchboard.AgentFailedEvent{Code: code, Message: message, Retryable: retryable, PartialText: partial}
}

// end writes the terminal event, unless news came first: then it is decided anew.
func (x *execution) end(ctx context.Context, p switchboard.EventPayload, partial string) error {
	x.t.mu.Lock()
	defer x.t.mu.Unlock()
	stored, err := x.t.put(ctx, x.id, p, thread.Header{})
	if stored {
		x.t.r.runs.WithLabelValues(string(p.EventType())).Inc()
	} else if err == nil {
		x.open.keep(partial)
	}
	return err
}

// Record stores what the Dispatcher says of a call. A result that is known is stored whatever came in between; a start
// is not stored once the run is to be stopped.
func (x *execution) Record(ctx context.Context, p switchboard.EventPayload) error {
	t := x.t
	t.mu.Lock()
	defer t.mu.Unlock()
	_, result := p.(*switchboard.ToolCompletedEvent)
	for {
		if held, err := x.heldLocked(); err != nil {
			return err
		} else if !held {
			return errLost
		}
		if x.run.Stop != "" && !result {
			return errStop
		}
		stored, err := t.put(ctx, x.id, p, thread.Header{})
		if stored || err != nil {
			return err
		}
	}
}

// calls runs the calls of a step at the same time, and asks a person for those that need it.
func (x *execution) calls(ctx context.Context, todo []thread.Call) error {
	t := x.t
	var run, ask []thread.Call
	for _, c := range todo {
		if !c.Asked && !c.Started && t.r.cfg.Tools.NeedsApproval(ctx, x.caller(), c.Call) {
			ask = append(ask, c)
		} else {
			run = append(run, c)
		}
	}
	if len(run) > 0 {
		return x.dispatch(ctx, run, false)
	}
	for _, c := range ask {
		p := &switchboard.ToolApprovalRequiredEvent{
			CallID: c.CallID, Tool: c.Tool, Arguments: c.Arguments, Expires: switchboard.At(time.Now().Add(t.r.cfg.Approval)),
		}
		if err := x.Record(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (x *execution) caller() tool.Caller {
	return tool.Caller{User: x.t.st.User, Thread: x.t.st.Thread, Granted: x.t.r.agents[x.run.Agent].Tools}
}

// dispatch hands calls to the one ToolDispatcher, all at once; abandoned ones are only closed.
func (x *execution) dispatch(ctx context.Context, calls []thread.Call, abandoned bool) error {
	if err := x.t.point(ctx, "before-tool"); err != nil {
		return err
	}
	errs := make([]error, len(calls))
	var wg sync.WaitGroup
	for i, c := range calls {
		wg.Go(func() {
			errs[i] = x.t.r.cfg.Tools.Dispatch(ctx, x.caller(), tool.Request{
				Call: c.Call, Started: c.Started, Decision: c.Decision, Expired: c.Expired, Abandoned: abandoned,
				Progress: x.progress(c.CallID),
			}, x)
		})
	}
	wg.Wait()
	if err := x.t.point(ctx, "after-tool"); err != nil {
		return err
	}
	for _, err := range errs {
		if errors.Is(err, errLost) || errors.Is(err, errDead) {
			return err
		}
	}
	return errors.Join(errs...)
}
