// plant: agent/planted_emitter.go
// want: saying that a tool runs or has ended: makes a .ToolCompletedEvent, but the one place is tool.Dispatcher (tool/dispatcher.go:
// want: saying that a tool runs or has ended: makes a .ToolExecutingEvent, but the one place is tool.Dispatcher (tool/dispatcher.go:

package agent

import "github.com/netra-systems/switchboard"

func fake(c switchboard.CallID) []switchboard.EventPayload {
	done := new(switchboard.ToolCompletedEvent)
	done.CallID = c
	return []switchboard.EventPayload{&switchboard.ToolExecutingEvent{CallID: c}, done}
}
