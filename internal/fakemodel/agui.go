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

// agUI is AG-UI 1.0: a remote agent without tools of its own.
type agUI struct{}

func (agUI) key(h http.Header) string { return strings.TrimPrefix(h.Get("Authorization"), "Bearer ") }

func (agUI) read(_ http.Header, body []byte) (Request, error) {
	var w struct {
		Thread   string         `json:"threadId"`
		Run      string         `json:"runId"`
		Version  string         `json:"protocolVersion"`
		State    jsontext.Value `json:"state"`
		Messages []struct {
			ID        string `json:"id"`
			Role      string `json:"role"`
			Content   string `json:"content"`
			ToolCalls []struct {
				ID       string `json:"id"`
				Type     string `json:"type"`
				Function struct {
					Name      string `json:"name"`
					Arguments string `json:"arguments"`
				} `json:"function"`
			} `json:"toolCalls"`
			ToolCallID string `json:"toolCallId"`
		} `json:"messages"`
		Tools []struct {
			Name        string         `json:"name"`
			Description string         `json:"description"`
			Parameters  jsontext.Value `json:"parameters"`
		} `json:"tools"`
	}
	r := Request{Model: "agent", Usage: true}
	if err := json.Unmarshal(body, &w); err != nil {
		return r, err
	}
	if w.Thread == "" || w.Run == "" || w.Version != "1.0" || len(w.Messages) == 0 {
		return r, errors.New("threadId, runId, protocolVersion and messages are required")
	}
	r.Asked.Thread, r.Asked.Run = w.Thread, w.Run
	for _, t := range w.Tools {
		if t.Name == "" {
			return r, errors.New("tools: each must have a name")
		}
		r.Asked.Tools = append(r.Asked.Tools, model.Tool{Name: t.Name, Description: t.Description, Schema: []byte(t.Parameters)})
	}
	seen := map[string]bool{}
	open := map[string]bool{}
	for i, m := range w.Messages {
		if m.ID == "" || seen[m.ID] {
			return r, fmt.Errorf("messages.%d.id: empty or not unique", i)
		}
		seen[m.ID] = true
		x := model.Message{Role: model.Role(m.Role), Text: m.Content, CallID: m.ToolCallID}
		switch m.Role {
		case "system":
			r.Asked.System = m.Content
			continue
		case "user", "assistant":
		case "tool":
			if !open[m.ToolCallID] {
				return r, fmt.Errorf("messages.%d.toolCallId: no call before it has this id", i)
			}
			delete(open, m.ToolCallID)
		default:
			return r, fmt.Errorf("messages.%d.role: unknown", i)
		}
		for _, c := range m.ToolCalls {
			if c.ID == "" || c.Type != "function" || c.Function.Name == "" {
				return r, fmt.Errorf("messages.%d.toolCalls: malformed", i)
			}
			open[c.ID] = true
			x.Calls = append(x.Calls, model.Call{ID: c.ID, Tool: c.Function.Name, Arguments: c.Function.Arguments})
		}
		r.Asked.Messages = append(r.Asked.Messages, x)
	}
	if len(open) > 0 {
		return r, errors.New("messages: calls without results")
	}
	return r, nil
}

func (agUI) refuse(w http.ResponseWriter, status int, code, message string) {
	writeError(w, status, map[string]any{"error": map[string]any{"message": message, "code": code}})
}

func (agUI) speak(r Request, a Answer) speaker { return &agUISpeaker{r: r, a: a} }

// agUISpeaker streams the events of one run.
type agUISpeaker struct {
	r     Request
	a     Answer
	n     int    // messages begun
	open  string // the event type that ends what is open
	calls []string
}

func (s *agUISpeaker) event(kind string, members ...any) frame {
	o := map[string]any{"type": kind}
	for i := 0; i < len(members); i += 2 {
		o[members[i].(string)] = members[i+1]
	}
	return frame{data: marshal(o)}
}

func (s *agUISpeaker) begin() []frame {
	return []frame{s.event("RUN_STARTED", "threadId", s.r.Asked.Thread, "runId", s.r.Asked.Run)}
}

func (s *agUISpeaker) message() string { return fmt.Sprintf("%s-m%d", s.r.Asked.Run, s.n) }

// close ends what is open, unless it is what goes on.
func (s *agUISpeaker) close(but string) []frame {
	if s.open == "" || s.open == but {
		return nil
	}
	kind := s.open
	s.open = ""
	switch kind {
	case "TOOL_CALL_END":
		return []frame{s.event(kind, "toolCallId", s.calls[len(s.calls)-1])}
	case "REASONING_MESSAGE_END":
		return []frame{s.event(kind, "messageId", s.message()), s.event("REASONING_END", "messageId", s.message())}
	}
	return []frame{s.event(kind, "messageId", s.message())}
}

func (s *agUISpeaker) chunk(c model.Chunk) []frame {
	var out []frame
	if c.Thinking != "" {
		if out = append(out, s.close("REASONING_MESSAGE_END")...); s.open == "" {
			s.n++
			s.open = "REASONING_MESSAGE_END"
			out = append(out, s.event("REASONING_START", "messageId", s.message()),
				s.event("REASONING_MESSAGE_START", "messageId", s.message(), "role", "reasoning"))
		}
		out = append(out, s.event("REASONING_MESSAGE_CONTENT", "messageId", s.message(), "delta", c.Thinking))
	}
	if c.Text != "" {
		if out = append(out, s.close("TEXT_MESSAGE_END")...); s.open == "" {
			s.n++
			s.open = "TEXT_MESSAGE_END"
			out = append(out, s.event("TEXT_MESSAGE_START", "messageId", s.message(), "role", "assistant"))
		}
		out = append(out, s.event("TEXT_MESSAGE_CONTENT", "messageId", s.message(), "delta", c.Text))
	}
	if p := c.Call; p != nil {
		if p.Tool != "" {
			out = append(out, s.close("")...)
			s.open, s.calls = "TOOL_CALL_END", append(s.calls, p.ID)
			out = append(out, s.event("TOOL_CALL_START", "toolCallId", p.ID, "toolCallName", p.Tool))
		}
		if p.Arguments != "" {
			out = append(out, s.event("TOOL_CALL_ARGS", "toolCallId", s.calls[len(s.calls)-1], "delta", p.Arguments))
		}
	}
	if c.Finish == model.FinishStop || c.Finish == model.FinishCalls {
		out = append(out, s.close("")...)
		outcome := map[string]any{"type": "success"}
		if len(s.calls) > 0 {
			outcome["pendingToolCallIds"] = s.calls
		}
		o := []any{"threadId", s.r.Asked.Thread, "runId", s.r.Asked.Run, "outcome", outcome}
		if c.Usage != nil && !s.a.NoUsage {
			o = append(o, "usage", []any{map[string]any{"inputTokens": c.Usage.Input, "outputTokens": c.Usage.Output}})
		}
		out = append(out, s.event("RUN_FINISHED", o...))
	} else if c.Finish != "" {
		out = append(out, s.event("RUN_ERROR", "message", "the model stopped early", "code", string(c.Finish)))
	}
	return out
}

func (s *agUISpeaker) end(f Fault) []frame {
	switch f {
	case FaultGarbage:
		return []frame{{data: `{"type":"TEXT_MESSAGE_CONTENT","delta":"` + "\x00\xff"}, {data: "<html>502 Bad Gateway</html>"}}
	case FaultError:
		return []frame{s.event("RUN_ERROR", "message", "the fake agent is overloaded", "code", "overloaded")}
	}
	return nil
}

// whole is not what AG-UI knows.
func (s *agUISpeaker) whole() []byte { return []byte(`{}`) }
