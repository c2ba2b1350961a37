package agent

import (
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/thread"
)

// bytesPerToken is how long a token is taken to be.
const bytesPerToken = 4

// timeLimit is how long a run may work.
func (r *Runner) timeLimit(run *thread.Run) time.Duration {
	limit := switchboard.Milliseconds(r.cfg.Limits.RunMS)
	if own := r.agents[run.Lead].Budget.Time; own > 0 {
		return min(limit, own)
	}
	return limit
}

// cost is what tokens cost.
func (p Price) cost(u switchboard.Usage) float64 {
	return (p.Input*float64(u.InputTokens) + p.Output*float64(u.OutputTokens)) / 1e6
}

func tokens(u switchboard.Usage) int64 { return u.InputTokens + u.OutputTokens }

// exceeded returns why the agent at work may not begin the step n; whole says that the run may go on in no agent. Called
// with mu held.
func (x *execution) exceeded(n int) (why *switchboard.AgentFailedEvent, whole bool) {
	run, budget := x.run, x.agent.Budget
	lead := x.t.r.agents[run.Lead].Budget
	spent := 0.0
	for name, own := range run.Own {
		spent += x.t.r.agents[name].Price.cost(own.Usage)
	}
	own := run.Own[x.agent.Name]
	if n > run.Last {
		own.Steps++
	}
	switch {
	case n > x.t.r.cfg.Limits.RunSteps:
		return failure(switchboard.BudgetSteps, "the run took too many steps", true, ""), true
	case lead.Tokens > 0 && tokens(run.Usage) >= lead.Tokens:
		return failure(switchboard.BudgetTokens, "the run used too many tokens", true, ""), true
	case lead.Cost > 0 && spent >= lead.Cost:
		return failure(switchboard.BudgetCost, "the run cost too much", true, ""), true
	case budget.Steps > 0 && own.Steps > budget.Steps:
		return failure(switchboard.BudgetSteps, "the agent took too many steps", true, ""), false
	case budget.Tokens > 0 && tokens(own.Usage) >= budget.Tokens:
		return failure(switchboard.BudgetTokens, "the agent used too many tokens", true, ""), false
	case budget.Cost > 0 && x.agent.Price.cost(own.Usage) >= budget.Cost:
		return failure(switchboard.BudgetCost, "the agent cost too much", true, ""), false
	}
	return nil, false
}

// room returns how many bytes the agent may write before its run has surely used too many tokens; -1: any number. Called
// with mu held.
func (x *execution) room() int {
	lead := x.t.r.agents[x.run.Lead].Budget.Tokens
	if lead <= 0 {
		return -1
	}
	return int(min(max(0, lead-tokens(x.run.Usage)), maxAnswer)) * bytesPerToken
}

// mostTokens is more than any model reads or writes in one request.
const mostTokens = 1 << 40

// believed is what a model says that it used, within bounds: sums of it must not overflow, or a budget would never end.
func believed(u model.Usage) model.Usage {
	return model.Usage{Input: min(max(0, u.Input), mostTokens), Output: min(max(0, u.Output), mostTokens)}
}

// count counts tokens. No label names a user.
func (r *Runner) count(a Agent, u switchboard.Usage) {
	for direction, n := range map[string]int64{"input": u.InputTokens, "output": u.OutputTokens} {
		if n > 0 {
			r.tokens.WithLabelValues(a.Name, a.ModelName(), direction).Add(float64(n))
		}
	}
}
