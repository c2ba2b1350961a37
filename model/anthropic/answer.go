package anthropic

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/model/wire"
)

// maxBlocks bounds the content blocks of one answer.
const maxBlocks = 1024

// wireEvent is any event of a stream, or a whole message.
type wireEvent struct {
	Type    string         `json:"type"`
	Index   int            `json:"index"`
	Message wireAnswer     `json:"message"`
	Block   wireBlock      `json:"content_block"`
	Delta   wireDelta      `json:"delta"`
	Error   jsontext.Value `json:"error"`
	wireAnswer
}

type wireAnswer struct {
	Content    []wireBlock `json:"content"`
	StopReason string      `json:"stop_reason"`
	Usage      wireUsage   `json:"usage"`
}

// wireUsage counts tokens; what was read from or written to a cache is not in the input tokens.
type wireUsage struct {
	Input      int64 `json:"input_tokens"`
	CacheWrite int64 `json:"cache_creation_input_tokens"`
	CacheRead  int64 `json:"cache_read_input_tokens"`
	Output     int64 `json:"output_tokens"`
}

type wireBlock struct {
	Type      string         `json:"type"`
	Text      string         `json:"text,omitempty"`
	Thinking  string         `json:"thinking,omitempty"`
	Signature string         `json:"signature,omitempty"`
	Data      string         `json:"data,omitempty"`
	ID        string         `json:"id,omitempty"`
	Name      string         `json:"name,omitempty"`
	Input     jsontext.Value `json:"input,omitempty"`
}

type wireDelta struct {
	Type       string `json:"type"`
	Text       string `json:"text"`
	Thinking   string `json:"thinking"`
	Signature  string `json:"signature"`
	JSON       string `json:"partial_json"`
	StopReason string `json:"stop_reason"`
}

// answer turns the events of one response into model.Chunks. It is used by one goroutine.
type answer struct {
	out    *wire.Out
	blocks map[int]*block // that are open, as the server numbers them
	layout layout
	calls  int
	stop   string
	usage  model.Usage
	told   bool // the input's tokens were given
}

// block is a content block as it arrives.
type block struct {
	wireBlock
	text   int  // bytes given
	call   int  // its number
	filled bool // its arguments were given
}

func (a *answer) give(c model.Chunk) error {
	if !a.told { // so that they are known should the answer break off
		a.told = true
		c.Usage = &model.Usage{Input: a.usage.Input}
	}
	return a.out.Give(c)
}

// Take reads an event. Types that are not known are left out, as the API's versioning asks of clients.
func (a *answer) Take(event string, data []byte) (wire.Progress, error) {
	var e wireEvent
	err := json.Unmarshal(data, &e, wire.Tolerant)
	switch {
	case len(e.Error) > 0 && e.Error.Kind() != 'n':
		return wire.More, wire.ParseError(e.Error)
	case event == "error":
		return wire.More, wire.ParseError(data)
	case err != nil:
		return wire.More, fmt.Errorf("%w: %d bytes that cannot be read", wire.ErrGarbage, len(data)) // the bytes are the user's
	}
	switch e.Type {
	case "message_start":
		a.count(e.Message.Usage)
	case "message":
		err = a.whole(&e.wireAnswer)
	case "content_block_start":
		err = a.start(e.Index, e.Block)
	case "content_block_delta":
		err = a.delta(e.Index, &e.Delta)
	case "content_block_stop":
		err = a.end(e.Index)
	case "message_delta":
		a.count(e.Usage)
		if e.Delta.StopReason != "" {
			a.stop = e.Delta.StopReason
		}
	case "message_stop":
		return wire.Done, nil
	}
	if a.stop != "" && len(a.blocks) == 0 {
		return wire.Whole, err
	}
	return wire.More, err
}

func (a *answer) count(u wireUsage) {
	if in := u.Input + u.CacheRead + u.CacheWrite; in > 0 {
		a.usage.Input = in
	}
	a.usage.Output = max(a.usage.Output, u.Output)
}

// whole takes an answer of a server that does not stream.
func (a *answer) whole(w *wireAnswer) error {
	a.count(w.Usage)
	for i, b := range w.Content {
		if err := a.start(i, b); err != nil {
			return err
		}
		if err := a.end(i); err != nil {
			return err
		}
	}
	a.stop = w.StopReason
	return nil
}

func (a *answer) start(index int, w wireBlock) error {
	if a.blocks[index] != nil || a.stop != "" {
		return fmt.Errorf("%w: a block began twice, or after the end", wire.ErrGarbage)
	}
	if len(a.layout.Blocks)+len(a.blocks) >= maxBlocks {
		return wire.ErrTooLarge
	}
	b := &block{wireBlock: w}
	a.blocks[index] = b
	switch w.Type {
	case "text":
		return a.say(b, w.Text)
	case "thinking":
		b.Thinking = ""
		return a.think(b, w.Thinking)
	case "redacted_thinking":
		return a.out.Hold(len(w.Data))
	case "tool_use":
		if w.ID == "" || w.Name == "" {
			return fmt.Errorf("%w: a call of no tool", wire.ErrGarbage)
		}
		b.call = a.calls
		a.calls++
		if err := a.out.Hold(len(w.Input)); err != nil {
			return err
		}
		return a.give(model.Chunk{Call: &model.CallChunk{Index: b.call, ID: w.ID, Tool: w.Name}})
	}
	return nil
}

func (a *answer) delta(index int, d *wireDelta) error {
	b := a.blocks[index]
	if b == nil {
		return fmt.Errorf("%w: a piece of no block", wire.ErrGarbage)
	}
	switch {
	case d.Type == "text_delta" && b.Type == "text":
		return a.say(b, d.Text)
	case d.Type == "thinking_delta" && b.Type == "thinking":
		return a.think(b, d.Thinking)
	case d.Type == "signature_delta" && b.Type == "thinking":
		b.Signature += d.Signature
		return a.out.Hold(len(d.Signature))
	case d.Type == "input_json_delta" && b.Type == "tool_use" && d.JSON != "":
		b.filled = true
		return a.give(model.Chunk{Call: &model.CallChunk{Index: b.call, Arguments: d.JSON}})
	}
	return nil
}

func (a *answer) say(b *block, text string) error {
	if text == "" {
		return nil
	}
	b.text += len(text)
	return a.give(model.Chunk{Text: text})
}

func (a *answer) think(b *block, text string) error {
	if text == "" {
		return nil
	}
	b.Thinking += text
	return a.give(model.Chunk{Thinking: text})
}

// end closes a block and writes down where it stood.
func (a *answer) end(index int) error {
	b := a.blocks[index]
	if b == nil {
		return fmt.Errorf("%w: an end of no block", wire.ErrGarbage)
	}
	delete(a.blocks, index)
	switch b.Type {
	case "text":
		a.layout.Blocks = append(a.layout.Blocks, part{Text: b.text})
	case "thinking":
		// Thinking may be hidden: then there is only a signature.
		w := struct {
			Type      string `json:"type"`
			Thinking  string `json:"thinking"`
			Signature string `json:"signature"`
		}{b.Type, b.Thinking, b.Signature}
		return a.keep(w)
	case "redacted_thinking":
		return a.keep(wireBlock{Type: b.Type, Data: b.Data})
	case "tool_use":
		a.layout.Blocks = append(a.layout.Blocks, part{Call: true})
		if !b.filled {
			arguments := "{}"
			if b.Input.Kind() == '{' {
				arguments = string(b.Input)
			}
			return a.give(model.Chunk{Call: &model.CallChunk{Index: b.call, Arguments: arguments}})
		}
	}
	return nil
}

func (a *answer) keep(thinking any) error {
	v, err := encoded(thinking)
	a.layout.Blocks = append(a.layout.Blocks, part{Thinking: v})
	return err
}

// End gives the Finish chunk, or says why the answer is not whole.
func (a *answer) End() error {
	if len(a.blocks) > 0 {
		return fmt.Errorf("the stream ended within a block")
	}
	c := model.Chunk{Usage: &a.usage}
	switch a.stop {
	case "":
		return fmt.Errorf("the stream ended without a stop reason")
	case "end_turn", "stop_sequence":
		c.Finish = model.FinishStop
		if a.calls > 0 { // some servers say so after calls
			c.Finish = model.FinishCalls
		}
	case "tool_use":
		if a.calls == 0 {
			return fmt.Errorf("the server announced tool calls and sent none")
		}
		c.Finish = model.FinishCalls
	case "max_tokens", "model_context_window_exceeded":
		c.Finish = model.FinishLength
	case "refusal":
		c.Finish = model.FinishFilter
	default: // also pause_turn, which only tools of the server's own lead to, and none are offered
		return fmt.Errorf("the server ended its answer with %.100q", a.stop)
	}
	if c.Finish == model.FinishCalls {
		c.State = a.layout.keep()
	}
	return a.out.Give(c)
}
