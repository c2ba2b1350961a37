package agui

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/model/wire"
)

// wireInput is a RunAgentInput.
type wireInput struct {
	Thread   string         `json:"threadId"`
	Run      string         `json:"runId"`
	Version  string         `json:"protocolVersion"`
	State    jsontext.Value `json:"state"`
	Messages []*wireMessage `json:"messages"`
	Tools    []wireTool     `json:"tools"`
	Context  []struct{}     `json:"context"`
	Props    jsontext.Value `json:"forwardedProps"`
	Resume   []wireResume   `json:"resume,omitempty"`
}

type wireMessage struct {
	ID         string     `json:"id"`
	Role       string     `json:"role"`
	Content    *string    `json:"content,omitempty"`
	ToolCalls  []wireCall `json:"toolCalls,omitempty"`
	ToolCallID string     `json:"toolCallId,omitempty"`
}

type wireCall struct {
	ID       string       `json:"id"`
	Type     string       `json:"type"`
	Function wireFunction `json:"function"`
}

type wireFunction struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

type wireTool struct {
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Parameters  jsontext.Value `json:"parameters"`
}

// encoder puts a request together, and knows afterwards what its answer has to know.
type encoder struct {
	body    []byte
	in      wireInput
	asked   []string             // ids of the user's messages that are not answered yet
	offered map[string]bool      // tools of ours
	wanted  map[string]*proposal // calls that an agent wanted to make, by its id
	known   map[string]bool      // ids of messages

	messages  []model.Message
	last      int               // the place of the last assistant message
	previous  string            // id of the last message that an assistant wrote
	calls     map[string]call   // by our id
	interrupt map[string]string // our id of a call of InterruptTool: the interrupt's
	decisions map[string]string // what came of it
	results   map[string]bool   // calls with a result, by the agent's id
	asks      map[string]int    // the place of the last message that asks a person about a call, by the agent's id
	open      []*proposal       // of the message before, without result
}

// encode writes the request's body. Text that is not UTF-8 is mended.
func (m *Model) encode(r model.Request) (*encoder, error) {
	e := &encoder{messages: r.Messages, last: -1, offered: map[string]bool{}, wanted: map[string]*proposal{}, known: map[string]bool{},
		calls: map[string]call{}, interrupt: map[string]string{}, decisions: map[string]string{}, results: map[string]bool{}, asks: map[string]int{}}
	e.in = wireInput{Thread: r.Thread, Run: r.Run + "-" + rand.Text()[:8], Version: "1.0", State: jsontext.Value("{}"),
		Messages: []*wireMessage{}, Tools: []wireTool{}, Context: []struct{}{}, Props: m.config.ForwardedProps}
	if r.Thread == "" {
		e.in.Thread = rand.Text()
	}
	for _, t := range r.Tools {
		e.offered[t.Name] = true
		e.in.Tools = append(e.in.Tools, wireTool{Name: t.Name, Description: t.Description, Parameters: wire.Schema(t.Schema)})
	}
	if r.System != "" {
		e.add(&wireMessage{ID: "system", Role: "system", Content: &r.System})
	}
	for i := range r.Messages {
		if x := &r.Messages[i]; x.Role == model.Assistant {
			e.last = i
			k := keptOf(x)
			for _, c := range k.Calls {
				e.results[c.ID] = e.results[c.ID] || c.Result != ""
			}
			for _, q := range k.Interrupts {
				if q.Wants != nil {
					e.asks[q.Wants.ID] = i
				}
			}
		}
	}
	for i := range r.Messages {
		if err := e.message(i); err != nil {
			return nil, fmt.Errorf("message %d %w", i, err)
		}
	}
	e.resume()
	var err error
	e.body, err = json.Marshal(e.in, jsontext.AllowInvalidUTF8(true))
	return e, err
}

// id makes an id that is the same in every request, and another one for everything else.
func (e *encoder) id(kind string, of ...any) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", e.in.Thread, kind, fmt.Sprint(of...)))
	return kind + "-" + hex.EncodeToString(sum[:12])
}

func (e *encoder) add(x *wireMessage) *wireMessage {
	if e.known[x.ID] { // an agent that gives an id twice
		x.ID = e.id("again", x.ID, len(e.in.Messages))
	}
	e.known[x.ID] = true
	e.in.Messages = append(e.in.Messages, x)
	return x
}

func (e *encoder) message(i int) error {
	x := &e.messages[i]
	switch x.Role {
	case model.User:
		e.settle(i)
		// The answer's State says how it was called then; a message that is not answered is known by what it follows.
		id := e.answered(i)
		if id == "" || e.known[id] {
			id = e.id("user", e.previous, "\x00", len(e.asked), "\x00", x.Text)
		}
		e.asked = append(e.asked, id)
		e.add(&wireMessage{ID: id, Role: "user", Content: &x.Text})
		return nil
	case model.Assistant:
		e.settle(i)
		e.asked = nil
		e.assistant(i)
		return nil
	case model.ToolRole:
		return e.result(x)
	}
	return fmt.Errorf("has an unknown role")
}

// answered returns the id of the i-th message that was kept with its answer, "" if there is none. It is counted from the
// end, for the first messages of a conversation may have been left out.
func (e *encoder) answered(i int) string {
	users := 0
	for j := i; j < len(e.messages); j++ {
		switch x := &e.messages[j]; x.Role {
		case model.User:
			users++
		case model.Assistant:
			if asked := keptOf(x).Asked; users <= len(asked) {
				return asked[len(asked)-users]
			}
			return ""
		}
	}
	return ""
}

func (e *encoder) assistant(at int) {
	x := &e.messages[at]
	k := keptOf(x)
	if len(k.State) > 0 {
		e.in.State = k.State
	}
	text := x.Text
	if len(k.Parts) == 0 && text != "" {
		k.Parts = []part{{ID: e.id("assistant", e.previous, "\x00", text), Bytes: len(text)}}
	}
	mine := map[string]*wireMessage{}
	for _, p := range k.Parts {
		said := text[:p.Bytes]
		text = text[min(len(text), p.Bytes+len(separator)):]
		mine[p.ID] = e.add(&wireMessage{ID: p.ID, Role: "assistant", Content: &said})
		e.previous = p.ID
	}
	for i, c := range x.Calls {
		if q := k.asks(i); q != nil {
			e.interrupt[c.ID] = q.ID
			if p := q.Wants; p != nil {
				if e.wanted[p.ID] == nil {
					e.make(mine, p.call, p.Tool, p.Arguments)
				}
				e.wanted[p.ID] = p
				if e.asks[p.ID] == at {
					e.open = append(e.open, p)
				}
			}
			continue
		}
		y := call{ID: e.id("call", c.ID)}
		if i < len(k.Calls) && k.Calls[i].ID != "" {
			y = k.Calls[i]
		}
		e.calls[c.ID] = y
		if e.wanted[y.ID] == nil { // else it was made when it was proposed
			e.make(mine, y, c.Tool, wire.Arguments(c.Arguments))
		}
	}
}

// make adds a call to the message that makes it.
func (e *encoder) make(mine map[string]*wireMessage, c call, tool, arguments string) {
	parent := c.Parent
	if parent == "" {
		parent = e.previous
		if mine[parent] == nil {
			parent = e.id("calls", c.ID)
		}
	}
	x := mine[parent]
	if x == nil { // perhaps an earlier message of ours, which a result had ended
		i := slices.IndexFunc(e.in.Messages, func(y *wireMessage) bool { return y.ID == parent && y.Role == "assistant" })
		if i >= 0 {
			x = e.in.Messages[i]
		} else {
			x = e.add(&wireMessage{ID: parent, Role: "assistant"})
		}
		mine[parent] = x
		e.previous = parent
	}
	x.ToolCalls = append(x.ToolCalls, wireCall{ID: c.ID, Type: "function", Function: wireFunction{Name: tool, Arguments: arguments}})
}

func (e *encoder) result(x *model.Message) error {
	if id, ok := e.interrupt[x.CallID]; ok {
		e.decisions[id] = x.Text
		return nil
	}
	c, ok := e.calls[x.CallID]
	if !ok {
		return fmt.Errorf("is the result of a call that no message before it makes")
	}
	if c.Result == "" {
		c.Result = e.id("result", c.ID)
	}
	e.add(&wireMessage{ID: c.Result, Role: "tool", Content: &x.Text, ToolCallID: c.ID})
	return nil
}

// settle gives calls that were proposed and never made a result, once their decision is not to be given by a resume:
// a call without one makes many agents fail.
func (e *encoder) settle(i int) {
	if i > e.last { // what is open is of the last answer, and resumed
		return
	}
	for _, p := range e.open {
		if !e.results[p.ID] {
			e.results[p.ID] = true
			text := "The call was not made."
			e.add(&wireMessage{ID: e.id("result", p.ID), Role: "tool", Content: &text, ToolCallID: p.ID})
		}
	}
	e.open = nil
}
