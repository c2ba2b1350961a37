package openai

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/netra-systems/switchboard/model/wire"
)

// wireChunk is a chat.completion.chunk, or a chat.completion, which has a message where a chunk has a delta.
type wireChunk struct {
	Choices []wireChoice   `json:"choices"`
	Usage   *wireUsage     `json:"usage"`
	Error   jsontext.Value `json:"error"`
}

type wireChoice struct {
	Index        int        `json:"index"`
	Delta        wireDelta  `json:"delta"`
	Message      *wireDelta `json:"message"`
	FinishReason string     `json:"finish_reason"`
}

type wireDelta struct {
	Content          jsontext.Value `json:"content"`
	Refusal          string         `json:"refusal"`
	ReasoningContent jsontext.Value `json:"reasoning_content"`
	Reasoning        jsontext.Value `json:"reasoning"`
	ToolCalls        []wireCall     `json:"tool_calls"`
}

type wireCall struct {
	Index    *int         `json:"index"`
	ID       string       `json:"id"`
	Function wireFragment `json:"function"`
}

type wireFragment struct {
	Name      string         `json:"name"`
	Arguments jsontext.Value `json:"arguments"`
}

type wireUsage struct {
	Input  int64 `json:"prompt_tokens"`
	Output int64 `json:"completion_tokens"`
}

// Take reads a chunk of the server.
func (a *answer) Take(event string, data []byte) (wire.Progress, error) {
	f := &a.frame
	*f = wireChunk{Choices: f.Choices[:0]}
	err := json.Unmarshal(data, f, wire.Tolerant)
	switch {
	case len(f.Error) > 0 && f.Error.Kind() != 'n':
		return wire.More, wire.ParseError(f.Error)
	case event == "error":
		return wire.More, wire.ParseError(data)
	case err != nil:
		return wire.More, fmt.Errorf("%w: %d bytes that cannot be read", wire.ErrGarbage, len(data)) // the bytes are the user's
	}
	if err := a.take(f); err != nil {
		return wire.More, err
	}
	if a.finish != "" {
		return wire.Whole, nil // what follows is about usage
	}
	return wire.More, nil
}
