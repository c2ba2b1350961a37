package world_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/agent"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/tool"
)

// planner is a model that decides by what it is asked: one to three steps, the earlier ones with tools, text in chunks.
type planner struct{ far bool } // far: its calls are made elsewhere

func (planner) Name() string { return "planner" }

func (p planner) Stream(ctx context.Context, r model.Request) iter.Seq2[model.Chunk, error] {
	return func(yield func(model.Chunk, error) bool) {
		if strings.HasPrefix(r.System, "You name") || strings.HasPrefix(r.System, "You sum up") {
			_ = yield(model.Chunk{Text: "in short"}, nil) && yield(model.Chunk{Finish: model.FinishStop}, nil)
			return
		}
		asked, step := "", 1
		for _, m := range r.Messages {
			switch m.Role {
			case model.User:
				asked, step = m.Text, 1
			case model.Assistant:
				step++
			}
		}
		h := fnv.New64a()
		h.Write([]byte(asked))
		rng := rand.New(rand.NewPCG(h.Sum64(), 1))
		steps := 1 + rng.IntN(3)
		for i := range 1 + rng.IntN(8) {
			select {
			case <-time.After(time.Duration(rng.IntN(2000)) * time.Millisecond):
			case <-ctx.Done():
				yield(model.Chunk{}, context.Cause(ctx))
				return
			}
			if !yield(model.Chunk{Text: fmt.Sprintf("[%s %d.%d]", asked, step, i)}, nil) {
				return
			}
		}
		if step >= steps {
			yield(model.Chunk{Finish: model.FinishStop}, nil)
			return
		}
		for i := range 1 + rng.IntN(2) {
			name := []string{"twice", "once", "ask", "once", "ask_helper", "transfer_to_second"}[rng.IntN(6)]
			c := &model.CallChunk{Index: i, ID: fmt.Sprint("c", i), Tool: name, Arguments: fmt.Sprintf(`{"task":%q}`, asked+"h")}
			if !yield(model.Chunk{Call: c}, nil) {
				return
			}
			if p.far && !yield(model.Chunk{Result: &model.CallResult{Index: i, Result: "far"}}, nil) {
				return
			}
		}
		if p.far {
			_ = yield(model.Chunk{Text: "[back]"}, nil) && yield(model.Chunk{Finish: model.FinishStop}, nil)
			return
		}
		yield(model.Chunk{Finish: model.FinishCalls}, nil)
	}
}

// cast are the agents of a schedule: one that leads others, has a gate and sums up, one that is asked, one that calls
// elsewhere, and one in Go.
func cast(fx *effects) []agent.Agent {
	tools := []string{"twice", "once", "ask"}
	return []agent.Agent{
		{Name: "assistant", Model: planner{}, Tools: tools, Ask: []string{"helper"}, Handoff: []string{"second"}, Gate: picky,
			Titles: true, Context: agent.Context{Tokens: 600, Summary: true}},
		{Name: "helper", Model: planner{}, Tools: tools, Ask: []string{"second"}},
		{Name: "second", Model: planner{far: true}, Tools: tools},
		{Name: "coder", Run: coder(fx), Tools: tools, Ask: []string{"helper"}, Handoff: []string{"second"}},
	}
}

// picky rejects about a third of the answers, once.
func picky(_ context.Context, _, answer string, last bool) (agent.Verdict, error) {
	h := fnv.New64a()
	h.Write([]byte(answer))
	v := agent.Verdict{Quality: switchboard.Quality{Score: 0.5, Level: "fair"}}
	if v.Rejected = !last && h.Sum64()%3 == 0; v.Rejected {
		v.Advice = fmt.Sprint("more of it ", h.Sum64()%100)
	}
	return v, nil
}

// coder decides by what it is asked: steps of its own, some of which may be done once, calls, and text between them.
func coder(fx *effects) agent.Func {
	return func(ctx context.Context, r *agent.Run) (string, error) {
		h := fnv.New64a()
		h.Write([]byte(r.Text()))
		rng := rand.New(rand.NewPCG(h.Sum64(), 3))
		for i := range 1 + rng.IntN(4) {
			if err := r.Write(ctx, fmt.Sprintf("(%s %d)", r.Text(), i)); err != nil {
				return "", err
			}
			var err error
			name := []string{"count", "again", "once", "ask", "ask_helper", "transfer_to_second"}[rng.IntN(6)]
			pause := time.Duration(rng.IntN(1500)) * time.Millisecond
			counts := func(id string) func(context.Context) (string, error) {
				return func(context.Context) (string, error) {
					if id != "" {
						fx.mu.Lock()
						fx.n[switchboard.CallID(id)]++
						fx.mu.Unlock()
					}
					time.Sleep(pause)
					return id, nil
				}
			}
			switch name {
			case "count":
				_, err = agent.Step(ctx, r, name, counts(fmt.Sprint("step ", r.Text(), i)))
			case "again":
				_, err = agent.Idempotent(ctx, r, name, counts(""))
			default:
				_, err = r.Call(ctx, name, map[string]string{"task": r.Text() + "c"})
			}
			var ended *agent.CallError
			if err != nil && !errors.As(err, &ended) {
				return "", err
			}
		}
		return "done", r.Write(ctx, "so ")
	}
}

// effects counts what tools did.
type effects struct {
	mu sync.Mutex
	n  map[switchboard.CallID]int
}

// effect is a tool that takes a while and counts.
type effect struct {
	name string
	fx   *effects
}

func (e effect) Definition() tool.Definition {
	return tool.Definition{Name: e.name, Title: e.name, Description: e.name, Schema: json.RawMessage(`{"type":"object"}`),
		ReadOnly: true, Idempotent: e.name == "twice", Approval: e.name == "ask"}
}

func (e effect) Call(ctx context.Context, in tool.Invocation) (json.RawMessage, error) {
	if e.name != "twice" {
		e.fx.mu.Lock()
		e.fx.n[in.CallID]++
		e.fx.mu.Unlock()
	}
	select {
	case <-time.After(time.Duration(len(in.CallID)%7) * 400 * time.Millisecond):
	case <-ctx.Done():
	}
	return json.RawMessage(`"done"`), nil
}
