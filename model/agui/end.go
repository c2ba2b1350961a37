package agui

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/model/wire"
)

// End gives what the end of the run leaves to us, and the Finish chunk, or says why the answer is not whole.
func (a *answer) End() error {
	if a.end == nil {
		return fmt.Errorf("the stream ended before the run")
	}
	if a.open != "" || slices.ContainsFunc(a.order, func(c *remote) bool { return c.open }) {
		return fmt.Errorf("%w: the run ended within a message or a call", wire.ErrGarbage)
	}
	outcome := a.end.Outcome
	if outcome == nil {
		outcome = &wireOutcome{Type: "success"}
	}
	switch outcome.Type {
	case "success":
	case "interrupt":
		if len(outcome.Interrupts) == 0 || len(outcome.Interrupts) > maxCalls {
			return fmt.Errorf("%w: an interrupt that asks nothing, or too much", wire.ErrGarbage)
		}
	case "cancelled":
		return &model.Error{Kind: model.Unavailable, Message: "the remote agent was stopped over there"}
	default:
		return fmt.Errorf("the run ended with %.100q", outcome.Type)
	}
	if err := a.untold(outcome); err != nil {
		return err
	}
	for _, c := range a.order {
		if c.done || interrupted(outcome, c.ID) {
			continue
		}
		if err := a.give(c.tool, c.arguments.String(), c.call); err != nil {
			return err
		}
	}
	for i := range outcome.Interrupts {
		if err := a.ask(&outcome.Interrupts[i]); err != nil {
			return err
		}
	}
	finish := model.FinishCalls
	if len(a.kept.Calls) == 0 {
		finish = model.FinishStop
		if err := a.unsaid(); err != nil {
			return err
		}
	}
	return a.out.Give(model.Chunk{State: a.kept.keep(), Usage: &a.usage, Finish: finish})
}

func interrupted(o *wireOutcome, call string) bool {
	return slices.ContainsFunc(o.Interrupts, func(i wireInterrupt) bool { return i.Call == call })
}

// untold gives the calls of tools that are not ours and of which no result came: the agent has kept it to itself. Newer
// agents say which calls they wait for.
func (a *answer) untold(o *wireOutcome) error {
	for _, c := range a.order {
		waits := slices.Contains(o.Pending, c.ID) || len(o.Pending) == 0 && a.asked.offered[c.tool]
		if c.done || waits || interrupted(o, c.ID) {
			continue
		}
		c.Result = a.asked.id("result", c.ID)
		if err := a.ran(c, "The agent has not told the result.", false); err != nil {
			return err
		}
	}
	return nil
}

// ask gives an interrupt, as a call of InterruptTool.
func (a *answer) ask(w *wireInterrupt) error {
	if w.ID == "" {
		return fmt.Errorf("%w: an interrupt without an id", wire.ErrGarbage)
	}
	q := interrupt{ID: w.ID, Call: len(a.kept.Calls)}
	says := Interrupt{Reason: w.Reason, Message: w.Message, Schema: w.Schema, Expires: w.Expires}
	var schema struct {
		Type jsontext.Value `json:"type"`
	}
	q.Boolean = json.Unmarshal(w.Schema, &schema, wire.Tolerant) == nil && string(schema.Type) == `"boolean"`
	if c := a.calls[w.Call]; c != nil && !c.done {
		q.Wants = &proposal{call: c.call, Tool: c.tool, Arguments: wire.Arguments(c.arguments.String())}
	} else if c == nil {
		q.Wants = a.asked.wanted[w.Call] // asked about once more
	}
	if q.Wants != nil {
		says.Tool, says.Arguments = q.Wants.Tool, jsontext.Value(q.Wants.Arguments)
	}
	b, err := json.Marshal(says, jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return fmt.Errorf("%w: an interrupt that cannot be read", wire.ErrGarbage)
	}
	a.kept.Interrupts = append(a.kept.Interrupts, q)
	return a.give(InterruptTool, string(b), call{ID: "interrupt-" + w.ID})
}

// unsaid gives an answer that was not streamed: some agents have it in a snapshot, in the run's result, or from a subagent
// alone.
func (a *answer) unsaid() error {
	if len(a.kept.Parts) > 0 {
		return nil
	}
	if text := a.snapshot[a.newest]; text != "" && a.said[a.newest] == "" {
		return a.say(a.newest, text)
	}
	if len(a.said) > 0 { // before a call of its own
		return nil
	}
	id := cmp.Or(a.subagent, a.asked.id("result", a.asked.in.Run))
	if text := a.subagents.String(); text != "" {
		return a.say(id, text)
	}
	if a.end.Result.Kind() == '"' {
		return a.say(id, textOf(a.end.Result))
	}
	return nil
}
