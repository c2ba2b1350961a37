package agent

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/model"
)

// TestFailures lets a model fail in each way: the run ends once, with the right code, and is never called complete.
func TestFailures(t *testing.T) {
	type yield = func(model.Chunk, error) bool
	text := func(y yield) bool { return y(model.Chunk{Text: "half an "}, nil) }
	finish := func(f model.Finish) func(context.Context, int, model.Request, yield) {
		return func(_ context.Context, _ int, _ model.Request, y yield) {
			_ = text(y) && y(model.Chunk{Finish: f}, nil)
		}
	}
	fail := func(err error) func(context.Context, int, model.Request, yield) {
		return func(_ context.Context, _ int, _ model.Request, y yield) { _ = text(y) && y(model.Chunk{}, err) }
	}
	for _, c := range []struct {
		name    string
		say     func(context.Context, int, model.Request, yield)
		code    switchboard.FailureCode
		partial string // the beginning of the partial text
	}{
		{"unavailable", fail(&model.Error{Kind: model.Unavailable, Message: "away"}), switchboard.ModelUnavailable, "half an "},
		{"refused", fail(&model.Error{Kind: model.Refused, Message: "no"}), switchboard.ModelRefused, "half an "},
		{"truncated", fail(&model.Error{Kind: model.Truncated, Message: "cut"}), switchboard.ModelTruncated, "half an "},
		{"ends without a finish", func(_ context.Context, _ int, _ model.Request, y yield) { text(y) }, switchboard.ModelTruncated, "half an "},
		{"says nothing at all", func(context.Context, int, model.Request, yield) {}, switchboard.ModelTruncated, ""},
		{"length", finish(model.FinishLength), switchboard.ModelTruncated, "half an "},
		{"filter", finish(model.FinishFilter), switchboard.ModelRefused, "half an "},
		{"empty", func(_ context.Context, _ int, _ model.Request, y yield) {
			y(model.Chunk{Finish: model.FinishStop}, nil)
		}, switchboard.AgentError, ""},
		{"panic", func(context.Context, int, model.Request, yield) { panic("boom") }, switchboard.AttemptsExhausted, ""},
		{"an error that is none of ours", fail(errors.New("boom")), switchboard.AttemptsExhausted, ""},
		{"endless", func(_ context.Context, _ int, _ model.Request, y yield) {
			for y(model.Chunk{Text: strings.Repeat("x", 4096)}, nil) {
			}
		}, switchboard.ModelTruncated, "xxxx"},
		{"cannot be stored", func(_ context.Context, _ int, _ model.Request, y yield) {
			_ = y(model.Chunk{Text: strings.Repeat("\x01", 150<<10)}, nil) && y(model.Chunk{Finish: model.FinishStop}, nil)
		}, switchboard.AgentError, ""},
		{"too many calls", func(_ context.Context, _ int, _ model.Request, y yield) {
			for i := range 65 {
				y(toolCall(i, "clock", "{}"), nil)
			}
			y(model.Chunk{Finish: model.FinishCalls}, nil)
		}, switchboard.BudgetSteps, ""},
		{"too many steps", func(_ context.Context, _ int, _ model.Request, y yield) {
			_ = y(toolCall(0, "calculator", `{"expression":"1+1"}`), nil) && y(model.Chunk{Finish: model.FinishCalls}, nil)
		}, switchboard.BudgetSteps, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &speaker{say: c.say} // asked by one task at a time
			withRig(t, m, nil, func(ctx context.Context, g *rig) {
				run := g.send(ctx, &switchboard.UserMessage{Text: "hello"})
				end, es := g.end(ctx, run, 11*time.Minute)
				p, ok := end.Payload.(*switchboard.AgentFailedEvent)
				if !ok || p.Code != c.code || p.Message == "" || !strings.HasPrefix(p.PartialText, c.partial) || c.partial == "" && p.PartialText != "" {
					t.Errorf("ended with %s %+.200v", end.Type, end.Payload)
				}
				if count(es, switchboard.AgentThinking) == 0 {
					t.Error("a run without agent_thinking")
				}
				switch c.name {
				case "too many steps":
					if n := count(es, switchboard.AgentMessage); n != 32 || m.step != 32 {
						t.Errorf("%d steps, %d requests", n, m.step)
					}
				case "too many calls":
					if n := count(es, switchboard.ToolExecuting); n != 0 {
						t.Errorf("%d calls were made", n)
					}
				}
			})
		})
	}
}

// TestInvalidCalls hands a model's bad calls to the dispatcher as they are: each is answered with an error, and the
// model goes on.
func TestInvalidCalls(t *testing.T) {
	m := &speaker{say: func(_ context.Context, step int, r model.Request, y func(model.Chunk, error) bool) {
		if step == 1 {
			for i, args := range []string{`{"expression":`, `[1]`, `{"expression":"1","expression":"2"}`, ``, "\xff"} {
				y(toolCall(i, "calculator", args), nil)
			}
			y(toolCall(5, "no_such_tool", `{}`), nil)
			y(toolCall(9, "calculator", `{}`), nil) // has no place
			y(model.Chunk{Finish: model.FinishCalls}, nil)
			return
		}
		last := r.Messages[len(r.Messages)-1]
		_ = y(model.Chunk{Text: string(last.Role)}, nil) && y(model.Chunk{Finish: model.FinishStop}, nil)
	}}
	withRig(t, m, nil, func(ctx context.Context, g *rig) {
		end, es := g.end(ctx, g.send(ctx, &switchboard.UserMessage{Text: "hello"}), time.Minute)
		if p, ok := end.Payload.(*switchboard.AgentCompletedEvent); !ok || p.Text != "tool" {
			t.Errorf("ended with %+v", end.Payload)
		}
		errs := 0
		for _, e := range es {
			if p, ok := e.Payload.(*switchboard.ToolCompletedEvent); ok && p.Status == switchboard.CallError {
				errs++
			}
		}
		if errs != 6 {
			t.Errorf("%d errors", errs)
		}
	})
}

// TestAgentUnknown ends a run whose agent is not there.
func TestAgentUnknown(t *testing.T) {
	withRig(t, &speaker{}, nil, func(ctx context.Context, g *rig) {
		end, es := g.end(ctx, g.send(ctx, &switchboard.StartAgent{Agent: "gone"}), time.Minute)
		if p, ok := end.Payload.(*switchboard.AgentFailedEvent); !ok || p.Code != switchboard.AgentUnknown || es[0].Type != switchboard.UserMessageAccepted {
			t.Errorf("ended with %+v", end.Payload)
		}
	})
}

// TestThinking records the model's reasoning before what it leads to, and adds up the tokens.
func TestThinking(t *testing.T) {
	m := &speaker{say: func(_ context.Context, step int, _ model.Request, y func(model.Chunk, error) bool) {
		y(model.Chunk{Thinking: "let me "}, nil)
		y(model.Chunk{Thinking: "see"}, nil)
		if step == 1 {
			y(toolCall(0, "calculator", `{"expression":`), nil)
			y(model.Chunk{Call: &model.CallChunk{Arguments: `"6*7"}`}}, nil)
			y(model.Chunk{Finish: model.FinishCalls, Usage: &model.Usage{Input: 10, Output: 2}}, nil)
			return
		}
		y(model.Chunk{Text: "forty-two"}, nil)
		y(model.Chunk{Finish: model.FinishStop, Usage: &model.Usage{Input: 20, Output: 3}}, nil)
	}}
	withRig(t, m, nil, func(ctx context.Context, g *rig) {
		end, es := g.end(ctx, g.send(ctx, &switchboard.UserMessage{Text: "hello"}), time.Minute)
		p, ok := end.Payload.(*switchboard.AgentCompletedEvent)
		if !ok || p.Text != "forty-two" || p.Usage != (switchboard.Usage{InputTokens: 30, OutputTokens: 5}) {
			t.Errorf("ended with %+v", end.Payload)
		}
		var sources []string
		for _, e := range es {
			if p, ok := e.Payload.(*switchboard.AgentThinkingEvent); ok {
				sources = append(sources, p.Source)
				if p.Source == "model" && p.Text != "let me see" {
					t.Errorf("thought %q", p.Text)
				}
			}
		}
		if !slices.Equal(sources, []string{"agent", "model", "agent", "model"}) {
			t.Errorf("thoughts of %v", sources)
		}
	})
}
