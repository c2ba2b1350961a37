package agent

import (
	"context"
	"fmt"
	"runtime/debug"
)

// maxAdvice is how long the advice of a gate may be, or why an agent could not answer, in characters.
const maxAdvice = 1000

// judge asks the agent's gate about an answer; nil if it has none, or the gate cannot say: then the answer is given
// without a score.
func (x *execution) judge(ctx context.Context, answer string) (v *Verdict) {
	if x.agent.Gate == nil {
		return nil
	}
	x.t.mu.Lock()
	asked := recollect(x.t.history).asked(x.id)
	last := x.run.Drafts > 0 || x.agent.Run != nil
	x.t.mu.Unlock()
	defer func() {
		if p := recover(); p != nil {
			v = nil
			x.t.r.cfg.Logger.Error("a gate panicked; the answer is given without a score", "agent", x.agent.Name, "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
		}
	}()
	verdict, err := x.agent.Gate(ctx, asked, answer, last)
	if err != nil {
		x.t.r.cfg.Logger.Warn("a gate failed; the answer is given without a score", "agent", x.agent.Name, "error", err)
		return nil
	}
	if verdict.Quality.Issues == nil {
		verdict.Quality.Issues = []string{}
	}
	return &verdict
}
