package openai

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/model/wire"
)

// wireRequest is the body of POST /chat/completions (OpenAI API reference, "Create chat completion").
type wireRequest struct {
	Model         string             `json:"model"`
	Messages      []wireMessage      `json:"messages"`
	Tools         []wireTool         `json:"tools,omitempty"`
	Temperature   *float64           `json:"temperature,omitempty"`
	Stream        bool               `json:"stream"`
	StreamOptions *wireStreamOptions `json:"stream_options,omitempty"`
}

type wireStreamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

type wireMessage struct {
	Role       string         `json:"role"`
	Content    *string        `json:"content"`
	ToolCalls  []wireSentCall `json:"tool_calls,omitempty"`
	ToolCallID string         `json:"tool_call_id,omitempty"`
}

type wireSentCall struct {
	ID       string       `json:"id"`
	Type     string       `json:"type"`
	Function wireSentArgs `json:"function"`
}

type wireSentArgs struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

type wireTool struct {
	Type     string       `json:"type"`
	Function wireFunction `json:"function"`
}

type wireFunction struct {
	Name        string         `json:"name"`
	Description string         `json:"description,omitempty"`
	Parameters  jsontext.Value `json:"parameters"`
}

// encode writes the request's body. Text that is not UTF-8 is mended, so that one bad tool result does not make a
// conversation unanswerable.
func (m *Model) encode(r model.Request) ([]byte, error) {
	w := wireRequest{Model: m.config.Model, Stream: true, Temperature: r.Temperature}
	if !m.config.OmitUsage {
		w.StreamOptions = &wireStreamOptions{IncludeUsage: true}
	}
	if r.System != "" {
		w.Messages = append(w.Messages, wireMessage{Role: "system", Content: &r.System})
	}
	// Calls are numbered anew: servers differ in what an id may be (40 characters here, 9 letters and digits there), and
	// our ids are no business of theirs.
	ids := make(map[string]string)
	calls := 0
	for i, x := range r.Messages {
		y := wireMessage{Role: string(x.Role), Content: &r.Messages[i].Text, ToolCallID: ids[x.CallID]}
		switch x.Role {
		case model.User, model.Assistant, model.ToolRole:
		default:
			return nil, fmt.Errorf("message %d has the role %q", i, x.Role)
		}
		if x.Role == model.ToolRole && y.ToolCallID == "" {
			return nil, fmt.Errorf("message %d is the result of a call that no message makes", i)
		}
		for _, c := range x.Calls {
			calls++
			ids[c.ID] = fmt.Sprintf("call%05d", calls)
			y.ToolCalls = append(y.ToolCalls, wireSentCall{ID: ids[c.ID], Type: "function",
				Function: wireSentArgs{Name: c.Tool, Arguments: wire.Arguments(c.Arguments)}})
		}
		if len(x.Calls) > 0 && x.Text == "" {
			y.Content = nil
		}
		w.Messages = append(w.Messages, y)
	}
	for _, t := range r.Tools {
		f := wireFunction{Name: t.Name, Description: t.Description, Parameters: wire.Schema(t.Schema)}
		w.Tools = append(w.Tools, wireTool{Type: "function", Function: f})
	}
	return json.Marshal(w, jsontext.AllowInvalidUTF8(true))
}
