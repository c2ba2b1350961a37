// plant: agent/planted_emitter.go
// want: only the ToolDispatcher says tool_executing and tool_completed, at tool/call.go:
// want: only the ToolDispatcher says tool_executing and tool_completed, at tool/call.go:

package agent

import "github.com/netra-systems/switchboard"

func fake(c switchboard.CallID) []switchboard.EventPayload {
	done := new(switchboard.ToolCompletedEvent)
	done.CallID = c
	return []switchboard.EventPayload{&switchboard.ToolExecutingEvent{CallID: c}, done}
}
