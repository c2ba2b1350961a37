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

// answer is what a model wrote in one step.
type answer struct {
	text     strings.Builder
	thinking strings.Builder
	calls    []model.Call
	usage    model.Usage
	finish   model.Finish
}

// step asks the model once and records what it says.
func (x *execution) step(ctx context.Context) error {
	n, message, request, err := x.prepare(ctx)
	if err != nil || n == 0 {
		return err
	}
	a := &answer{}
	err = x.stream(ctx, n, message, request, a)
	if context.Cause(ctx) != nil || errors.Is(err, errLost) || errors.Is(err, errDead) {
		return err
	}
	if err := x.t.point(ctx, "answered"); err != nil {
		return err
	}
	var broken *model.Error
	switch {
	case errors.As(err, &broken):
		x.t.r.cfg.Logger.Warn("a model failed", "agent", x.run.Agent, "error", err)
		return x.fail(ctx, failureOf(broken))
	case err != nil:
		return err
	case a.finish == model.FinishLength:
		return x.fail(ctx, failure(switchboard.ModelTruncated, "the model reached its limit before its answer was whole", true, ""))
	case a.finish == model.FinishFilter:
		return x.fail(ctx, failure(switchboard.ModelRefused, "the model's provider refused to answer", false, ""))
	case len(a.calls) > 0:
		return x.record(ctx, n, message, a)
	case a.text.Len() == 0:
		return x.fail(ctx, failure(switchboard.AgentError, "the model gave no answer", true, ""))
	}
	return x.complete(ctx, message, a)
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

// prepare takes steering messages, says what the step is about, and makes the request. n is 0 if news came first.
func (x *execution) prepare(ctx context.Context) (n int, message switchboard.MessageID, req model.Request, err error) {
	t := x.t
	t.mu.Lock()
	defer t.mu.Unlock()
	run := x.run
	n = run.Step.N
	if n == 0 || run.Step.Recorded {
		n++
	}
	if n > t.r.cfg.Limits.RunSteps {
		_, err := t.put(ctx, x.id, failure(switchboard.BudgetSteps, "the run took too many steps", true, ""), thread.Header{})
		return 0, "", req, err
	}
	if len(run.Steers) > 0 {
		p := &switchboard.MessagesTakenEvent{Step: n}
		for _, s := range run.Steers {
			p.IDs = append(p.IDs, s.Message)
		}
		_, err := t.put(ctx, x.id, p, thread.Header{})
		return 0, "", req, err
	}
	if t.history == nil {
		if t.history, err = t.st.Remember(ctx, t.r.cfg.Log); err != nil {
			return 0, "", req, err
		}
	}
	message = x.id.Message(run.Attempt, n)
	a := t.r.agents[run.Agent]
	if !run.Step.Thought || n > run.Step.N {
		p := &switchboard.AgentThinkingEvent{MessageID: message, Step: n, Source: "agent", Text: about(t.history, x.id, a)}
		_, err := t.put(ctx, x.id, p, thread.Header{})
		return 0, "", req, err
	}
	req = model.Request{System: a.Instructions, Messages: conversation(t.history, x.id)}
	definitions, err := t.r.cfg.Tools.Definitions(ctx, x.caller())
	if err != nil {
		return 0, "", req, err
	}
	for _, d := range definitions {
		req.Tools = append(req.Tools, model.Tool{Name: d.Name, Description: d.Description, Schema: d.Schema})
	}
	x.open.begin(x.id, run.Attempt, message)
	return n, message, req, nil
}

// errTooLong says that a model writes more than an event holds.
var errTooLong = &model.Error{Kind: model.Truncated, Message: "the answer is too long"}

// stream reads the model's chunks: each is a delta at once, never an event.
func (x *execution) stream(ctx context.Context, n int, message switchboard.MessageID, req model.Request, a *answer) error {
	m := x.t.r.agents[x.run.Agent].Model
	thought := false
	size := 0
	for c, err := range m.Stream(ctx, req) {
		if err != nil {
			return err
		}
		if err := x.t.point(ctx, "chunk"); err != nil {
			return err
		}
		c.Thinking, c.Text = strings.ToValidUTF8(c.Thinking, "\uFFFD"), strings.ToValidUTF8(c.Text, "\uFFFD")
		if c.Thinking != "" {
			a.thinking.WriteString(c.Thinking)
			x.send(switchboard.DeltaThinking, "", c.Thinking)
		}
		if !thought && a.thinking.Len() > 0 && (c.Text != "" || c.Call != nil || c.Finish != "") {
			thought = true
			if err := x.think(ctx, n, message, a.thinking.String()); err != nil {
				return err
			}
		}
		if c.Text != "" {
			a.text.WriteString(c.Text)
			x.send(switchboard.DeltaText, "", c.Text)
		}
		if c.Call != nil {
			x.call(n, a, c.Call)
			size += len(c.Call.Arguments)
		}
		if c.Usage != nil {
			a.usage = *c.Usage
		}
		if c.Finish != "" {
			a.finish = c.Finish
		}
		if a.text.Len()+a.thinking.Len()+size > maxAnswer {
			return errTooLong
		}
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if a.finish == "" {
		return &model.Error{Kind: model.Truncated, Message: "the model stopped before its answer was whole"}
	}
	return nil
}

// think records the model's reasoning once it goes on to act.
func (x *execution) think(ctx context.Context, n int, message switchboard.MessageID, text string) error {
	return x.until(ctx, &switchboard.AgentThinkingEvent{MessageID: message, Step: n, Source: "model", Text: text}, thread.Header{})
}

// until appends an event of the open step, through news that do not stop the run; errStop if they do.
func (x *execution) until(ctx context.Context, p switchboard.EventPayload, h thread.Header) error {
	t := x.t
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		if held, err := x.heldLocked(); err != nil {
			return err
		} else if !held {
			return errLost
		}
		if x.run.Stop != "" {
			return nil // the next decision stops the run
		}
		stored, err := t.put(ctx, x.id, p, h)
		if err != nil {
			return err
		}
		if stored {
			if p.EventType() != switchboard.AgentThinking {
				x.open.reset()
			}
			if p.EventType().Terminal() {
				t.r.runs.WithLabelValues(string(p.EventType())).Inc()
			}
			return nil
		}
	}
}

// call takes a piece of a call.
func (x *execution) call(n int, a *answer, c *model.CallChunk) {
	if c.Index < 0 || c.Index > len(a.calls) {
		return // a model that numbers its calls with holes: the piece has no place
	}
	if c.Index == len(a.calls) {
		a.calls = append(a.calls, model.Call{ID: c.ID, Tool: c.Tool})
	}
	call := &a.calls[c.Index]
	if call.Tool == "" {
		call.Tool = c.Tool
	}
	call.Arguments += c.Arguments
	if c.Arguments != "" {
		x.send(switchboard.DeltaToolArguments, x.id.Call(n, c.Index), c.Arguments)
	}
}

// send publishes a delta; one that is lost is asked for again by the device.
func (x *execution) send(kind switchboard.DeltaKind, call switchboard.CallID, text string) {
	b, err := switchboard.EncodeDelta(x.open.add(kind, call, text))
	if err == nil {
		err = x.t.r.cfg.Previews.PublishDelta(x.t.st.User, x.t.st.Thread, b)
	}
	if err != nil {
		x.t.r.cfg.Logger.Debug("a delta could not be sent", "error", err)
	}
}

// record stores the result of a step that calls tools, before the first call starts.
func (x *execution) record(ctx context.Context, n int, message switchboard.MessageID, a *answer) error {
	x.t.mu.Lock()
	made := x.run.Calls
	x.t.mu.Unlock()
	if made+len(a.calls) > x.t.r.cfg.Limits.RunCalls {
		return x.fail(ctx, failure(switchboard.BudgetSteps, "the run made too many tool calls", true, ""))
	}
	p := &switchboard.AgentMessageEvent{MessageID: message, Step: n, Text: a.text.String()}
	for i, c := range a.calls {
		p.Calls = append(p.Calls, switchboard.Call{CallID: x.id.Call(n, i), Tool: thread.Excerpt(c.Tool, 128), Arguments: arguments(c.Arguments)})
	}
	return x.until(ctx, p, thread.Header{Usage: switchboard.Usage{InputTokens: a.usage.Input, OutputTokens: a.usage.Output}})
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

func (x *execution) complete(ctx context.Context, message switchboard.MessageID, a *answer) error {
	x.t.mu.Lock()
	u, started := x.run.Usage, x.run.Started
	x.t.mu.Unlock()
	return x.until(ctx, &switchboard.AgentCompletedEvent{
		MessageID: message, Text: a.text.String(), DurationMS: time.Since(started).Milliseconds(),
		Usage: switchboard.Usage{InputTokens: u.InputTokens + a.usage.Input, OutputTokens: u.OutputTokens + a.usage.Output},
	}, thread.Header{})
}

// fail ends the run; the text so far is kept, and never called an answer.
func (x *execution) fail(ctx context.Context, p *switchboard.AgentFailedEvent) error {
	p.PartialText = x.open.text()
	return x.until(ctx, p, thread.Header{})
}
