package anthropic

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/model/wire"
)

// wireRequest is the body of POST /v1/messages (Anthropic API reference, "Create a Message").
type wireRequest struct {
	Model       string        `json:"model"`
	MaxTokens   int           `json:"max_tokens"`
	System      string        `json:"system,omitempty"`
	Messages    []wireMessage `json:"messages"`
	Tools       []wireTool    `json:"tools,omitempty"`
	Temperature *float64      `json:"temperature,omitempty"`
	Thinking    *wireThinking `json:"thinking,omitempty"`
	Stream      bool          `json:"stream"`
}

type wireThinking struct {
	Type    string `json:"type"`
	Budget  int    `json:"budget_tokens,omitzero"`
	Display string `json:"display,omitempty"`
}

type wireMessage struct {
	Role    string           `json:"role"`
	Content []jsontext.Value `json:"content"`
}

type wireTool struct {
	Name        string         `json:"name"`
	Description string         `json:"description,omitempty"`
	Schema      jsontext.Value `json:"input_schema"`
}

type wireText struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

type wireToolUse struct {
	Type  string         `json:"type"`
	ID    string         `json:"id"`
	Name  string         `json:"name"`
	Input jsontext.Value `json:"input"`
}

type wireToolResult struct {
	Type    string `json:"type"`
	ID      string `json:"tool_use_id"`
	Content string `json:"content,omitempty"`
}

// begins stands in for the user where a conversation begins with the assistant, which the API does not take.
const begins = "(The beginning of the conversation is left out.)"

// encode writes the request's body. Text that is not UTF-8 is mended, so that one bad tool result does not make a
// conversation unanswerable.
func (m *Model) encode(r model.Request) ([]byte, error) {
	w := wireRequest{Model: m.config.Model, MaxTokens: m.config.MaxTokens, System: r.System, Stream: true}
	if thinks := m.thinks(r.Messages); thinks && m.config.Adaptive {
		w.Thinking = &wireThinking{Type: "adaptive", Display: "summarized"}
	} else if thinks {
		w.Thinking = &wireThinking{Type: "enabled", Budget: m.config.Thinking}
	} else {
		w.Temperature = r.Temperature
	}
	for _, t := range r.Tools {
		w.Tools = append(w.Tools, wireTool{Name: t.Name, Description: t.Description, Schema: wire.Schema(t.Schema)})
	}
	e := &encoder{m: m, w: &w, ids: map[string]string{}}
	for i := range r.Messages {
		if err := e.message(&r.Messages[i]); err != nil {
			return nil, fmt.Errorf("message %d %w", i, err)
		}
	}
	if err := e.flush(); err != nil {
		return nil, err
	}
	return json.Marshal(w, jsontext.AllowInvalidUTF8(true))
}

// thinks says whether the model may think: not within a turn whose earlier calls came without thinking that can be given
// back, for the API refuses that.
func (m *Model) thinks(messages []model.Message) bool {
	if m.config.Thinking == 0 && !m.config.Adaptive {
		return false
	}
	if m.config.Adaptive {
		return true // the model may have made its calls without a thought
	}
	for _, x := range slices.Backward(messages) {
		if x.Role == model.User {
			break
		}
		if len(x.Calls) > 0 && m.layoutOf(&x) == nil {
			return false
		}
	}
	return true
}

// encoder puts messages together as the API wants them: users and assistants in turns, and the results of calls, in their
// order, before anything else that a user says.
type encoder struct {
	m     *Model
	w     *wireRequest
	ids   map[string]string // of calls, as they are sent
	calls int               // made so far
	open  []string          // calls of the last assistant message, as they are sent
	done  map[string]jsontext.Value
}

func (e *encoder) message(x *model.Message) error {
	switch x.Role {
	case model.ToolRole:
		id := e.ids[x.CallID]
		if id == "" || !slices.Contains(e.open, id) {
			return fmt.Errorf("is the result of a call that no message before it makes")
		}
		b, err := encoded(wireToolResult{Type: "tool_result", ID: id, Content: x.Text})
		e.done[id] = b
		return err
	case model.User:
		if err := e.flush(); err != nil {
			return err
		}
		return e.text("user", x.Text)
	case model.Assistant:
		if err := e.flush(); err != nil {
			return err
		}
		return e.assistant(x)
	}
	return fmt.Errorf("has an unknown role")
}

// flush writes the results of the open calls, all in one message.
func (e *encoder) flush() error {
	for _, id := range e.open {
		if e.done[id] == nil {
			return fmt.Errorf("a call has no result")
		}
		e.add("user", e.done[id])
	}
	e.open, e.done = nil, map[string]jsontext.Value{}
	return nil
}

func (e *encoder) assistant(x *model.Message) error {
	l := e.m.layoutOf(x)
	if l == nil {
		l = &layout{Blocks: []part{{Text: len(x.Text)}}}
		for range x.Calls {
			l.Blocks = append(l.Blocks, part{Call: true})
		}
	}
	if len(e.w.Messages) == 0 {
		if err := e.text("user", begins); err != nil {
			return err
		}
	}
	text, calls := x.Text, x.Calls
	for _, p := range l.Blocks {
		switch {
		case len(p.Thinking) > 0:
			if e.w.Thinking != nil {
				e.add("assistant", p.Thinking)
			}
		case p.Call:
			e.calls++
			// Calls are numbered anew: our ids are no business of a server, and may be longer than it takes.
			id := fmt.Sprintf("call%05d", e.calls)
			e.ids[calls[0].ID] = id
			e.open = append(e.open, id)
			b, err := encoded(wireToolUse{Type: "tool_use", ID: id, Name: calls[0].Tool, Input: jsontext.Value(wire.Arguments(calls[0].Arguments))})
			if err != nil {
				return err
			}
			e.add("assistant", b)
			calls = calls[1:]
		default:
			if err := e.text("assistant", text[:p.Text]); err != nil {
				return err
			}
			text = text[p.Text:]
		}
	}
	return nil
}

// text adds a block of text, unless it is blank, which the API refuses.
func (e *encoder) text(role, s string) error {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	b, err := encoded(wireText{Type: "text", Text: s})
	if err != nil {
		return err
	}
	e.add(role, b)
	return nil
}

// add appends a block to the message that is being written, or to a new one if it is of the other side.
func (e *encoder) add(role string, block jsontext.Value) {
	if n := len(e.w.Messages); n == 0 || e.w.Messages[n-1].Role != role {
		e.w.Messages = append(e.w.Messages, wireMessage{Role: role})
	}
	last := &e.w.Messages[len(e.w.Messages)-1]
	last.Content = append(last.Content, block)
}

func encoded(block any) (jsontext.Value, error) {
	return json.Marshal(block, jsontext.AllowInvalidUTF8(true))
}
