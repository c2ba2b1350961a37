package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
	"github.com/netra-systems/switchboard/internal/fakemodel/modeltest"
)

// TestE2ERemote talks with an agent elsewhere: it answers, calls tools of its own and one of ours, and asks a person, who
// agrees, changes or denies; the server is killed while it waits.
func TestE2ERemote(t *testing.T) {
	t.Parallel()
	s := configured(t, fmt.Sprintf(`
agents:
  far: {remote: {url: %q, headers: {Authorization: Bearer token}}, tools: [clock]}
tools: {"*": {approval: writes}}
`, modeltest.StockAgent(t, filepath.Join("..", "..", "model", "agui", "testdata", "npm"))))
	s.secret("Bearer token")
	token := s.user(t, "ann")
	h := newHistory()
	whole := t // what a part of the test opens, the next one uses
	conn := h.connect(t, s, token)

	for _, c := range []struct {
		text string
		want []string
	}{
		{"Hello", []string{"agent_started far", "agent_thinking", "agent_completed You said Hello. (1 questions)"}},
		{"search it", []string{"agent_thinking I have to look.", "agent_message search(", "tool_executing search", `tool_completed search ok "three hits"`, "agent_completed There are three."}},
		{"time", []string{"agent_message I ask the clock. clock({})", "tool_executing clock", "tool_completed clock ok", "agent_completed It is {"}},
	} {
		t.Run(c.text, func(t *testing.T) {
			ack := say(t, conn, c.text)
			untilEnd(t, conn, ack.RunID)
			inOrder(t, told(t, s, token, h, ack.ThreadID), c.want...)
		})
	}
	edited := json.RawMessage(`{"tool":"send","arguments":{"to":"bob"}}`)
	for _, c := range []struct {
		name     string
		decision switchboard.ToolDecision
		want     []string
	}{
		{"approved", switchboard.ToolDecision{Decision: switchboard.Approve}, []string{"tool_decided approve", "agent_resumed decision", "tool_completed interrupt ok", `tool_completed send ok "sent"`, "agent_completed Sent to ann."}},
		{"changed", switchboard.ToolDecision{Decision: switchboard.Approve, Arguments: edited}, []string{"tool_decided approve", "tool_completed interrupt ok", `agent_message send({"to":"bob"})`, `tool_completed send ok "sent"`, "agent_completed Sent to bob."}},
		{"denied", switchboard.ToolDecision{Decision: switchboard.Deny}, []string{"tool_decided deny", "tool_completed interrupt denied", `tool_completed send ok "refused"`, "agent_completed Not sent."}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ack := say(t, conn, "send it")
			asked := untilType(t, conn, string(switchboard.ToolApprovalRequired)).Event.Payload.(*switchboard.ToolApprovalRequiredEvent)
			t.Logf("asked: %s", asked.Arguments)
			s.end(t, "KILL")
			untilClosed(t, conn)
			s.restart(whole)
			conn = h.connect(whole, s, token)
			c.decision.CallID = string(asked.CallID)
			send(t, conn, client.NewID(), "", &c.decision)
			untilEnd(t, conn, ack.RunID)
			inOrder(t, told(t, s, token, h, ack.ThreadID), append([]string{"tool_approval_required interrupt"}, c.want...)...)
		})
	}
	s.end(t, "TERM")
}
