package agui

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/netra-systems/switchboard/model/wire"
)

// wireEvent is any event of a run; see the AG-UI 1.0 schema.
type wireEvent struct {
	Type     string         `json:"type"`
	Message  string         `json:"messageId"`
	Call     string         `json:"toolCallId"`
	Tool     string         `json:"toolCallName"`
	Parent   string         `json:"parentMessageId"`
	Subagent string         `json:"subagentRunId"`
	Delta    jsontext.Value `json:"delta"` // a text, or a JSON Patch
	Content  jsontext.Value `json:"content"`
	Snapshot jsontext.Value `json:"snapshot"`
	Messages []wireSaid     `json:"messages"`
	Text     string         `json:"message"` // of an error
	Code     string         `json:"code"`
	Result   jsontext.Value `json:"result"`
	Outcome  *wireOutcome   `json:"outcome"`
	Usage    []wireUsage    `json:"usage"`
}

type wireSaid struct {
	ID      string         `json:"id"`
	Role    string         `json:"role"`
	Content jsontext.Value `json:"content"`
}

type wireOutcome struct {
	Type       string          `json:"type"`
	Pending    []string        `json:"pendingToolCallIds"`
	Interrupts []wireInterrupt `json:"interrupts"`
}

type wireInterrupt struct {
	ID      string         `json:"id"`
	Reason  string         `json:"reason"`
	Message string         `json:"message"`
	Call    string         `json:"toolCallId"`
	Schema  jsontext.Value `json:"responseSchema"`
	Expires string         `json:"expiresAt"`
}

type wireUsage struct {
	Input  int64 `json:"inputTokens"`
	Output int64 `json:"outputTokens"`
}

// delta is the text of an event that brings some.
func (e *wireEvent) delta() (string, error) {
	var s string
	if len(e.Delta) > 0 && e.Delta.Kind() != 'n' && json.Unmarshal(e.Delta, &s, wire.Tolerant) != nil {
		return "", fmt.Errorf("%w: a delta that is no text", wire.ErrGarbage)
	}
	return s, nil
}

// textOf reads content: a text, or parts of which the texts are taken and the others named.
func textOf(v jsontext.Value) string {
	var s string
	if len(v) == 0 || v.Kind() == 'n' || json.Unmarshal(v, &s, wire.Tolerant) == nil {
		return s
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if json.Unmarshal(v, &parts, wire.Tolerant) != nil {
		return string(v)
	}
	var b strings.Builder
	for _, p := range parts {
		if p.Type != "text" {
			p.Text = "[" + p.Type + "]"
		}
		b.WriteString(p.Text)
	}
	return b.String()
}
