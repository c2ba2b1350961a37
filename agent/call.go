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

// Record stores what the Dispatcher says of a call. A result that is known is stored whatever came in between; a start
// is not stored once the run is to be stopped.
func (x *execution) Record(ctx context.Context, p switchboard.EventPayload) error {
	return x.recordCall(ctx, p, switchboard.Usage{})
}

func (x *execution) recordCall(ctx context.Context, p switchboard.EventPayload, u switchboard.Usage) error {
	t := x.t
	t.mu.Lock()
	defer t.mu.Unlock()
	_, result := p.(*switchboard.ToolCompletedEvent)
	for {
		if err := x.may(); err != nil && !(result && err == errStop) {
			return err
		}
		stored, err := x.put(ctx, p, thread.Header{Usage: u})
		if err != nil {
			return err
		}
		if _, start := p.(*switchboard.ToolExecutingEvent); stored && start { // what was read with it may forbid it
			return x.may()
		}
		if stored {
			return nil
		}
	}
}

// calls goes on with the calls of a step: first those of tools, at the same time; then those that ask other agents, one
// after the other; then those that a person must agree to.
func (x *execution) calls(ctx context.Context, todo []thread.Call) error {
	var run, ask, approve []thread.Call
	for _, c := range todo {
		way, leads := x.agent.route(c.Tool)
		switch {
		case c.Elsewhere: // its result came to another attempt
			return x.t.r.cfg.Tools.Relay(ctx, c.Call, c.Started, tool.Result{Lost: true}, x)
		case leads && !way.ask:
			return x.follow(ctx, way, c)
		case leads:
			ask = append(ask, c)
		case !c.Asked && !c.Started && x.t.r.cfg.Tools.NeedsApproval(ctx, x.caller(), c.Call):
			approve = append(approve, c)
		default:
			run = append(run, c)
		}
	}
	switch {
	case len(run) > 0:
		return x.dispatch(ctx, run, false)
	case len(ask) > 0:
		way, _ := x.agent.route(ask[0].Tool)
		return x.follow(ctx, way, ask[0])
	}
	for _, c := range approve {
		if err := x.askPerson(ctx, c.Call); err != nil {
			return err
		}
	}
	return nil
}

// askPerson records that a person must agree to a call.
func (x *execution) askPerson(ctx context.Context, c switchboard.Call) error {
	return x.Record(ctx, &switchboard.ToolApprovalRequiredEvent{
		CallID: c.CallID, Tool: c.Tool, Arguments: c.Arguments, Expires: switchboard.At(time.Now().Add(x.t.r.cfg.Approval)),
	})
}

func (x *execution) caller() tool.Caller {
	return tool.Caller{User: x.t.st.User, Thread: x.t.st.Thread, Granted: x.agent.Tools}
}

// closing is what the Dispatcher is asked for a call.
func (x *execution) closing(c thread.Call, abandoned bool) tool.Request {
	return tool.Request{
		Call: c.Call, Started: c.Started, Decision: c.Decision, Reason: c.Reason, Expired: c.Expired, Abandoned: abandoned,
		Progress: x.progress(c.CallID),
	}
}

// dispatch hands calls to the one ToolDispatcher, all at once; abandoned ones are only closed.
func (x *execution) dispatch(ctx context.Context, calls []thread.Call, abandoned bool) error {
	if err := x.t.point(ctx, "before-tool"); err != nil {
		return err
	}
	errs := make([]error, len(calls))
	var wg sync.WaitGroup
	for i, c := range calls {
		wg.Go(func() { errs[i] = x.t.r.cfg.Tools.Dispatch(ctx, x.caller(), x.closing(c, abandoned), x) })
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
