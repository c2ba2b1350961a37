package switchboard

import "fmt"

// Grammar checks the events of one run, in order, against the protocol: agent_started first; each tool_executing has
// exactly one later tool_completed before the end; a completed run has thought; exactly one terminal event, and nothing
// after it. What people did may stand between and is skipped. The zero value is ready.
type Grammar struct {
	started, thought bool
	ended            EventType
	open, done       map[CallID]bool
}

// Add takes the next event of the run; the error names the first rule it breaks.
func (g *Grammar) Add(e Event) error {
	if e.Type.ByPerson() {
		return nil
	}
	switch {
	case g.ended != "":
		return fmt.Errorf("%s after %s", e.Type, g.ended)
	case !g.started && e.Type != AgentStarted:
		return fmt.Errorf("%s before agent_started", e.Type)
	case g.started && e.Type == AgentStarted:
		return fmt.Errorf("a second agent_started")
	}
	g.started = true
	switch p := e.Payload.(type) {
	case *AgentThinkingEvent:
		g.thought = true
	case *ToolExecutingEvent:
		if g.open[p.CallID] || g.done[p.CallID] {
			return fmt.Errorf("a second tool_executing of a call")
		}
		if g.open == nil {
			g.open, g.done = map[CallID]bool{}, map[CallID]bool{}
		}
		g.open[p.CallID] = true
	case *ToolCompletedEvent:
		if !g.open[p.CallID] {
			return fmt.Errorf("tool_completed without an open tool_executing")
		}
		delete(g.open, p.CallID)
		g.done[p.CallID] = true
	}
	if !e.Type.Terminal() {
		return nil
	}
	g.ended = e.Type
	if len(g.open) > 0 {
		return fmt.Errorf("%s with %d open tool calls", e.Type, len(g.open))
	}
	if e.Type == AgentCompleted && !g.thought {
		return fmt.Errorf("agent_completed without agent_thinking")
	}
	return nil
}

// Ended returns the terminal event's type, "" while the run goes on.
func (g *Grammar) Ended() EventType { return g.ended }
