package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/tool"
)

type yields = func(model.Chunk, error) bool

// replies is a model that answers each request with chunks made from it.
func replies(say func(step int, r model.Request) []model.Chunk) *speaker {
	return &speaker{say: func(_ context.Context, step int, r model.Request, y yields) {
		for _, c := range say(step, r) {
			if !y(c, nil) {
				return
			}
		}
	}}
}

func stop(text string, in, out int64) []model.Chunk {
	return []model.Chunk{{Text: text}, {Finish: model.FinishStop, Usage: &model.Usage{Input: in, Output: out}}}
}

func callTools(in, out int64, namesAndArguments ...string) (cs []model.Chunk) {
	for i := 0; i < len(namesAndArguments); i += 2 {
		cs = append(cs, toolCall(i/2, namesAndArguments[i], namesAndArguments[i+1]))
	}
	return append(cs, model.Chunk{Finish: model.FinishCalls, Usage: &model.Usage{Input: in, Output: out}})
}

func of[T switchboard.EventPayload](es []switchboard.Event) (out []T) {
	for _, e := range es {
		if p, ok := e.Payload.(T); ok {
			out = append(out, p)
		}
	}
	return out
}

func with(agents ...Agent) func(*Config) { return func(c *Config) { c.Agents = agents } }

// TestBudgets: each budget ends the run before the step that is beyond it, and what was spent is known.
func TestBudgets(t *testing.T) {
	loop := func() *speaker {
		return replies(func(int, model.Request) []model.Chunk { return callTools(100, 10, "clock", "{}") })
	}
	for _, c := range []struct {
		budget Budget
		price  Price
		code   switchboard.FailureCode
		steps  int
	}{
		{Budget{Steps: 3}, Price{}, switchboard.BudgetSteps, 3},
		{Budget{Tokens: 220}, Price{}, switchboard.BudgetTokens, 2},
		{Budget{Tokens: 221}, Price{}, switchboard.BudgetTokens, 3},
		{Budget{Cost: 0.0005}, Price{Input: 1, Output: 10}, switchboard.BudgetCost, 3}, // 0.0002 a step
	} {
		m := loop()
		reg := prometheus.NewRegistry()
		change := func(cfg *Config) {
			cfg.Registry = reg
			cfg.Agents = []Agent{{Name: "assistant", Model: m, Tools: []string{"clock"}, Budget: c.budget, Price: c.price}}
		}
		withRig(t, m, change, func(ctx context.Context, g *rig) {
			end, _ := g.end(ctx, g.send(ctx, &switchboard.UserMessage{Text: "go"}), time.Minute)
			if p, ok := end.Payload.(*switchboard.AgentFailedEvent); !ok || p.Code != c.code || m.step != c.steps {
				t.Errorf("%+v: ended with %+v after %d steps", c.budget, end.Payload, m.step)
			}
			if _, err := g.st.Advance(ctx, g.j); err != nil || g.st.Total.InputTokens != int64(100*c.steps) {
				t.Errorf("%+v: the thread has used %+v, %v", c.budget, g.st.Total, err)
			}
		})
		if got := metric(t, reg, "switchboard_tokens_total", "output"); got != float64(10*c.steps) {
			t.Errorf("%+v: %v tokens are counted", c.budget, got)
		}
	}
}

// metric returns a counter with a label value.
func metric(t *testing.T, reg *prometheus.Registry, name, label string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == name && l.GetValue() == label {
					return m.GetCounter().GetValue()
				}
			}
		}
	}
	return 0
}

// TestBudgetTime: an agent's own time is shorter than the node's.
func TestBudgetTime(t *testing.T) {
	m := &speaker{say: func(ctx context.Context, _ int, _ model.Request, y yields) {
		y(model.Chunk{Text: "half"}, nil)
		<-ctx.Done()
		y(model.Chunk{}, context.Cause(ctx))
	}}
	withRig(t, m, with(Agent{Name: "assistant", Model: m, Budget: Budget{Time: 20 * time.Second}}), func(ctx context.Context, g *rig) {
		end, _ := g.end(ctx, g.send(ctx, &switchboard.UserMessage{Text: "go"}), time.Minute)
		if p, ok := end.Payload.(*switchboard.AgentFailedEvent); !ok || p.Code != switchboard.BudgetTime || p.PartialText != "half" {
			t.Errorf("ended with %+v", end.Payload)
		}
	})
}

// TestEndlessTokens: a model that writes on and on is cut where its run has surely used too many tokens; what it read is
// counted although the step failed.
func TestEndlessTokens(t *testing.T) {
	m := &speaker{say: func(_ context.Context, _ int, _ model.Request, y yields) {
		y(model.Chunk{Usage: &model.Usage{Input: 50}}, nil)
		for y(model.Chunk{Text: strings.Repeat("x", 100)}, nil) {
		}
	}}
	withRig(t, m, with(Agent{Name: "assistant", Model: m, Budget: Budget{Tokens: 1000}}), func(ctx context.Context, g *rig) {
		end, _ := g.end(ctx, g.send(ctx, &switchboard.UserMessage{Text: "go"}), time.Minute)
		if p, ok := end.Payload.(*switchboard.AgentFailedEvent); !ok || p.Code != switchboard.BudgetTokens || len(p.PartialText) > 5000 {
			t.Errorf("ended with %+.100v", end.Payload)
		}
		if _, err := g.st.Advance(ctx, g.j); err != nil || g.st.Total.InputTokens != 50 {
			t.Errorf("used %+v, %v", g.st.Total, err)
		}
	})
}

// TestRefusedRoutes: a call that may not lead to another agent ends as an error, and its agent goes on.
func TestRefusedRoutes(t *testing.T) {
	chain := func(name string, to ...string) Agent {
		return Agent{Name: name, Ask: to, Model: replies(func(step int, r model.Request) []model.Chunk {
			if m := r.Messages[len(r.Messages)-1]; m.Role == model.ToolRole {
				return stop(name+": "+m.Text, 1, 1)
			}
			return callTools(1, 1, "ask_"+to[0], `{"task":"go on"}`)
		})}
	}
	for _, c := range []struct {
		name   string
		agents []Agent
		want   string
	}{
		{"twice in the stack", []Agent{chain("assistant", "b"), chain("b", "assistant")}, "at work on the same message already"},
		{"too deep", []Agent{chain("assistant", "b"), chain("b", "c"), chain("c", "d"), chain("d", "e"), chain("e", "f"), chain("f", "e")}, "no more than 4 agents"},
		{"without a task", []Agent{{Name: "assistant", Ask: []string{"b"}, Model: replies(func(step int, r model.Request) []model.Chunk {
			if step == 1 {
				return callTools(1, 1, "ask_b", `{"task":7}`)
			}
			return stop(r.Messages[len(r.Messages)-1].Text, 1, 1)
		})}, chain("b", "assistant")}, "needs a task"},
		{"two hand-overs", []Agent{{Name: "assistant", Handoff: []string{"b", "c"}, Model: replies(func(int, model.Request) []model.Chunk {
			return callTools(1, 1, "transfer_to_b", `{}`, "transfer_to_c", `{}`)
		})}, {Name: "b", Model: replies(func(_ int, r model.Request) []model.Chunk {
			return stop("b reads: "+r.Messages[len(r.Messages)-1].Text, 1, 1)
		})}, chain("c", "b")}, "b reads: The call ended with status \"error\". the conversation is handed over already"},
	} {
		t.Run(c.name, func(t *testing.T) {
			withRig(t, nil, with(c.agents...), func(ctx context.Context, g *rig) {
				end, _ := g.end(ctx, g.send(ctx, &switchboard.UserMessage{Text: "go"}), time.Minute)
				if p, ok := end.Payload.(*switchboard.AgentCompletedEvent); !ok || !strings.Contains(p.Text, c.want) {
					t.Errorf("ended with %+v", end.Payload)
				}
			})
		})
	}
}

// TestAskedFails: an agent that was asked and fails is an error of the call: the one that asked goes on. Its own budget
// bounds it alone.
func TestAskedFails(t *testing.T) {
	lead := func() Agent {
		return Agent{Name: "assistant", Ask: []string{"b"}, Model: replies(func(step int, r model.Request) []model.Chunk {
			if step == 1 {
				return callTools(1, 1, "ask_b", `{"task":"go on"}`)
			}
			return stop(r.Messages[len(r.Messages)-1].Text, 1, 1)
		})}
	}
	broken := &speaker{say: func(_ context.Context, _ int, _ model.Request, y yields) {
		y(model.Chunk{Text: "half"}, nil)
		y(model.Chunk{}, &model.Error{Kind: model.Unavailable, Message: "away"})
	}}
	endless := replies(func(int, model.Request) []model.Chunk { return callTools(1, 1, "clock", "{}") })
	for want, b := range map[string]Agent{
		"b could not answer: away":                           {Name: "b", Model: broken},
		"b could not answer: the agent took too many steps":  {Name: "b", Model: endless, Tools: []string{"clock"}, Budget: Budget{Steps: 2}},
		"b could not answer: the agent used too many tokens": {Name: "b", Model: endless, Tools: []string{"clock"}, Budget: Budget{Tokens: 5}},
		"b could not answer: the agent failed":               {Name: "b", Run: func(context.Context, *Run) (string, error) { return "", errors.New("secret") }},
	} {
		withRig(t, nil, with(lead(), b), func(ctx context.Context, g *rig) {
			end, es := g.end(ctx, g.send(ctx, &switchboard.UserMessage{Text: "go"}), time.Minute)
			if p, ok := end.Payload.(*switchboard.AgentCompletedEvent); !ok || !strings.Contains(p.Text, want) {
				t.Errorf("%s: ended with %+v", want, end.Payload)
			}
			if n := count(es, switchboard.AgentHandoff); n != 2 {
				t.Errorf("%s: handed over %d times", want, n)
			}
		})
	}
}

// TestBadRoutes: agents that lead nowhere are refused at the start.
func TestBadRoutes(t *testing.T) {
	m := replies(nil)
	fn := func(context.Context, *Run) (string, error) { return "", nil }
	tools, err := tool.NewDispatcher(tool.Config{}, named{"ask_b"})
	if err != nil {
		t.Fatal(err)
	}
	for want, agents := range map[string][]Agent{
		"leads to \"b\", which does not exist": {{Name: "a", Model: m, Ask: []string{"b"}}},
		"leads to itself":                      {{Name: "a", Model: m, Handoff: []string{"a"}}},
		"cannot be led to":                     {{Name: "a", Model: m, Handoff: []string{"ä"}}, {Name: "ä", Model: m}},
		"a tool is called ask_b":               {{Name: "a", Model: m, Ask: []string{"b"}}, {Name: "b", Model: m}},
		"either a model or a function":         {{Name: "a", Model: m, Run: fn}},
		"two agents are called":                {{Name: "a", Model: m}, {Name: "a", Run: fn}},
	} {
		if _, err := New(Config{Agents: agents, Tools: tools}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

type named struct{ name string }

func (n named) Definition() tool.Definition {
	return tool.Definition{Name: n.name, Schema: json.RawMessage(`{"type":"object"}`)}
}
func (named) Call(context.Context, tool.Invocation) (json.RawMessage, error) { return nil, nil }

// TestGateFails: what a gate rejects for good is no answer; a gate that cannot say stands in nobody's way.
func TestGateFails(t *testing.T) {
	for _, c := range []struct {
		name string
		gate Gate
		code switchboard.FailureCode // "": completed
	}{
		{"always rejects", func(context.Context, string, string, bool) (Verdict, error) {
			return Verdict{Rejected: true, Advice: "more"}, nil
		}, switchboard.QualityRejected},
		{"rejects without advice", func(context.Context, string, string, bool) (Verdict, error) { return Verdict{Rejected: true}, nil }, switchboard.QualityRejected},
		{"fails", func(context.Context, string, string, bool) (Verdict, error) {
			return Verdict{Rejected: true}, errors.New("x")
		}, ""},
		{"panics", func(context.Context, string, string, bool) (Verdict, error) { panic("x") }, ""},
	} {
		m := replies(func(int, model.Request) []model.Chunk { return stop("so it is", 1, 1) })
		withRig(t, m, with(Agent{Name: "assistant", Model: m, Gate: c.gate}), func(ctx context.Context, g *rig) {
			end, _ := g.end(ctx, g.send(ctx, &switchboard.UserMessage{Text: "why?"}), time.Minute)
			p, failed := end.Payload.(*switchboard.AgentFailedEvent)
			if failed != (c.code != "") || failed && (p.Code != c.code || p.PartialText != "so it is") {
				t.Errorf("%s: ended with %+v", c.name, end.Payload)
			}
		})
	}
}

// TestState: what a model wants back is given back to its own agent, and to no other; too much of it is left out.
func TestState(t *testing.T) {
	var got []string
	big := json.RawMessage(`"` + strings.Repeat("x", 60<<10) + `"`)
	m := replies(func(step int, r model.Request) []model.Chunk {
		got = nil
		for _, x := range r.Messages {
			if x.Role == model.Assistant {
				got = append(got, fmt.Sprintf("%.6s", x.State))
			}
		}
		state := json.RawMessage(fmt.Sprintf(`{"s":%d}`, step))
		switch step {
		case 1: // as much as is taken
			state = json.RawMessage(`{"s":1,"x":"` + strings.Repeat("x", model.MaxState-20) + `"}`)
		case 2:
			state = big
		}
		return append([]model.Chunk{{State: state}}, stop("yes", 1, 1)...)
	})
	other := replies(func(_ int, r model.Request) []model.Chunk {
		for _, x := range r.Messages {
			if x.State != nil {
				t.Errorf("another agent is given %s", x.State)
			}
		}
		if r.Thread == "" || r.Run == "" {
			t.Error("neither the thread nor the run is named")
		}
		return stop("yes", 1, 1)
	})
	withRig(t, m, with(Agent{Name: "assistant", Model: m}, Agent{Name: "other", Model: other}), func(ctx context.Context, g *rig) {
		for _, name := range []string{"assistant", "assistant", "assistant", "other"} {
			g.end(ctx, g.send(ctx, &switchboard.UserMessage{Text: "?", Agent: name}), time.Minute)
		}
		if !slices.Equal(got, []string{`{"s":1`, ""}) {
			t.Errorf("given back %q", got)
		}
	})
}
