package agui

import (
	"fmt"

	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/model/wire"
)

// takeCall reads an event of a tool call.
func (a *answer) takeCall(e *wireEvent) error {
	c := a.calls[e.Call]
	s, err := e.delta()
	if err != nil {
		return err
	}
	switch e.Type {
	case "TOOL_CALL_START":
		c, err = a.begin(e)
		if c != nil {
			c.open = true
		}
		return err
	case "TOOL_CALL_ARGS":
		if c == nil || !c.open {
			return fmt.Errorf("%w: a piece of no call", wire.ErrGarbage)
		}
		c.arguments.WriteString(s)
		return a.out.Hold(len(s))
	case "TOOL_CALL_END":
		if c == nil || !c.open {
			return fmt.Errorf("%w: an end of no call", wire.ErrGarbage)
		}
		c.open = false
	case "TOOL_CALL_CHUNK":
		if c != nil {
			a.chunking = c
		} else if e.Call != "" {
			if a.chunking, err = a.begin(e); err != nil {
				return err
			}
		}
		if a.chunking == nil || a.chunking.done {
			return fmt.Errorf("%w: a piece of no call", wire.ErrGarbage)
		}
		a.chunking.arguments.WriteString(s)
		return a.out.Hold(len(s))
	case "TOOL_CALL_RESULT":
		return a.result(e, c)
	}
	return nil
}

func (a *answer) begin(e *wireEvent) (*remote, error) {
	if e.Call == "" || e.Tool == "" || a.calls[e.Call] != nil {
		return nil, fmt.Errorf("%w: a call of no tool, or that began twice", wire.ErrGarbage)
	}
	if len(a.order) == maxCalls {
		return nil, wire.ErrTooLarge
	}
	c := &remote{call: call{ID: e.Call, Parent: e.Parent}, tool: e.Tool}
	a.calls[e.Call], a.order = c, append(a.order, c)
	return c, a.out.Hold(len(e.Tool))
}

// result takes the result of a call that the agent has run: one of this run, or one that it had asked a person about. Others
// are echoes of what it was told.
func (a *answer) result(e *wireEvent, c *remote) error {
	if p := a.asked.wanted[e.Call]; c == nil && p != nil && !a.asked.results[e.Call] {
		c = &remote{call: p.call, tool: p.Tool}
		c.arguments.WriteString(p.Arguments)
		a.calls[e.Call] = c
	}
	if c == nil || c.done {
		return nil
	}
	if c.open {
		return fmt.Errorf("%w: a result of a call that has not ended", wire.ErrGarbage)
	}
	c.Result = e.Message
	if c.Result == "" {
		c.Result = a.asked.id("result", c.ID)
	}
	return a.ran(c, textOf(e.Content), false)
}

// ran gives a call that the agent has run, which ends a message of ours.
func (a *answer) ran(c *remote, result string, failed bool) error {
	if err := a.give(c.tool, c.arguments.String(), c.call); err != nil {
		return err
	}
	c.done = true
	if err := a.out.Give(model.Chunk{State: a.kept.keep()}); err != nil {
		return err
	}
	a.kept = kept{}
	return a.out.Give(model.Chunk{Result: &model.CallResult{Result: result, Failed: failed}})
}

// give gives the next call of the message.
func (a *answer) give(tool, arguments string, c call) error {
	if arguments == "" {
		arguments = "{}"
	}
	i := len(a.kept.Calls)
	a.kept.Calls = append(a.kept.Calls, c)
	return a.out.Give(model.Chunk{Call: &model.CallChunk{Index: i, ID: c.ID, Tool: tool, Arguments: arguments}})
}
