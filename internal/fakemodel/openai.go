package fakemodel

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/netra-systems/switchboard/model"
)

// openAI is the chat-completions protocol.
type openAI struct{}

func (openAI) key(h http.Header) string { return strings.TrimPrefix(h.Get("Authorization"), "Bearer ") }

// openAIRequest is a request as it comes.
type openAIRequest struct {
	Model    string `json:"model"`
	Messages []struct {
		Role      string  `json:"role"`
		Content   *string `json:"content"`
		ToolCalls []struct {
			ID       string `json:"id"`
			Type     string `json:"type"`
			Function struct {
				Name      string `json:"name"`
				Arguments string `json:"arguments"`
			} `json:"function"`
		} `json:"tool_calls"`
		ToolCallID string `json:"tool_call_id"`
	} `json:"messages"`
	Tools []struct {
		Type     string `json:"type"`
		Function struct {
			Name        string         `json:"name"`
			Description string         `json:"description"`
			Parameters  jsontext.Value `json:"parameters"`
		} `json:"function"`
	} `json:"tools"`
	Stream        bool `json:"stream"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
}

func (openAI) read(_ http.Header, body []byte) (Request, error) {
	var w openAIRequest
	var r Request
	if err := json.Unmarshal(body, &w); err != nil {
		return r, err
	}
	switch {
	case !w.Stream:
		return r, errors.New("only streams are served")
	case w.Model == "":
		return r, errors.New("you must provide a model parameter")
	case len(w.Messages) == 0:
		return r, errors.New("messages: too short")
	}
	r.Model, r.Usage = w.Model, w.StreamOptions.IncludeUsage
	for _, t := range w.Tools {
		if t.Type != "function" || t.Function.Name == "" || t.Function.Parameters.Kind() != '{' {
			return r, errors.New("tools: each must be a function with a name and parameters")
		}
		r.Asked.Tools = append(r.Asked.Tools, model.Tool{Name: t.Function.Name, Description: t.Function.Description,
			Schema: []byte(t.Function.Parameters)})
	}
	open := map[string]bool{} // calls without a result
	for i, m := range w.Messages {
		text := ""
		if m.Content != nil {
			text = *m.Content
		} else if len(m.ToolCalls) == 0 {
			return r, fmt.Errorf("messages.%d.content: expected a string", i)
		}
		if m.Role != "tool" && len(open) > 0 {
			return r, fmt.Errorf("messages.%d: an assistant message with tool_calls must be followed by the results of all of them", i)
		}
		x := model.Message{Role: model.Role(m.Role), Text: text, CallID: m.ToolCallID}
		for _, c := range m.ToolCalls {
			if c.ID == "" || open[c.ID] || c.Type != "function" || c.Function.Name == "" {
				return r, fmt.Errorf("messages.%d.tool_calls: malformed", i)
			}
			open[c.ID] = true
			x.Calls = append(x.Calls, model.Call{ID: c.ID, Tool: c.Function.Name, Arguments: c.Function.Arguments})
		}
		switch m.Role {
		case "system":
			r.Asked.System = text
			continue
		case "user", "assistant":
		case "tool":
			if !open[m.ToolCallID] {
				return r, fmt.Errorf("messages.%d.tool_call_id: no call before it has this id", i)
			}
			delete(open, m.ToolCallID)
		default:
			return r, fmt.Errorf("messages.%d.role: unknown", i)
		}
		r.Asked.Messages = append(r.Asked.Messages, x)
	}
	if len(open) > 0 {
		return r, errors.New("messages: the last tool_calls have no results")
	}
	return r, nil
}

func (openAI) refuse(w http.ResponseWriter, status int, code, message string) {
	kind := "invalid_request_error"
	if status >= 500 {
		kind = "server_error"
	}
	writeError(w, status, map[string]any{"error": map[string]any{"message": message, "type": kind, "code": code, "param": nil}})
}

func (openAI) speak(r Request, a Answer) speaker { return openAISpeaker{r, a} }

// openAISpeaker streams chat.completion.chunks.
type openAISpeaker struct {
	r Request
	a Answer
}

func (openAISpeaker) begin() []frame { return nil }

// chunk returns what a chunk says, its finish reason, and its usage, which OpenAI sends without choices.
func (s openAISpeaker) chunk(c model.Chunk) []frame {
	var out []frame
	if d := delta(c, s.a); len(d) > 0 {
		out = append(out, s.object("choices", []any{choice("delta", d, nil)}))
	}
	if c.Finish != "" {
		out = append(out, s.object("choices", []any{choice("delta", map[string]any{}, reason(c.Finish))}))
	}
	if c.Usage != nil && s.r.Usage && !s.a.NoUsage {
		out = append(out, s.object("choices", []any{}, "usage", usage(c.Usage)))
	}
	return out
}

func (openAISpeaker) end(f Fault) []frame {
	switch f {
	case FaultGarbage:
		return []frame{{data: `{"choices":[{"delta":{"content":"` + "\x00\xff"}, {data: "<html>502 Bad Gateway</html>"}, {data: "[DONE]"}}
	case FaultError:
		return []frame{{data: `{"error":{"message":"the fake server is overloaded","type":"server_error","code":503}}`}}
	}
	return []frame{{data: "[DONE]"}}
}

func (s openAISpeaker) object(members ...any) frame {
	o := map[string]any{"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1, "model": s.r.Model}
	for i := 0; i < len(members); i += 2 {
		o[members[i].(string)] = members[i+1]
	}
	return frame{data: marshal(o)}
}

func choice(name string, said map[string]any, finish any) map[string]any {
	return map[string]any{"index": 0, name: said, "finish_reason": finish}
}

func usage(u *model.Usage) map[string]any {
	return map[string]any{"prompt_tokens": u.Input, "completion_tokens": u.Output, "total_tokens": u.Input + u.Output}
}

// delta is what a chunk says.
func delta(c model.Chunk, a Answer) map[string]any {
	d := map[string]any{}
	if c.Thinking != "" {
		name := a.Reasoning
		if name == "" {
			name = "reasoning_content"
		}
		d[name] = c.Thinking
	}
	if c.Text != "" {
		d["content"] = c.Text
	}
	if c.Call != nil {
		function := map[string]any{"arguments": c.Call.Arguments}
		call := map[string]any{"function": function}
		if !a.NoIndex {
			call["index"] = c.Call.Index
		}
		if c.Call.ID != "" {
			call["id"], call["type"] = c.Call.ID, "function"
		}
		if c.Call.Tool != "" {
			function["name"] = c.Call.Tool
		}
		d["tool_calls"] = []any{call}
	}
	return d
}

func reason(f model.Finish) string {
	switch f {
	case model.FinishCalls:
		return "tool_calls"
	case model.FinishFilter:
		return "content_filter"
	}
	return string(f)
}

func (s openAISpeaker) whole() []byte {
	a, r := s.a, s.r
	said := map[string]any{"role": "assistant"}
	o := map[string]any{"id": "chatcmpl-fake", "object": "chat.completion", "created": 1, "model": r.Model}
	var text, thinking string
	var finish any
	var calls []any
	for _, c := range a.Chunks {
		text += c.Text
		thinking += c.Thinking
		if c.Call != nil {
			calls = append(calls, delta(model.Chunk{Call: c.Call}, a)["tool_calls"].([]any)...)
		}
		if c.Finish != "" {
			finish = reason(c.Finish)
		}
		if c.Usage != nil && !a.NoUsage {
			o["usage"] = usage(c.Usage)
		}
	}
	said["content"], said["reasoning_content"] = text, thinking
	if calls != nil {
		said["tool_calls"] = calls
	}
	o["choices"] = []any{choice("message", said, finish)}
	return []byte(marshal(o))
}
