// plant: agent/planted_tool.go
// want: running a tool: uses tool.Tool.Call, but the one place is tool.(*Dispatcher).contain (tool/run.go:
// want: running a tool: uses tool.Tool.Call, as agent.callable, but the one place is tool.(*Dispatcher).contain (tool/run.go:
// want: running a tool: uses tool.Tool.Call, but the one place is tool.(*Dispatcher).contain (tool/run.go:

package agent

import (
	"context"
	"encoding/json"

	"github.com/netra-systems/switchboard/tool"
)

func runTool(ctx context.Context, t tool.Tool) {
	_, _ = t.Call(ctx, tool.Invocation{})
}

type callable interface {
	Call(context.Context, tool.Invocation) (json.RawMessage, error)
}

func runCallable(ctx context.Context, c callable) {
	_, _ = c.Call(ctx, tool.Invocation{})
}

func methodValue(t tool.Tool) any { return t.Call }
