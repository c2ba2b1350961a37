package agui_test

import (
	"fmt"
	"testing"

	"github.com/netra-systems/switchboard/model"
)

// round is what one request brought, as a runner records it.
type round struct {
	messages []model.Message
	thinking string
	finish   model.Finish
	usage    model.Usage
	err      error
}

// ask asks the model once, splitting its answer into messages: one ends with the results of its calls.
func ask(t testing.TB, m model.Model, r model.Request) (o round) {
	t.Helper()
	x := model.Message{Role: model.Assistant}
	var results []model.Message
	end := func() {
		if x.Text != "" || len(x.Calls) > 0 {
			o.messages = append(append(o.messages, x), results...)
		}
		x, results = model.Message{Role: model.Assistant}, nil
	}
	for c, err := range m.Stream(t.Context(), r) {
		if o.err = err; err != nil {
			break
		}
		if len(results) > 0 && c.Result == nil {
			end()
		}
		x.Text += c.Text
		o.thinking += c.Thinking
		if p := c.Call; p != nil {
			if p.Index == len(x.Calls) {
				// The runner has ids of its own.
				id := fmt.Sprintf("%s.%d.%d", r.Run, len(r.Messages)+len(o.messages), p.Index)
				x.Calls = append(x.Calls, model.Call{ID: id, Tool: p.Tool})
			}
			x.Calls[p.Index].Arguments += p.Arguments
		}
		if c.Result != nil {
			results = append(results, model.Message{Role: model.ToolRole, CallID: x.Calls[c.Result.Index].ID, Text: c.Result.Result})
		}
		if len(c.State) > 0 {
			x.State = c.State
		}
		if c.Usage != nil {
			o.usage = *c.Usage
		}
		o.finish = c.Finish
	}
	end()
	return o
}

// last is the text of the last message.
func (o round) last() string {
	if len(o.messages) == 0 {
		return ""
	}
	return o.messages[len(o.messages)-1].Text
}

// answered returns the messages of a round with the results of the calls that it ends with.
func (o round) answered(result func(model.Call) string) []model.Message {
	out := o.messages
	for _, c := range out[len(out)-1].Calls {
		out = append(out, model.Message{Role: model.ToolRole, CallID: c.ID, Text: result(c)})
	}
	return out
}

// calls are the names of the calls of all messages.
func (o round) calls() (out []string) {
	for _, x := range o.messages {
		for _, c := range x.Calls {
			out = append(out, c.Tool)
		}
	}
	return out
}
