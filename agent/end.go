package agent

import (
	"context"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

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
	case !time.Now().Before(run.Deadline(x.t.r.timeLimit(run))):
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
	stored, err := x.put(ctx, p, thread.Header{})
	if !stored && err == nil {
		x.open.keep(partial)
	}
	return err
}

// put appends an event of the run, with what a step that was broken off has cost. Called with mu held.
func (x *execution) put(ctx context.Context, p switchboard.EventPayload, h thread.Header) (stored bool, err error) {
	h.Usage.InputTokens += x.lost.InputTokens
	h.Usage.OutputTokens += x.lost.OutputTokens
	if stored, err = x.t.put(ctx, x.id, p, h); !stored {
		return false, err
	}
	x.lost = switchboard.Usage{}
	x.t.r.count(x.agent, h.Usage)
	if p.EventType().Terminal() {
		x.t.r.runs.WithLabelValues(string(p.EventType())).Inc()
	}
	return true, err
}

// store appends an event through news that do not stop the run; errStop if they do.
func (x *execution) store(ctx context.Context, p switchboard.EventPayload, h thread.Header) error {
	x.t.mu.Lock()
	defer x.t.mu.Unlock()
	for {
		if err := x.may(); err != nil {
			return err
		}
		stored, err := x.put(ctx, p, h)
		if err != nil {
			return err
		}
		if stored {
			if p.EventType() != switchboard.AgentThinking {
				x.open.reset()
			}
			return nil
		}
	}
}

// until stores an event of the open step. A run that is to be stopped instead is no error: the next plan ends it.
func (x *execution) until(ctx context.Context, p switchboard.EventPayload, h thread.Header) error {
	return x.stopped(x.store(ctx, p, h), h)
}

// stopped forgives that an event was not stored because the run is to be stopped, and keeps what it has cost.
func (x *execution) stopped(err error, h thread.Header) error {
	if err != errStop {
		return err
	}
	x.lose(h.Usage)
	return nil
}

// lose keeps what was spent for the next event to tell.
func (x *execution) lose(u switchboard.Usage) {
	x.lost.InputTokens, x.lost.OutputTokens = x.lost.InputTokens+u.InputTokens, x.lost.OutputTokens+u.OutputTokens
}

// fail ends what the agent does: the run, with the text so far, which is kept and never called an answer; or, if it was
// asked by another one, the call that waits.
func (x *execution) fail(ctx context.Context, p *switchboard.AgentFailedEvent, u switchboard.Usage) error {
	if x.below == 0 {
		return x.failRun(ctx, p, u)
	}
	x.t.mu.Lock()
	n := x.run.Open()
	m := &switchboard.AgentMessageEvent{MessageID: x.id.Message(x.run.Attempt, n), Step: n, Text: x.open.text(), Calls: []switchboard.Call{}}
	x.t.mu.Unlock()
	return x.until(ctx, m, thread.Header{Usage: u, Note: thread.Note{Failed: x.agent.Name + " could not answer: " + thread.Excerpt(p.Message, maxAdvice)}})
}

// failRun ends the run, whichever agent is at work.
func (x *execution) failRun(ctx context.Context, p *switchboard.AgentFailedEvent, u switchboard.Usage) error {
	p.PartialText = x.open.text()
	return x.until(ctx, p, thread.Header{Usage: u})
}
