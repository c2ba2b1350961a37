package agent

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/model"
)

// TestAbsurdUsage: what a model says that it used ends its budget, and cannot make a sum overflow or sink.
func TestAbsurdUsage(t *testing.T) {
	used := []model.Usage{{Input: -1 << 40, Output: 5}, {Input: math.MaxInt64, Output: math.MaxInt64}, {Input: math.MaxInt64, Output: math.MaxInt64}}
	m := replies(func(step int, _ model.Request) []model.Chunk {
		u := used[min(step, len(used))-1]
		return callTools(u.Input, u.Output, "clock", "{}")
	})
	a := Agent{Name: "assistant", Model: m, Tools: []string{"clock"}, Budget: Budget{Tokens: 1000}}
	withRig(t, m, with(a), func(ctx context.Context, g *rig) {
		end, _ := g.end(ctx, g.send(ctx, &switchboard.UserMessage{Text: "go"}), time.Minute)
		if p, ok := end.Payload.(*switchboard.AgentFailedEvent); !ok || p.Code != switchboard.BudgetTokens || m.step != 2 {
			t.Errorf("ended after %d steps with %+v", m.step, end.Payload)
		}
		if _, err := g.st.Advance(ctx, g.j); err != nil || g.st.Total != (switchboard.Usage{InputTokens: mostTokens, OutputTokens: mostTokens + 5}) {
			t.Errorf("used %+v, %v", g.st.Total, err)
		}
	})
}
