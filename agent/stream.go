package agent

import (
	"context"
	"errors"
	"strings"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/thread"
	"github.com/netra-systems/switchboard/tool"
)

// errTooLong says that a model writes more than an event holds.
var errTooLong = &model.Error{Kind: model.Truncated, Message: "the answer is too long"}

// errTokens says that a model writes more than its run may have tokens.
var errTokens = errors.New("the run used too many tokens")

// stream reads the model's chunks: each is a delta at once, never an event.
func (x *execution) stream(ctx context.Context, r *prepared, a *answer) error {
	written := 0
	for c, err := range x.agent.Model.Stream(ctx, r.request) {
		if err != nil {
			return err
		}
		if err := x.t.point(ctx, "chunk"); err != nil {
			return err
		}
		if err := x.chunk(ctx, a, c); err != nil {
			return err
		}
		written += len(c.Text) + len(c.Thinking)
		size := a.text.Len() + a.thinking.Len()
		for _, call := range a.calls {
			size += len(call.Arguments)
		}
		switch {
		case size > maxAnswer:
			return errTooLong
		case r.room >= 0 && written > r.room && c.Finish == "":
			return errTokens
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

// chunk takes a piece of an answer.
func (x *execution) chunk(ctx context.Context, a *answer, c model.Chunk) error {
	c.Thinking, c.Text = strings.ToValidUTF8(c.Thinking, "\uFFFD"), strings.ToValidUTF8(c.Text, "\uFFFD")
	if c.Usage != nil {
		a.usage = believed(*c.Usage)
	}
	if c.Thinking != "" || c.Text != "" || c.Call != nil {
		if err := x.proceed(ctx, a); err != nil {
			return err
		}
	}
	if c.Thinking != "" {
		a.thinking.WriteString(c.Thinking)
		x.send(switchboard.DeltaThinking, "", c.Thinking)
	}
	if !a.thought && a.thinking.Len() > 0 && (c.Text != "" || c.Call != nil || c.Finish != "") {
		a.thought = true
		p := &switchboard.AgentThinkingEvent{MessageID: a.message, Step: a.n, Source: "model", Text: a.thinking.String()}
		if err := x.until(ctx, p, thread.Header{Usage: a.take()}); err != nil {
			return err
		}
	}
	if c.Text != "" {
		a.text.WriteString(c.Text)
		x.send(switchboard.DeltaText, "", c.Text)
	}
	if c.Call != nil {
		x.call(a, c.Call)
	}
	if len(c.State) > 0 {
		a.state = c.State
	}
	if c.Finish != "" {
		a.finish = c.Finish
	}
	if c.Result != nil {
		return x.result(ctx, a, *c.Result)
	}
	return nil
}

// call takes a piece of a call. A model may number its calls from 0 in each message, or on through all of them.
func (x *execution) call(a *answer, c *model.CallChunk) {
	i := c.Index
	if len(a.calls) == 0 && i < a.offset {
		a.offset = 0
	}
	i -= a.offset
	if i < 0 || i > len(a.calls) {
		return // a model that numbers its calls with holes: the piece has no place
	}
	if i == len(a.calls) {
		a.calls = append(a.calls, model.Call{ID: c.ID, Tool: c.Tool})
	}
	call := &a.calls[i]
	if call.Tool == "" {
		call.Tool = c.Tool
	}
	call.Arguments += c.Arguments
	if c.Arguments != "" {
		x.send(switchboard.DeltaToolArguments, x.id.Call(a.n, i), c.Arguments)
	}
}

// result takes the result of a call that the model's side ran. When all calls of the message have theirs, it is recorded,
// and what follows is a message of its own.
func (x *execution) result(ctx context.Context, a *answer, r model.CallResult) error {
	i := r.Index - a.offset
	if i < 0 || i >= len(a.calls) {
		return nil // of a call that nobody made
	}
	if a.results == nil {
		a.results = map[int]model.CallResult{}
	}
	a.results[i] = r
	if len(a.results) < len(a.calls) {
		return nil
	}
	if err := x.record(ctx, a); err != nil {
		return err
	}
	if held, err := x.ours(); err != nil || !held { // the run has ended, or is to be stopped
		return errors.Join(err, errStop)
	}
	*a = answer{usage: a.usage, counted: a.counted, offset: a.offset + len(a.calls)}
	return nil
}

// ours reports whether the run is at work in our hands, and nobody wants it stopped.
func (x *execution) ours() (bool, error) {
	x.t.mu.Lock()
	defer x.t.mu.Unlock()
	held, err := x.heldLocked()
	return held && x.run.Stop == "", err
}

// relay closes the calls of a recorded message that the model's side ran.
func (x *execution) relay(ctx context.Context, a *answer, calls []switchboard.Call) error {
	for i, c := range calls {
		r, made := a.results[i]
		if !made {
			continue
		}
		if ours, err := x.ours(); err != nil || !ours {
			return err
		}
		res := tool.Result{Value: []byte(r.Result)}
		if r.Failed {
			if res.Failed = strings.TrimSpace(r.Result); res.Failed == "" {
				res.Failed = "the call failed"
			}
		}
		if err := x.t.r.cfg.Tools.Relay(ctx, c, false, res, x); err != nil {
			return err
		}
	}
	return nil
}

// proceed opens the message that follows one whose calls were made elsewhere.
func (x *execution) proceed(ctx context.Context, a *answer) error {
	if a.n > 0 {
		return nil
	}
	x.t.mu.Lock()
	n := x.run.Open()
	failed, whole := x.exceeded(n)
	message := x.id.Message(x.run.Attempt, n)
	about := recollect(x.t.history).about(x.id, x.agent)
	attempt := x.run.Attempt
	x.t.mu.Unlock()
	switch {
	case failed != nil && whole:
		return errors.Join(x.failRun(ctx, failed, a.take()), errStop)
	case failed != nil:
		return errors.Join(x.fail(ctx, failed, a.take()), errStop)
	}
	p := &switchboard.AgentThinkingEvent{MessageID: message, Step: n, Source: "agent", Text: about}
	if err := x.store(ctx, p, thread.Header{Usage: a.take()}); err != nil {
		return err
	}
	x.open.begin(x.id, attempt, message)
	a.n, a.message = n, message
	return nil
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
