package openai

import (
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/model/wire"
)

// maxCalls bounds the tool calls of one answer.
const maxCalls = 256

// answer turns the chunks of one response into model.Chunks. It is used by one goroutine.
type answer struct {
	out    *wire.Out
	frame  wireChunk // being read
	calls  []*call
	finish string
	usage  *model.Usage
}

// call is a tool call as it arrives. Its place in answer.calls is the Index that is given out.
type call struct {
	index  *int // as the server numbers it
	id     string
	named  bool   // its first piece was given
	early  string // arguments that came before the name
	filled bool   // it has arguments
}

// take gives out what one chunk of the server holds.
func (a *answer) take(f *wireChunk) error {
	if f.Usage != nil {
		a.usage = &model.Usage{Input: f.Usage.Input, Output: f.Usage.Output}
	}
	for i := range f.Choices {
		c := &f.Choices[i]
		if c.Index != 0 {
			continue
		}
		d := &c.Delta
		if c.Message != nil {
			d = c.Message
		}
		if err := a.takeDelta(d); err != nil {
			return err
		}
		if c.FinishReason != "" {
			a.finish = c.FinishReason
		}
	}
	return nil
}

func (a *answer) takeDelta(d *wireDelta) error {
	// Servers that know both names of reasoning send the same text under both.
	thinking, _ := text(d.ReasoningContent)
	if thinking == "" {
		thinking, _ = text(d.Reasoning)
	}
	content, err := text(d.Content)
	if err != nil {
		return err
	}
	if content == "" {
		content = d.Refusal
	}
	if thinking != "" {
		if err := a.out.Give(model.Chunk{Thinking: thinking}); err != nil {
			return err
		}
	}
	if content != "" {
		if err := a.out.Give(model.Chunk{Text: content}); err != nil {
			return err
		}
	}
	for i := range d.ToolCalls {
		if err := a.takeCall(&d.ToolCalls[i]); err != nil {
			return err
		}
	}
	return nil
}

// text reads content: a string, null, or parts of which only text is understood. Anything else is an error, for to leave
// it out would pass off half an answer as a whole one.
func text(v jsontext.Value) (string, error) {
	if len(v) == 0 || v.Kind() == 'n' {
		return "", nil
	}
	var s string
	if v.Kind() == '"' {
		err := json.Unmarshal(v, &s, wire.Tolerant)
		return s, err
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if err := json.Unmarshal(v, &parts, wire.Tolerant); err != nil {
		return "", fmt.Errorf("%w: content that is no text", wire.ErrGarbage)
	}
	var b strings.Builder
	for _, p := range parts {
		if p.Type != "text" {
			return "", fmt.Errorf("%w: content of type %.100q", wire.ErrGarbage, p.Type)
		}
		b.WriteString(p.Text)
	}
	return b.String(), nil
}

func (a *answer) takeCall(w *wireCall) error {
	i := a.find(w)
	if i == len(a.calls) {
		if i == maxCalls {
			return wire.ErrTooLarge
		}
		id := w.ID
		if id == "" {
			id = "call_" + rand.Text()
		}
		a.calls = append(a.calls, &call{index: w.Index, id: id})
	}
	c := a.calls[i]
	args := string(w.Function.Arguments)
	switch w.Function.Arguments.Kind() {
	case '"':
		if err := json.Unmarshal(w.Function.Arguments, &args, wire.Tolerant); err != nil {
			return fmt.Errorf("%w: %w", wire.ErrGarbage, err)
		}
	case 'n':
		args = ""
	}
	out := &model.CallChunk{Index: i, Arguments: args}
	if !c.named {
		if w.Function.Name == "" {
			c.early += args
			return a.out.Hold(len(args))
		}
		c.named = true
		out.ID, out.Tool, out.Arguments = c.id, w.Function.Name, c.early+args
	} else if args == "" {
		return nil
	}
	c.filled = c.filled || out.Arguments != ""
	return a.out.Give(model.Chunk{Call: out})
}

// find returns the place of the call that a piece belongs to, len(a.calls) for a new one. The index says it, but some
// servers leave it out, and some number every parallel call 0 and tell them apart by id.
func (a *answer) find(w *wireCall) int {
	last := len(a.calls) - 1
	for i := last; i >= 0; i-- {
		c := a.calls[i]
		switch {
		case w.Index != nil:
			if c.index == nil || *c.index != *w.Index {
				continue
			}
			if c.named && w.Function.Name != "" && w.ID != "" && w.ID != c.id {
				return len(a.calls)
			}
			return i
		case w.ID != "" && w.ID == c.id:
			return i
		}
	}
	if w.Index == nil && w.ID == "" && w.Function.Name == "" && last >= 0 {
		return last
	}
	return len(a.calls)
}

// End gives the Finish chunk, or says why the answer is not whole.
func (a *answer) End() error {
	var finish model.Finish
	switch a.finish {
	case "":
		return fmt.Errorf("the stream ended without a finish reason")
	case "stop", "eos", "end_turn", "stop_sequence":
		finish = model.FinishStop
		if len(a.calls) > 0 { // some servers say stop after calls
			finish = model.FinishCalls
		}
	case "tool_calls", "function_call":
		finish = model.FinishCalls
		if len(a.calls) == 0 {
			return fmt.Errorf("the server announced tool calls and sent none")
		}
	case "length", "max_tokens":
		finish = model.FinishLength
	case "content_filter":
		finish = model.FinishFilter
	default:
		return fmt.Errorf("the server ended its answer with %.100q", a.finish)
	}
	if finish == model.FinishCalls {
		for i, c := range a.calls {
			if !c.named {
				return fmt.Errorf("the server sent a call of no tool")
			}
			if !c.filled {
				if err := a.out.Give(model.Chunk{Call: &model.CallChunk{Index: i, Arguments: "{}"}}); err != nil {
					return err
				}
			}
		}
	}
	return a.out.Give(model.Chunk{Usage: a.usage, Finish: finish})
}
