package fakemodel

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/netra-systems/switchboard/model"
)

func (anthropic) speak(r Request, a Answer) speaker { return &anthropicSpeaker{r: r, a: a, index: -1} }

// anthropicSpeaker streams content blocks, one after the other.
type anthropicSpeaker struct {
	r     Request
	a     Answer
	index int    // of the open block; -1: there was none
	open  string // its type: "" for none
	call  int    // the call that the open block is
	said  string // the thinking of the open block
}

func event(name string, members map[string]any) frame {
	members["type"] = name
	return frame{event: name, data: marshal(members)}
}

func (s *anthropicSpeaker) usage() (input, output int64) {
	for _, c := range s.a.Chunks {
		if c.Usage != nil && !s.a.NoUsage {
			return c.Usage.Input, c.Usage.Output
		}
	}
	return 0, 0
}

// begin counts the input as real servers do: in part as read from a cache.
func (s *anthropicSpeaker) begin() []frame {
	input, _ := s.usage()
	return []frame{
		event("message_start", map[string]any{"message": map[string]any{"id": "msg_fake", "type": "message", "role": "assistant",
			"model": s.r.Model, "content": []any{}, "stop_reason": nil,
			"usage": map[string]any{"input_tokens": input - input/2, "cache_read_input_tokens": input / 2, "cache_creation_input_tokens": 0, "output_tokens": 1}}}),
		event("ping", map[string]any{}),
	}
}

// block closes the open block and opens another one, unless it is of the same type.
func (s *anthropicSpeaker) block(kind string, content map[string]any) []frame {
	if s.open == kind && kind != "tool_use" {
		return nil
	}
	out := s.close()
	s.index++
	s.open, s.said = kind, ""
	content["type"] = kind
	return append(out, event("content_block_start", map[string]any{"index": s.index, "content_block": content}))
}

func (s *anthropicSpeaker) close() []frame {
	if s.open == "" {
		return nil
	}
	var out []frame
	if s.open == "thinking" {
		out = append(out, s.delta("signature_delta", "signature", sign(s.said)))
	}
	s.open = ""
	return append(out, event("content_block_stop", map[string]any{"index": s.index}))
}

func (s *anthropicSpeaker) delta(kind, member, text string) frame {
	return event("content_block_delta", map[string]any{"index": s.index, "delta": map[string]any{"type": kind, member: text}})
}

func (s *anthropicSpeaker) chunk(c model.Chunk) []frame {
	var out []frame
	if c.Thinking != "" {
		out = append(out, s.block("thinking", map[string]any{"thinking": "", "signature": ""})...)
		s.said += c.Thinking
		out = append(out, s.delta("thinking_delta", "thinking", c.Thinking))
	}
	if c.Text != "" {
		out = append(out, s.block("text", map[string]any{"text": ""})...)
		out = append(out, s.delta("text_delta", "text", c.Text))
	}
	if p := c.Call; p != nil {
		if p.Tool != "" {
			out = append(out, s.block("tool_use", map[string]any{"id": p.ID, "name": p.Tool, "input": map[string]any{}})...)
			s.call = p.Index
		}
		if p.Arguments != "" {
			out = append(out, s.delta("input_json_delta", "partial_json", p.Arguments))
		}
	}
	if c.Finish != "" {
		out = append(out, s.close()...)
		_, output := s.usage()
		out = append(out, event("message_delta", map[string]any{
			"delta": map[string]any{"stop_reason": stopReason(c.Finish), "stop_sequence": nil}, "usage": map[string]any{"output_tokens": output}}))
	}
	return out
}

func stopReason(f model.Finish) string {
	switch f {
	case model.FinishCalls:
		return "tool_use"
	case model.FinishLength:
		return "max_tokens"
	case model.FinishFilter:
		return "refusal"
	}
	return "end_turn"
}

func (s *anthropicSpeaker) end(f Fault) []frame {
	switch f {
	case FaultGarbage:
		return []frame{{"content_block_delta", `{"type":"content_block_delta","delta":{"text":"` + "\x00\xff"}, {"", "<html>502 Bad Gateway</html>"}}
	case FaultError:
		return []frame{event("error", map[string]any{"error": map[string]any{"type": "overloaded_error", "message": "Overloaded"}})}
	}
	return []frame{event("message_stop", map[string]any{})}
}

func (s *anthropicSpeaker) whole() []byte {
	var content []map[string]any
	var finish string
	last := func(kind string) map[string]any {
		if n := len(content); n > 0 && content[n-1]["type"] == kind && kind != "tool_use" {
			return content[n-1]
		}
		content = append(content, map[string]any{"type": kind})
		return content[len(content)-1]
	}
	join := func(b map[string]any, member, text string) {
		before, _ := b[member].(string)
		b[member] = before + text
	}
	arguments := map[int]string{}
	blocks := map[int]map[string]any{}
	for _, c := range s.a.Chunks {
		if c.Thinking != "" {
			b := last("thinking")
			join(b, "thinking", c.Thinking)
			b["signature"] = sign(b["thinking"].(string))
		}
		if c.Text != "" {
			join(last("text"), "text", c.Text)
		}
		if p := c.Call; p != nil {
			if p.Tool != "" {
				blocks[p.Index] = last("tool_use")
				blocks[p.Index]["id"], blocks[p.Index]["name"] = p.ID, p.Tool
			}
			arguments[p.Index] += p.Arguments
			blocks[p.Index]["input"] = jsontext.Value(arguments[p.Index])
		}
		if c.Finish != "" {
			finish = stopReason(c.Finish)
		}
	}
	for i := range blocks {
		if !jsontext.Value(arguments[i]).IsValid() {
			blocks[i]["input"] = map[string]any{}
		}
	}
	input, output := s.usage()
	return []byte(marshal(map[string]any{"id": "msg_fake", "type": "message", "role": "assistant", "model": s.r.Model, "content": content,
		"stop_reason": finish, "usage": map[string]any{"input_tokens": input, "output_tokens": output}}))
}
