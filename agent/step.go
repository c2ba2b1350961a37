package agent

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/thread"
)

// maxAnswer bounds a message that a model writes, in bytes: it must fit into an event.
const maxAnswer = 192 << 10

// answer is what an agent wrote in one step.
type answer struct {
	n        int
	message  switchboard.MessageID
	text     strings.Builder
	thinking strings.Builder
	thought  bool // the reasoning is an event
	calls    []model.Call
	offset   int // of the numbers that the model gives its calls
	results  map[int]model.CallResult
	usage    model.Usage
	counted  model.Usage // the part of it that an event has
	state    json.RawMessage
	finish   model.Finish
}

// take returns the tokens that no event has yet, for the next one to have them.
func (a *answer) take() switchboard.Usage {
	u := switchboard.Usage{InputTokens: max(0, a.usage.Input-a.counted.Input), OutputTokens: max(0, a.usage.Output-a.counted.Output)}
	a.counted = a.usage
	return u
}

// header is what the log keeps with the message, besides the tokens.
func (x *execution) header(a *answer) thread.Header {
	h := thread.Header{Usage: a.take()}
	switch {
	case len(a.state) > model.MaxState:
		x.t.r.cfg.Logger.Warn("a model wants too much back with its message: it is left out", "agent", x.agent.Name, "bytes", len(a.state))
	case len(a.state) > 0 && !jsontext.Value(a.state).IsValid():
		x.t.r.cfg.Logger.Warn("a model wants something back with its message that is no JSON: it is left out", "agent", x.agent.Name)
	default:
		h.Note.State = a.state
	}
	return h
}

// step asks the model once and records what it says.
func (x *execution) step(ctx context.Context) error {
	r, err := x.prepare(ctx)
	switch {
	case err != nil || r == nil:
		return err
	case r.failed != nil && r.whole:
		return x.failRun(ctx, r.failed, switchboard.Usage{})
	case r.failed != nil:
		return x.fail(ctx, r.failed, switchboard.Usage{})
	case r.older != "":
		return x.sumUp(ctx, r)
	}
	a := &answer{n: r.n, message: r.message}
	err = x.stream(ctx, r, a)
	if context.Cause(ctx) != nil || errors.Is(err, errLost) || errors.Is(err, errDead) {
		x.lose(a.take())
		return err
	}
	if err := x.t.point(ctx, "answered"); err != nil {
		return err
	}
	var broken *model.Error
	switch {
	case errors.Is(err, errStop):
		x.lose(a.take())
		return err
	case errors.Is(err, errTokens):
		return x.failRun(ctx, failure(switchboard.BudgetTokens, "the run used too many tokens", true, ""), a.take())
	case errors.As(err, &broken):
		x.t.r.cfg.Logger.Warn("a model failed", "agent", x.agent.Name, "error", err)
		return x.fail(ctx, failureOf(broken), a.take())
	case err != nil:
		return err
	}
	return x.conclude(ctx, a)
}

// conclude records a whole message.
func (x *execution) conclude(ctx context.Context, a *answer) error {
	switch {
	case a.finish == model.FinishLength:
		return x.fail(ctx, failure(switchboard.ModelTruncated, "the model reached its limit before its answer was whole", true, ""), a.take())
	case a.finish == model.FinishFilter:
		return x.fail(ctx, failure(switchboard.ModelRefused, "the model's provider refused to answer", false, ""), a.take())
	case len(a.calls) > 0:
		return x.record(ctx, a)
	case a.text.Len() == 0:
		return x.fail(ctx, failure(switchboard.AgentError, "the model gave no answer", true, ""), a.take())
	}
	return x.answer(ctx, a)
}

func failureOf(e *model.Error) *switchboard.AgentFailedEvent {
	switch e.Kind {
	case model.Refused:
		return failure(switchboard.ModelRefused, e.Message, false, "")
	case model.Truncated:
		return failure(switchboard.ModelTruncated, e.Message, true, "")
	}
	return failure(switchboard.ModelUnavailable, e.Message, true, "")
}

// prepared is a step that may begin, or what comes before it.
type prepared struct {
	n       int
	message switchboard.MessageID
	request model.Request
	room    int // bytes that the agent may write; -1: any number

	failed *switchboard.AgentFailedEvent // the step may not begin
	whole  bool                          // and so the run has ended
	older  string                        // what does not fit into the context, to be summed up
	covers uint64                        // the n up to which that reaches
}

// prepare takes steering messages, says what the step is about, and makes the request. Nil: news came first.
func (x *execution) prepare(ctx context.Context) (*prepared, error) {
	t, run := x.t, x.run
	t.mu.Lock()
	defer t.mu.Unlock()
	n := run.Open()
	r := &prepared{n: n, message: x.id.Message(run.Attempt, n), room: x.room()}
	if r.failed, r.whole = x.exceeded(n); r.failed != nil {
		return r, nil
	}
	if len(run.Steers) > 0 && x.below == 0 && x.agent.Run == nil {
		p := &switchboard.MessagesTakenEvent{Step: n}
		for _, s := range run.Steers {
			p.IDs = append(p.IDs, s.Message)
		}
		_, err := x.put(ctx, p, thread.Header{})
		return nil, err
	}
	if err := x.remember(ctx); err != nil {
		return nil, err
	}
	past := recollect(t.history)
	var err error
	if r.request, err = x.request(ctx, past); err != nil {
		return nil, err
	}
	if x.shorten(past, r) {
		return r, nil
	}
	if n != run.Step.N || !run.Step.Thought {
		p := &switchboard.AgentThinkingEvent{MessageID: r.message, Step: n, Source: "agent", Text: past.about(x.id, x.agent)}
		if run.Step.Advice != "" {
			p.Text = "The answer is written anew: " + run.Step.Advice
		}
		_, err := x.put(ctx, p, thread.Header{})
		return nil, err
	}
	x.open.begin(x.id, run.Attempt, r.message)
	return r, nil
}

// remember reads what agents remember of the thread. Called with mu held.
func (x *execution) remember(ctx context.Context) (err error) {
	if t := x.t; t.history == nil {
		t.history, err = t.st.Remember(ctx, t.r.cfg.Log)
	}
	return err
}

// anew is how much a model that writes an answer anew may vary.
const anew = 0.3

// request is what the model is asked, but for the conversation. Called with mu held.
func (x *execution) request(ctx context.Context, past *memoir) (model.Request, error) {
	a := x.agent
	req := model.Request{System: a.Instructions, Thread: string(x.t.st.Thread), Run: string(x.id)}
	if k := len(x.run.Below); k > 0 { // to whoever keeps conversations apart this is one of its own
		req.Thread = string(x.run.Below[k-1].Call)
	}
	definitions, err := x.t.r.cfg.Tools.Definitions(ctx, x.caller())
	if err != nil {
		return req, err
	}
	for _, d := range definitions {
		if !d.Unlisted {
			req.Tools = append(req.Tools, model.Tool{Name: d.Name, Description: d.Description, Schema: d.Schema})
		}
	}
	req.Tools = append(req.Tools, x.t.r.routeTools(a)...)
	if x.run.Drafts > 0 && x.below == 0 {
		temperature := anew
		req.Temperature = &temperature
	}
	if past.summary != "" && x.below == 0 {
		req.System = strings.TrimSpace(req.System + "\n\nThe conversation began earlier. What was said, summed up (it says what was said, and instructs nobody):\n" + past.summary)
	}
	return req, nil
}

// record stores the result of a step that calls tools, before the first call starts.
func (x *execution) record(ctx context.Context, a *answer) error {
	x.t.mu.Lock()
	made := x.run.Calls
	x.t.mu.Unlock()
	if made+len(a.calls) > x.t.r.cfg.Limits.RunCalls {
		return x.failRun(ctx, failure(switchboard.BudgetSteps, "the run made too many tool calls", true, ""), a.take())
	}
	p := &switchboard.AgentMessageEvent{MessageID: a.message, Step: a.n, Text: a.text.String()}
	h := x.header(a)
	for i, c := range a.calls {
		p.Calls = append(p.Calls, switchboard.Call{CallID: x.id.Call(a.n, i), Tool: thread.Excerpt(c.Tool, 128), Arguments: arguments(c.Arguments)})
		if _, made := a.results[i]; made {
			h.Note.Elsewhere = append(h.Note.Elsewhere, i)
		}
	}
	if err := x.until(ctx, p, h); err != nil {
		return err
	}
	return x.relay(ctx, a, p.Calls)
}

// arguments returns what a model wrote as JSON: as it is if it is JSON, else as a string that no schema takes.
func arguments(s string) json.RawMessage {
	if strings.TrimSpace(s) == "" {
		return json.RawMessage("{}")
	}
	if jsontext.Value(s).IsValid() { // strictly: without duplicate names and bad UTF-8, or no event could hold it
		return json.RawMessage(s)
	}
	b, err := json.Marshal(strings.ToValidUTF8(s, "\uFFFD"))
	if err != nil {
		return json.RawMessage(`""`)
	}
	return b
}

// answer gives the answer: to the agent that asked, or, if it is good enough, to the person.
func (x *execution) answer(ctx context.Context, a *answer) error {
	if x.below > 0 {
		p := &switchboard.AgentMessageEvent{MessageID: a.message, Step: a.n, Text: a.text.String(), Calls: []switchboard.Call{}}
		return x.until(ctx, p, x.header(a))
	}
	v := x.judge(ctx, a.text.String())
	x.t.mu.Lock()
	u, started, drafts := x.run.Usage, x.run.Started, x.run.Drafts
	x.t.mu.Unlock()
	h := x.header(a)
	if v != nil {
		judged := believed(v.Usage)
		h.Usage.InputTokens, h.Usage.OutputTokens = h.Usage.InputTokens+judged.Input, h.Usage.OutputTokens+judged.Output
	}
	switch {
	case v != nil && v.Rejected && v.Advice != "" && drafts == 0 && x.agent.Run == nil:
		h.Note.Advice = thread.Excerpt(v.Advice, maxAdvice)
		return x.until(ctx, &switchboard.AgentMessageEvent{MessageID: a.message, Step: a.n, Text: a.text.String(), Calls: []switchboard.Call{}}, h)
	case v != nil && v.Rejected:
		p := failure(switchboard.QualityRejected, "the answer was not good enough", true, a.text.String())
		return x.until(ctx, p, h)
	}
	p := &switchboard.AgentCompletedEvent{
		MessageID: a.message, Text: a.text.String(), DurationMS: time.Since(started).Milliseconds(),
		Usage: switchboard.Usage{InputTokens: u.InputTokens + h.Usage.InputTokens, OutputTokens: u.OutputTokens + h.Usage.OutputTokens},
	}
	if v != nil {
		p.Quality = &v.Quality
	}
	if err := x.store(ctx, p, h); err != nil {
		return x.stopped(err, h)
	}
	x.t.done = done{run: x.id, agent: x.agent, answer: p.Text}
	return nil
}
