package agui

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/model/wire"
)

// memory is what is kept with an assistant message. Other adapters keep other things, so it stands under a name of its own.
type memory struct {
	AGUI *kept `json:"agui,omitempty"`
}

// kept is what the agent called the pieces of a message of ours.
type kept struct {
	Asked      []string       `json:"asked,omitempty"` // the user's messages right before it
	Parts      []part         `json:"parts,omitempty"` // that its text is made of, with separators between them
	Calls      []call         `json:"calls,omitempty"` // by their place
	Interrupts []interrupt    `json:"interrupts,omitempty"`
	State      jsontext.Value `json:"state,omitempty"` // the agent's, if it has changed
}

// part is a message of the agent, as so many bytes of the text.
type part struct {
	ID    string `json:"id"`
	Bytes int    `json:"bytes"`
}

// separator stands between messages of the agent that are one of ours.
const separator = "\n\n"

// call is a tool call of the agent.
type call struct {
	ID     string `json:"id"`
	Parent string `json:"parent,omitempty"` // the message that makes it
	Result string `json:"result,omitempty"` // the message that holds its result
}

// interrupt is a question of the agent; it is asked by a call of InterruptTool.
type interrupt struct {
	ID      string    `json:"id"`
	Call    int       `json:"call"` // the place of that call
	Boolean bool      `json:"boolean,omitzero"`
	Wants   *proposal `json:"wants,omitempty"`
}

// proposal is the call that an agent wants to make.
type proposal struct {
	call
	Tool      string `json:"tool"`
	Arguments string `json:"arguments"`
}

// keep returns the state of a message: without the agent's own if that is too large, and nil if it still is.
func (k *kept) keep() []byte {
	for range 2 {
		b, err := json.Marshal(memory{k}, jsontext.AllowInvalidUTF8(true))
		if err == nil && len(b) <= model.MaxState {
			return b
		}
		k.State = nil
	}
	return nil
}

// keptOf returns what was kept with a message; it is empty if there is nothing, or it does not fit the message.
func keptOf(x *model.Message) *kept {
	var m memory
	if len(x.State) == 0 || json.Unmarshal(x.State, &m, wire.Tolerant) != nil || m.AGUI == nil {
		return &kept{}
	}
	k := m.AGUI
	bytes := max(0, len(k.Parts)-1) * len(separator)
	for _, p := range k.Parts {
		if p.Bytes < 0 || p.ID == "" {
			return &kept{}
		}
		bytes += p.Bytes
	}
	if bytes != len(x.Text) {
		k.Parts = nil
	}
	if len(k.Calls) != len(x.Calls) {
		k.Calls, k.Interrupts = nil, nil
	}
	for _, i := range k.Interrupts {
		if i.Call < 0 || i.Call >= len(x.Calls) || i.ID == "" || i.Wants != nil && i.Wants.ID == "" {
			k.Interrupts = nil
			break
		}
	}
	return k
}

// asks returns the interrupt that the i-th call of a message is, nil if it is none.
func (k *kept) asks(i int) *interrupt {
	for j := range k.Interrupts {
		if k.Interrupts[j].Call == i {
			return &k.Interrupts[j]
		}
	}
	return nil
}
