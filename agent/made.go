package agent

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/thread"
	"github.com/netra-systems/switchboard/tool"
)

// Step does something once. Its result is recorded, as JSON: when the function runs again, Step returns that and does not
// call fn. A step that had begun in a worker that was lost is not begun again: Step returns a *CallError with the status
// unknown. If fn fails, that is recorded too, and Step returns a *CallError with the text of fn's *switchboard.Error, or a
// general one. The name is shown to the user; it must be the same each time, in the same order.
func Step[T any](ctx context.Context, r *Run, name string, fn func(context.Context) (T, error)) (T, error) {
	return step(ctx, r, work{name: name}, fn)
}

// Idempotent is a Step that may be begun again if it was interrupted.
func Idempotent[T any](ctx context.Context, r *Run, name string, fn func(context.Context) (T, error)) (T, error) {
	return step(ctx, r, work{name: name, again: true}, fn)
}

func step[T any](ctx context.Context, r *Run, w work, fn func(context.Context) (T, error)) (v T, err error) {
	w.fn = func(ctx context.Context) (json.RawMessage, error) {
		v, err := fn(ctx)
		if err != nil {
			return nil, err
		}
		return json.Marshal(v)
	}
	raw, err := r.do(ctx, w)
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, &CallError{switchboard.CallError, "what the step returned could not be kept"}
	}
	return v, nil
}

// Call calls a tool that the agent is granted, or one that leads to another agent (ask_… and transfer_to_…), and returns
// its result. A call that a person must agree to, or another agent answers, returns ErrSuspended first. Errors also:
// *CallError.
func (r *Run) Call(ctx context.Context, tool string, arguments any) (json.RawMessage, error) {
	args, err := json.Marshal(arguments)
	if err != nil {
		return nil, switchboard.Wrap(switchboard.Invalid, "the arguments of a call are not JSON", err)
	}
	return r.do(ctx, work{name: tool, args: args})
}

// Ask asks a model once, as a step, and returns its text; its tokens are counted. Errors as those of Step.
func (r *Run) Ask(ctx context.Context, name string, m model.Model, req model.Request) (string, error) {
	var usage model.Usage
	w := work{name: name, again: true, usage: &usage}
	return step(ctx, r, w, func(ctx context.Context) (text string, err error) {
		text, usage, err = r.x.t.r.ask(ctx, m, req)
		var broken *model.Error
		if errors.As(err, &broken) {
			err = switchboard.Wrap(switchboard.Unavailable, broken.Message, err)
		}
		return text, err
	})
}

// work is what a function has done once: a step of its own, or the call of a tool.
type work struct {
	name  string
	args  json.RawMessage
	again bool                                               // may be begun again
	fn    func(ctx context.Context) (json.RawMessage, error) // nil: a tool is called
	usage *model.Usage                                       // of models that the step asks
}

// do returns what was recorded, or has the work done.
func (r *Run) do(ctx context.Context, w work) (json.RawMessage, error) {
	if err := r.over(); err != nil {
		return nil, err
	}
	if w.name == "" || w.name != cleanTitle(w.name) || len(w.name) > maxStepName {
		return nil, switchboard.Errorf(switchboard.Invalid, "a step needs a name in one line of at most %d bytes, without quotes around it", maxStepName)
	}
	if _, leads := r.x.agent.route(w.name); leads && w.fn != nil {
		return nil, switchboard.Errorf(switchboard.Invalid, "a step is called like what leads to another agent")
	}
	var call switchboard.Call
	if r.at < len(r.made) {
		m := r.made[r.at]
		if m.call.Tool != w.name {
			return nil, r.stop(errSteps)
		}
		r.at++
		r.all.WriteString(m.text)
		if m.done != nil {
			return outcome(m.done)
		}
		call = m.call
	} else {
		var err error
		if call, err = r.record(ctx, w); err != nil {
			return nil, r.stop(err)
		}
	}
	done, err := r.dispatch(ctx, w, call)
	if err != nil {
		return nil, r.stop(err)
	}
	return outcome(done)
}

// outcome is what a recorded call returns.
func outcome(p *switchboard.ToolCompletedEvent) (json.RawMessage, error) {
	switch {
	case p.Status != switchboard.CallOK:
		return nil, &CallError{p.Status, p.Error}
	case p.Truncated:
		return nil, &CallError{switchboard.CallError, "the result is too long to be kept"}
	}
	return p.Result, nil
}

// maxStepName is how long the name of a step may be, in characters.
const maxStepName = 64

// record stores the call of the next step, with what was written before it.
func (r *Run) record(ctx context.Context, w work) (switchboard.Call, error) {
	x := r.x
	x.t.mu.Lock()
	n := x.run.Open()
	failed, _ := x.exceeded(n)
	full := x.run.Calls >= x.t.r.cfg.Limits.RunCalls
	p := &switchboard.AgentMessageEvent{MessageID: x.id.Message(x.run.Attempt, n), Step: n, Text: r.said.String()}
	x.t.mu.Unlock()
	switch {
	case failed != nil:
		return switchboard.Call{}, r.exceed(ctx, n)
	case full:
		return switchboard.Call{}, r.stop(errors.Join(x.failRun(ctx, failure(switchboard.BudgetSteps, "the run made too many tool calls", true, ""), switchboard.Usage{}), ErrSuspended))
	}
	call := switchboard.Call{CallID: x.id.Call(n, 0), Tool: w.name, Arguments: arguments(string(w.args))}
	p.Calls = []switchboard.Call{call}
	if err := x.store(ctx, p, thread.Header{}); err != nil {
		return call, err
	}
	r.said.Reset()
	r.opened = false
	return call, nil
}

// dispatch has a recorded call closed.
func (r *Run) dispatch(ctx context.Context, w work, call switchboard.Call) (*switchboard.ToolCompletedEvent, error) {
	x := r.x
	x.t.mu.Lock()
	known := x.run.Call(call.CallID)
	if known == nil {
		x.t.mu.Unlock()
		return nil, errLost
	}
	c := *known
	x.t.mu.Unlock()
	if w.fn == nil {
		if _, leads := x.agent.route(c.Tool); leads {
			return nil, ErrSuspended
		}
		if !c.Asked && !c.Started && x.t.r.cfg.Tools.NeedsApproval(ctx, x.caller(), c.Call) {
			if err := x.askPerson(ctx, c.Call); err != nil {
				return nil, err
			}
			return nil, ErrSuspended
		}
	}
	if err := x.t.point(ctx, "before-tool"); err != nil {
		return nil, err
	}
	seen := &seen{x: x, usage: w.usage}
	var err error
	if w.fn == nil {
		err = x.t.r.cfg.Tools.Dispatch(ctx, x.caller(), x.closing(c, false), seen)
	} else {
		err = x.t.r.cfg.Tools.DispatchStep(ctx, x.caller(), stepTool{x, w}, x.closing(c, false), seen)
	}
	if err != nil {
		return nil, err
	}
	return seen.done, x.t.point(ctx, "after-tool")
}

// seen is a Recorder that keeps how the call ended.
type seen struct {
	x     *execution
	usage *model.Usage
	done  *switchboard.ToolCompletedEvent
}

// Record implements tool.Recorder.
func (s *seen) Record(ctx context.Context, p switchboard.EventPayload) error {
	done, ok := p.(*switchboard.ToolCompletedEvent)
	if !ok {
		return s.x.Record(ctx, p)
	}
	s.done = done
	var u switchboard.Usage
	if s.usage != nil {
		u = switchboard.Usage{InputTokens: s.usage.Input, OutputTokens: s.usage.Output}
	}
	return s.x.recordCall(ctx, p, u)
}

// stepTool is a step as the Dispatcher runs it.
type stepTool struct {
	x *execution
	w work
}

// Definition implements tool.Tool. A step may take as long as its run.
func (s stepTool) Definition() tool.Definition {
	return tool.Definition{Name: s.w.name, Idempotent: s.w.again, Timeout: switchboard.Milliseconds(s.x.t.r.cfg.Limits.RunMS)}
}

// Call implements tool.Tool.
func (s stepTool) Call(ctx context.Context, _ tool.Invocation) (json.RawMessage, error) {
	v, err := s.w.fn(ctx)
	if err == nil {
		return v, nil
	}
	s.x.t.r.cfg.Logger.Warn("a step of an agent failed", "agent", s.x.agent.Name, "error", err)
	return nil, errors.New(safeText(err, "the step failed"))
}
