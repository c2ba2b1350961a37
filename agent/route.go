package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/thread"
	"github.com/netra-systems/switchboard/tool"
)

// route leads from an agent to another one: to be asked, or to go on in its place. A model follows it by calling a tool.
type route struct {
	to  string
	ask bool
}

const (
	askPrefix  = "ask_"
	handPrefix = "transfer_to_"
)

// routeName is what a tool that leads to an agent may be called.
var routeName = regexp.MustCompile(`^(ask|transfer_to)_[A-Za-z0-9_-]{1,48}$`)

// tool names the tool.
func (r route) tool() string {
	if r.ask {
		return askPrefix + r.to
	}
	return handPrefix + r.to
}

// routes are the ways from an agent to others.
func (a Agent) routes() []route {
	var out []route
	for _, to := range a.Handoff {
		out = append(out, route{to, false})
	}
	for _, to := range a.Ask {
		out = append(out, route{to, true})
	}
	return out
}

// route returns the way that a call takes; false if it is one of an ordinary tool.
func (a Agent) route(tool string) (route, bool) {
	for _, r := range a.routes() {
		if r.tool() == tool {
			return r, true
		}
	}
	return route{}, false
}

// routeTools is what the model is told of the ways from an agent.
func (r *Runner) routeTools(a Agent) []model.Tool {
	var out []model.Tool
	for _, way := range a.routes() {
		about := strings.TrimSpace(r.agents[way.to].Description)
		t := model.Tool{Name: way.tool(), Description: "Hands the conversation over to " + way.to + ", who goes on in your place. " + about,
			Schema: json.RawMessage(`{"type":"object","properties":{"reason":{"type":"string"}}}`)}
		if way.ask {
			t.Description = "Asks " + way.to + ", who knows nothing of this conversation, and returns the answer. " + about
			t.Schema = json.RawMessage(`{"type":"object","properties":{"task":{"type":"string","description":"all that is needed to answer"}},"required":["task"]}`)
		}
		out = append(out, t)
	}
	return out
}

// argument returns a text among the arguments of a call, "" if there is none.
func argument(c switchboard.Call, name string) string {
	var args map[string]json.RawMessage
	var s string
	if json.Unmarshal(c.Arguments, &args) != nil || json.Unmarshal(args[name], &s) != nil {
		return ""
	}
	return strings.TrimSpace(s)
}

// follow goes on with a call that leads to another agent. The log says how far it is: begun, asked, answered.
func (x *execution) follow(ctx context.Context, way route, c thread.Call) error {
	tools := x.t.r.cfg.Tools
	refused := ""
	if c.Answer == nil {
		refused = x.refuseRoute(way, c)
	}
	switch {
	case refused != "":
		return tools.Relay(ctx, c.Call, c.Started, tool.Result{Failed: refused}, x)
	case !way.ask:
		value, _ := json.Marshal("handed over to " + way.to)
		return tools.Relay(ctx, c.Call, c.Started, tool.Result{Value: value}, x)
	case c.Answer != nil:
		value, err := json.Marshal(c.Answer.Text)
		if err != nil {
			return err
		}
		return tools.Relay(ctx, c.Call, c.Started, tool.Result{Value: value, Failed: c.Answer.Failed}, x)
	case !c.Started:
		if err := tools.Begin(ctx, c.Call, x); err != nil {
			return err
		}
	}
	return x.hand(ctx, way.to, thread.Excerpt(argument(c.Call, "task"), 200), thread.Note{Ask: c.CallID})
}

// refuseRoute says why a call may not lead to another agent, "" if it may.
func (x *execution) refuseRoute(way route, c thread.Call) string {
	x.t.mu.Lock()
	defer x.t.mu.Unlock()
	switch {
	case x.run.Has(way.to):
		return "this agent is at work on the same message already"
	case !way.ask && x.handedTo() != "":
		return "the conversation is handed over already"
	case way.ask && len(x.run.Below)+2 > x.t.r.cfg.Depth:
		return fmt.Sprintf("no more than %d agents may wait for one another", x.t.r.cfg.Depth)
	case way.ask && argument(c.Call, "task") == "":
		return "the call needs a task, as a text"
	}
	return ""
}

// handedTo returns the agent that the newest step hands the conversation over to, "" if none. Called with mu held.
func (x *execution) handedTo() string {
	step := &x.run.Step
	if step.Handed {
		return ""
	}
	for _, c := range step.Calls {
		if way, ok := x.agent.route(c.Tool); ok && !way.ask && c.Done && c.Status == switchboard.CallOK {
			return way.to
		}
	}
	return ""
}

// handReason is why the newest step hands the conversation over, as the model said. Called with mu held.
func (x *execution) handReason() string {
	i := slices.IndexFunc(x.run.Step.Calls, func(c thread.Call) bool {
		way, ok := x.agent.route(c.Tool)
		return ok && !way.ask && c.Status == switchboard.CallOK
	})
	if i < 0 {
		return ""
	}
	return thread.Excerpt(argument(x.run.Step.Calls[i].Call, "reason"), 200)
}

// hand records that another agent is at work.
func (x *execution) hand(ctx context.Context, to, reason string, note thread.Note) error {
	note.Keep = x.t.r.agents[to].sumsUp()
	return x.until(ctx, &switchboard.AgentHandoffEvent{From: x.agent.Name, To: to, Reason: reason}, thread.Header{Note: note})
}
