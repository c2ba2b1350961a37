package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
	"github.com/netra-systems/switchboard/internal/machine"
)

// remoteAgent runs the agent that is made with the stock AG-UI SDK until the test ends, and returns its URL.
func remoteAgent(t *testing.T) string {
	t.Helper()
	dir := filepath.Join("..", "..", "model", "agui", "testdata", "npm")
	_, err := exec.LookPath("node")
	_, missing := os.Stat(filepath.Join(dir, "node_modules", "@ag-ui", "core"))
	machine.Needs(t, machine.Node, err == nil && missing == nil, "install Node and run npm ci in model/agui/testdata/npm")
	cmd := exec.Command("node", "agent.mjs")
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return "http://127.0.0.1:" + strings.TrimSpace(port) + "/"
}

// TestE2ERemote talks with an agent elsewhere: it answers, calls tools of its own and one of ours, and asks a person, who
// agrees, changes or denies; the server is killed while it waits.
func TestE2ERemote(t *testing.T) {
	t.Parallel()
	s := configured(t, fmt.Sprintf(`
agents:
  far: {remote: {url: %q, headers: {Authorization: Bearer token}}, tools: [clock]}
tools: {"*": {approval: writes}}
`, remoteAgent(t)))
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
