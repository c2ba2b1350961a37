package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/thread"
)

// Func is an agent in Go. It returns the answer, or "" if what it wrote with Run.Write is the answer. An error fails the
// run: the text of a *switchboard.Error or a *CallError is shown to the user, that of another is only logged.
//
// When a worker is lost, or a person was asked in between, the function runs again from its start: what it did in a Step
// returns what was recorded, so a function that acts only in steps, and decides only by what they return, goes on where it
// was. It should end soon after ctx does; nobody waits for it longer than a second.
type Func func(ctx context.Context, r *Run) (string, error)

// ErrSuspended is returned by the methods of a Run when the run goes on without this call of the function: it must
// return, with any error.
var ErrSuspended = errors.New("the run goes on in another call of the function")

// errSteps says that the function does not do what it did before.
var errSteps = switchboard.Errorf(switchboard.Internal, "the agent's steps are not those that were recorded")

// CallError is how a step or a call ended that has no result. With Status CallUnknown it began in a worker that was lost,
// and it is not known whether it took effect.
type CallError struct {
	Status  switchboard.CallStatus
	Message string // safe to show
}

func (e *CallError) Error() string { return string(e.Status) + ": " + e.Message }

// Run is a run as the function that answers it sees it. Its methods and Step must be called from one goroutine at a time,
// and not after the function has returned.
type Run struct {
	x       *execution
	text    string
	input   json.RawMessage
	history []model.Message
	made    []made // recorded before this call of the function
	at      int    // how many of them it has come past
	opened  bool   // the message is open
	said    strings.Builder
	all     strings.Builder // of all messages
	halt    error           // why this call of the function is over
	left    atomic.Bool     // nobody waits for the function any more
}

// Text is what the user wrote, or the task if another agent asks.
func (r *Run) Text() string { return r.text }

// Input is the structured input of start_agent, nil if there is none.
func (r *Run) Input() json.RawMessage { return r.input }

// History is the conversation so far, as a model would be shown it; what the user wrote now is the last.
func (r *Run) History() []model.Message { return r.history }

// funcGrace is how long a function may take to end after its context has.
const funcGrace = time.Second

// returned is what became of a function's call.
type returned struct {
	text     string
	err      error
	panicked bool
}

// function runs an agent in Go: from its start, past what is recorded.
func (held *execution) function(ctx context.Context) error {
	own := *held // a function that is left alone must not meet the run's next steps
	defer func() {
		own.t.mu.Lock()
		defer own.t.mu.Unlock()
		held.lost = own.lost
	}()
	x := &own
	r, err := x.begin(ctx)
	if err != nil || r == nil {
		return err
	}
	out := make(chan returned, 1)
	go func() {
		res := returned{panicked: true}
		defer func() {
			if p := recover(); p != nil {
				what := fmt.Sprintf("%T", p) // the value may hold what a user wrote
				if err, ok := p.(runtime.Error); ok {
					what = err.Error()
				}
				x.t.r.cfg.Logger.LogAttrs(context.WithoutCancel(ctx), slog.LevelError, "an agent panicked",
					slog.String("agent", x.agent.Name), slog.String("panic", what), slog.String("stack", string(debug.Stack())))
			}
			out <- res
		}()
		text, err := x.agent.Run(ctx, r)
		res = returned{text: text, err: err}
	}()
	var res returned
	select {
	case res = <-out:
	case <-ctx.Done():
		select {
		case res = <-out:
		case <-time.After(funcGrace):
			r.left.Store(true)
			x.t.r.cfg.Logger.Error("an agent does not end with its context; it is left alone", "agent", x.agent.Name)
			return context.Cause(ctx)
		}
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return r.conclude(ctx, res)
}

// begin makes the Run. Nil: news came first, or the run may not go on.
func (x *execution) begin(ctx context.Context) (*Run, error) {
	x.t.mu.Lock()
	if err := x.remember(ctx); err != nil {
		x.t.mu.Unlock()
		return nil, err
	}
	open := x.run.Step.N == x.run.Last && x.run.Last > 0 && !x.run.Step.Recorded
	past := recollect(x.t.history)
	r := &Run{x: x}
	r.text, r.input = input(x.t.history, x.id)
	if a := past.act(x.id); a != nil {
		r.made = a.top().made
		if x.below > 0 {
			r.text, r.input = a.top().asked, nil
		}
	}
	r.history = past.conversation(x.id, x.agent.Name, fitting(past.earlier(x.id), historyBytes))
	x.t.mu.Unlock()
	if open || len(r.made) == 0 { // a run says at least once what it is about
		p, err := x.prepare(ctx)
		switch {
		case err != nil || p == nil:
			return nil, err
		case p.failed != nil && p.whole:
			return nil, x.failRun(ctx, p.failed, switchboard.Usage{})
		case p.failed != nil:
			return nil, x.fail(ctx, p.failed, switchboard.Usage{})
		}
		r.opened = true
	}
	return r, nil
}

// conclude says what the function's end means.
func (r *Run) conclude(ctx context.Context, res returned) error {
	x := r.x
	switch {
	case errors.Is(r.halt, ErrSuspended), errors.Is(r.halt, errStop):
		return nil
	case r.halt != nil && !errors.Is(r.halt, errSteps):
		return r.halt
	case r.halt != nil, res.err == nil && !res.panicked && r.at < len(r.made):
		return r.fail(ctx, errSteps.Message)
	case res.panicked:
		return r.fail(ctx, "the agent failed")
	case res.err != nil:
		x.t.r.cfg.Logger.Warn("an agent failed", "agent", x.agent.Name, "error", res.err)
		return r.fail(ctx, safeText(res.err, "the agent failed"))
	}
	rest := strings.ToValidUTF8(res.text, "\uFFFD")
	if said := r.said.String(); strings.HasPrefix(rest, said) {
		rest = rest[len(said):]
	}
	if r.said.Len() == 0 && rest == "" {
		rest = r.all.String()
	}
	switch {
	case r.said.Len()+len(rest) == 0:
		return r.fail(ctx, "the agent gave no answer")
	case r.said.Len()+len(rest) > maxAnswer:
		return r.fail(ctx, "the answer is too long")
	}
	if err := r.Write(ctx, rest); err != nil {
		return passed(err)
	}
	x.t.mu.Lock()
	n := x.run.Open()
	a := &answer{n: n, message: x.id.Message(x.run.Attempt, n)}
	x.t.mu.Unlock()
	a.text.WriteString(r.said.String())
	if err := x.t.point(ctx, "answered"); err != nil {
		return err
	}
	return x.answer(ctx, a)
}

// passed is nil for what the next plan takes care of.
func passed(err error) error {
	if errors.Is(err, errStop) || errors.Is(err, ErrSuspended) {
		return nil
	}
	return err
}

// fail closes the calls that are open, and fails what the agent does.
func (r *Run) fail(ctx context.Context, message string) error {
	x := r.x
	x.t.mu.Lock()
	started := openCalls(x.run.Step, func(c *thread.Call) bool { return c.Started })
	x.t.mu.Unlock()
	if len(started) > 0 {
		if err := x.dispatch(ctx, started, true); err != nil {
			return err
		}
	}
	return x.fail(ctx, failure(switchboard.AgentError, message, false, ""), switchboard.Usage{})
}

// safeText is what may be shown of an error; general if that is nothing.
func safeText(err error, general string) string {
	var e *switchboard.Error
	var c *CallError
	switch {
	case errors.As(err, &c):
		return c.Message
	case errors.As(err, &e):
		return e.Message
	}
	return general
}

// over returns why the Run is of no more use, nil if it is.
func (r *Run) over() error {
	if r.left.Load() {
		return ErrSuspended
	}
	return r.halt
}

// Write adds to the answer, and shows it at once. Errors: TooLarge, and why the run does not go on.
func (r *Run) Write(ctx context.Context, text string) error {
	if err := r.over(); err != nil {
		return err
	}
	if text == "" || r.at < len(r.made) { // what was said before a recorded step is recorded with it
		return nil
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	if r.said.Len()+len(text) > maxAnswer {
		return switchboard.Errorf(switchboard.TooLarge, "the answer is too long")
	}
	if err := r.open(ctx, ""); err != nil {
		return err
	}
	r.said.WriteString(text)
	r.all.WriteString(text)
	r.x.send(switchboard.DeltaText, "", text)
	return nil
}

// Think says what the agent is about to do. Errors: why the run does not go on.
func (r *Run) Think(ctx context.Context, text string) error {
	if err := r.over(); err != nil {
		return err
	}
	if text == "" || r.at < len(r.made) {
		return nil
	}
	if !r.opened {
		return r.open(ctx, text)
	}
	return r.think(ctx, text)
}

// think records what the agent is about to do in the open step.
func (r *Run) think(ctx context.Context, text string) error {
	x := r.x
	x.t.mu.Lock()
	n := x.run.Open()
	p := &switchboard.AgentThinkingEvent{MessageID: x.id.Message(x.run.Attempt, n), Step: n, Source: "agent", Text: strings.ToValidUTF8(text, "\uFFFD")}
	x.t.mu.Unlock()
	return r.stop(x.store(ctx, p, thread.Header{}))
}

// open opens the message that follows a step; about says what it is about.
func (r *Run) open(ctx context.Context, about string) error {
	if r.opened {
		return nil
	}
	x := r.x
	x.t.mu.Lock()
	n, attempt := x.run.Open(), x.run.Attempt
	failed, _ := x.exceeded(n)
	if about == "" {
		about = recollect(x.t.history).about(x.id, x.agent)
	}
	x.t.mu.Unlock()
	if failed != nil {
		return r.exceed(ctx, n)
	}
	if err := r.think(ctx, about); err != nil {
		return err
	}
	x.open.begin(x.id, attempt, x.id.Message(attempt, n))
	r.opened = true
	return nil
}

// exceed ends what the agent does: it may not begin the step n.
func (r *Run) exceed(ctx context.Context, n int) error {
	x := r.x
	x.t.mu.Lock()
	failed, whole := x.exceeded(n)
	x.t.mu.Unlock()
	err := ErrSuspended
	switch {
	case failed == nil:
	case whole:
		err = errors.Join(x.failRun(ctx, failed, switchboard.Usage{}), ErrSuspended)
	default:
		err = errors.Join(x.fail(ctx, failed, switchboard.Usage{}), ErrSuspended)
	}
	return r.stop(err)
}

// stop remembers why this call of the function is over.
func (r *Run) stop(err error) error {
	if err != nil && r.halt == nil {
		r.halt = err
	}
	return err
}
