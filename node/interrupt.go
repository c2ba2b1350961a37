package node

import (
	"context"
	"encoding/json"

	"github.com/netra-systems/switchboard/model/agui"
	"github.com/netra-systems/switchboard/tool"
)

// interrupt is the tool that the interrupts of agents elsewhere call: a person is asked, and the agent is told the answer.
// It does nothing itself.
type interrupt struct{}

// Definition implements tool.Tool.
func (interrupt) Definition() tool.Definition {
	return tool.Definition{
		Name: agui.InterruptTool, Title: "Asks you", Description: "Asks a person on behalf of an agent elsewhere.",
		Schema: json.RawMessage(`{"type":"object"}`), Idempotent: true, Approval: true, Unlisted: true,
	}
}

// Call implements tool.Tool. Whoever gets here has agreed; the arguments are those of the one who did.
func (interrupt) Call(_ context.Context, in tool.Invocation) (json.RawMessage, error) {
	return json.Marshal(struct {
		Approved  bool            `json:"approved"`
		Arguments json.RawMessage `json:"arguments"`
	}{true, in.Arguments})
}
