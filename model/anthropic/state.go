package anthropic

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/model/wire"
)

// state is what is kept with an assistant message: how its blocks followed one another. Other adapters keep other things,
// so it stands under a name of its own.
type state struct {
	Anthropic *layout `json:"anthropic,omitempty"`
}

// layout is an answer without what the message itself holds.
type layout struct {
	Model  string `json:"model"` // that thought so; its signatures mean nothing to others
	Blocks []part `json:"blocks"`
}

// part is a block: thinking as the API gave it, so many bytes of the message's text, or its next call.
type part struct {
	Thinking jsontext.Value `json:"thinking,omitempty"`
	Text     int            `json:"text,omitzero"`
	Call     bool           `json:"call,omitzero"`
}

// keep returns the state of an answer; nil if there is nothing to keep, or too much.
func (l *layout) keep() []byte {
	thinks := false
	for _, p := range l.Blocks {
		thinks = thinks || len(p.Thinking) > 0
	}
	if !thinks {
		return nil
	}
	b, err := json.Marshal(state{l}, jsontext.AllowInvalidUTF8(true))
	if err != nil || len(b) > model.MaxState {
		return nil
	}
	return b
}

// layoutOf returns the layout that was kept with a message by this model, nil if there is none that fits it.
func (m *Model) layoutOf(x *model.Message) *layout {
	var s state
	if len(x.State) == 0 || json.Unmarshal(x.State, &s, wire.Tolerant) != nil || s.Anthropic == nil || s.Anthropic.Model != m.config.Model {
		return nil
	}
	text, calls := 0, 0
	for _, p := range s.Anthropic.Blocks {
		if p.Text < 0 {
			return nil
		}
		text += p.Text
		if p.Call {
			calls++
		}
	}
	if text != len(x.Text) || calls != len(x.Calls) {
		return nil
	}
	return s.Anthropic
}
