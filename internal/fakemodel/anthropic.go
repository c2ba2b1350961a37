package fakemodel

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/netra-systems/switchboard/model"
)

// anthropic is the Messages API.
type anthropic struct{}

func (anthropic) key(h http.Header) string { return h.Get("X-Api-Key") }

// anthropicBlock is a content block of a request.
type anthropicBlock struct {
	Type      string         `json:"type"`
	Text      string         `json:"text"`
	Thinking  string         `json:"thinking"`
	Signature string         `json:"signature"`
	Data      string         `json:"data"`
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	Input     jsontext.Value `json:"input"`
	ToolUseID string         `json:"tool_use_id"`
	Content   jsontext.Value `json:"content"`
}

type anthropicMessage struct {
	Role    string         `json:"role"`
	Content jsontext.Value `json:"content"`
}

type anthropicRequest struct {
	Model       string             `json:"model"`
	MaxTokens   int                `json:"max_tokens"`
	System      string             `json:"system"`
	Messages    []anthropicMessage `json:"messages"`
	Temperature *float64           `json:"temperature"`
	Stream      bool               `json:"stream"`
	Thinking    struct {
		Type   string `json:"type"`
		Budget int    `json:"budget_tokens"`
	} `json:"thinking"`
	Tools []struct {
		Name        string         `json:"name"`
		Description string         `json:"description"`
		Schema      jsontext.Value `json:"input_schema"`
	} `json:"tools"`
}

func (anthropic) read(h http.Header, body []byte) (Request, error) {
	r := Request{Usage: true}
	var w anthropicRequest
	if err := json.Unmarshal(body, &w); err != nil {
		return r, err
	}
	thinks := w.Thinking.Type == "enabled" || w.Thinking.Type == "adaptive"
	switch {
	case h.Get("Anthropic-Version") != "2023-06-01":
		return r, errors.New("anthropic-version: header is required")
	case !w.Stream:
		return r, errors.New("only streams are served")
	case w.Model == "":
		return r, errors.New("model: Field required")
	case w.MaxTokens < 1:
		return r, errors.New("max_tokens: must be at least 1")
	case len(w.Messages) == 0 || w.Messages[0].Role != "user":
		return r, errors.New("messages: first message must use the \"user\" role")
	case w.Thinking.Type == "enabled" && (w.Thinking.Budget < 1024 || w.Thinking.Budget >= w.MaxTokens):
		return r, errors.New("max_tokens must be greater than thinking.budget_tokens, and that at least 1024")
	case thinks && w.Temperature != nil && *w.Temperature != 1:
		return r, errors.New("temperature may only be set to 1 when thinking is enabled")
	}
	r.Model, r.Asked.System, r.Asked.Temperature = w.Model, w.System, w.Temperature
	for _, t := range w.Tools {
		if t.Name == "" || t.Schema.Kind() != '{' {
			return r, errors.New("tools: each must have a name and an input_schema")
		}
		r.Asked.Tools = append(r.Asked.Tools, model.Tool{Name: t.Name, Description: t.Description, Schema: []byte(t.Schema)})
	}
	var open []string // calls without a result
	for i, m := range w.Messages {
		blocks, err := anthropicBlocks(m.Content)
		if err != nil {
			return r, fmt.Errorf("messages.%d.content: %w", i, err)
		}
		switch m.Role {
		case "user":
			open, err = takeUser(&r, blocks, open)
		case "assistant":
			open, err = takeAssistant(&r, blocks, w.Thinking.Type == "enabled" && lastTurn(w.Messages, i))
		default:
			err = errors.New("unknown role")
		}
		if err != nil {
			return r, fmt.Errorf("messages.%d: %w", i, err)
		}
	}
	if len(open) > 0 {
		return r, errors.New("messages: the last tool_use blocks have no results")
	}
	return r, nil
}

// lastTurn says that only results follow message i: it belongs to the turn that the answer goes on with.
func lastTurn(messages []anthropicMessage, i int) bool {
	for _, m := range messages[i+1:] {
		blocks, err := anthropicBlocks(m.Content)
		for _, b := range blocks {
			if err != nil || m.Role == "user" && b.Type != "tool_result" {
				return false
			}
		}
	}
	return true
}

func anthropicBlocks(v jsontext.Value) ([]anthropicBlock, error) {
	var text string
	if v.Kind() == '"' {
		err := json.Unmarshal(v, &text)
		return []anthropicBlock{{Type: "text", Text: text}}, err
	}
	var blocks []anthropicBlock
	if err := json.Unmarshal(v, &blocks); err != nil || len(blocks) == 0 {
		return nil, errors.New("expected a string or blocks")
	}
	return blocks, nil
}

// takeUser reads a user message: first the results of all open calls, then text.
func takeUser(r *Request, blocks []anthropicBlock, open []string) ([]string, error) {
	var text []string
	for _, b := range blocks {
		switch b.Type {
		case "tool_result":
			if len(open) == 0 || len(text) > 0 {
				return nil, errors.New("each tool_result must have a tool_use in the previous message, and come before text")
			}
			if b.ToolUseID != open[0] {
				return nil, errors.New("tool_result: not in the order of the calls")
			}
			open = open[1:]
			result := ""
			if len(b.Content) > 0 {
				if err := json.Unmarshal(b.Content, &result); err != nil {
					return nil, errors.New("tool_result: expected text")
				}
			}
			r.Asked.Messages = append(r.Asked.Messages, model.Message{Role: model.ToolRole, CallID: b.ToolUseID, Text: result})
		case "text":
			if strings.TrimSpace(b.Text) == "" {
				return nil, errors.New("text content blocks must contain non-whitespace text")
			}
			text = append(text, b.Text)
		default:
			return nil, errors.New("unknown block")
		}
	}
	if len(open) > 0 {
		return nil, errors.New("tool_use ids were found without tool_result blocks immediately after")
	}
	if len(text) > 0 {
		r.Asked.Messages = append(r.Asked.Messages, model.Message{Role: model.User, Text: strings.Join(text, "\n\n")})
	}
	return nil, nil
}

// takeAssistant reads an assistant message; in the turn that is going on, calls follow the thinking that led to them.
func takeAssistant(r *Request, blocks []anthropicBlock, thinks bool) (open []string, err error) {
	x := model.Message{Role: model.Assistant}
	for i, b := range blocks {
		switch b.Type {
		case "text":
			if strings.TrimSpace(b.Text) == "" {
				return nil, errors.New("text content blocks must contain non-whitespace text")
			}
			x.Text += b.Text
		case "thinking":
			if b.Signature != sign(b.Thinking) {
				return nil, fmt.Errorf("content.%d: Invalid `signature` in `thinking` block", i)
			}
		case "redacted_thinking":
			if b.Data == "" {
				return nil, errors.New("redacted_thinking: no data")
			}
		case "tool_use":
			if b.ID == "" || b.Name == "" || b.Input.Kind() != '{' {
				return nil, errors.New("tool_use: malformed")
			}
			open = append(open, b.ID)
			x.Calls = append(x.Calls, model.Call{ID: b.ID, Tool: b.Name, Arguments: string(b.Input)})
		default:
			return nil, errors.New("unknown block")
		}
	}
	if first := blocks[0].Type; thinks && open != nil && first != "thinking" && first != "redacted_thinking" {
		return nil, errors.New("content.0.type: Expected `thinking` or `redacted_thinking`, but found another: a final assistant message must start with a thinking block")
	}
	r.Asked.Messages = append(r.Asked.Messages, x)
	return open, nil
}

// sign is the signature of a thinking block.
func sign(thinking string) string {
	sum := sha256.Sum256([]byte(thinking))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func (anthropic) refuse(w http.ResponseWriter, status int, _, message string) {
	kind, ok := anthropicErrors[status]
	if !ok {
		kind = "api_error"
	}
	writeError(w, status, map[string]any{"type": "error", "error": map[string]any{"type": kind, "message": message}})
}

var anthropicErrors = map[int]string{400: "invalid_request_error", 401: "authentication_error", 403: "permission_error",
	404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 529: "overloaded_error"}
