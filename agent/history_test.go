package agent

import (
	"encoding/json"
	"testing"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// a call that is closed while the agent that it asks is at work is closed to the agent that asked: else a function would wait
// for it for ever.
func TestClosedWhileAsking(t *testing.T) {
	id := switchboard.NewThreadID(alice, "a").Run(1)
	call := switchboard.Call{CallID: id.Call(1, 0), Tool: "ask_helper", Arguments: json.RawMessage(`{"task":"x"}`)}
	var es []thread.Entry
	add := func(p switchboard.EventPayload, n thread.Note) {
		es = append(es, thread.Entry{Event: switchboard.Event{Type: p.EventType(), RunID: id, Payload: p}, Header: thread.Header{Note: n}})
	}
	add(&switchboard.UserMessageEvent{RunID: id, Text: "?"}, thread.Note{})
	add(&switchboard.AgentStartedEvent{Agent: "boss"}, thread.Note{})
	add(&switchboard.AgentMessageEvent{Step: 1, Calls: []switchboard.Call{call}}, thread.Note{})
	add(&switchboard.ToolExecutingEvent{CallID: call.CallID, Tool: call.Tool}, thread.Note{})
	add(&switchboard.AgentHandoffEvent{From: "boss", To: "helper"}, thread.Note{Ask: call.CallID})
	add(&switchboard.ToolCompletedEvent{CallID: call.CallID, Tool: call.Tool, Status: switchboard.CallUnknown}, thread.Note{})
	add(&switchboard.AgentHandoffEvent{From: "helper", To: "boss"}, thread.Note{Back: true})
	made := recollect(es).act(id).top().made
	if len(made) != 1 || made[0].done == nil {
		t.Errorf("made: %+v", made)
	}
}
