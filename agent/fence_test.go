package agent

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/thread"
	"github.com/netra-systems/switchboard/tool"
)

// slowLog stores an event of one type and is silent about it, once, until another worker has taken the run over.
type slowLog struct {
	Log
	g    *rig
	typ  switchboard.EventType
	done bool
}

func (l *slowLog) Append(ctx context.Context, u switchboard.UserID, d thread.Draft, at thread.Position) (thread.Entry, error) {
	e, err := l.Log.Append(ctx, u, d, at)
	if err != nil || l.done || d.Event.Type != l.typ {
		return e, err
	}
	l.done = true
	st := thread.NewState(alice, l.g.st.Thread)
	if _, err := st.Advance(ctx, l.g.j); err != nil {
		return e, err
	}
	p := &switchboard.AgentResumedEvent{Attempt: 2, Reason: switchboard.ResumedTakeover}
	other := thread.Draft{Event: switchboard.Event{Type: p.EventType(), RunID: e.Event.RunID, Time: switchboard.At(time.Now()), Payload: p}}
	other.Header = thread.Header{Worker: "another", Wake: st.Duty, Delivery: 2}
	if stored, err := st.Put(ctx, l.g.j, other); err != nil || !stored {
		l.g.t.Errorf("the takeover: %v, %v", stored, err)
	}
	return thread.Entry{}, thread.ErrUnknown
}

// TestLostWhileUnknown: a worker that learns that its claim, or its start of a tool, was stored, and with it that another
// one has taken the run over since, has lost the run.
func TestLostWhileUnknown(t *testing.T) {
	for _, typ := range []switchboard.EventType{switchboard.AgentStarted, switchboard.ToolExecuting} {
		var started atomic.Int64
		m := &speaker{say: func(_ context.Context, _ int, r model.Request, y func(model.Chunk, error) bool) {
			if r.Messages[len(r.Messages)-1].Role == model.ToolRole {
				_ = y(model.Chunk{Text: "done"}, nil) && y(model.Chunk{Finish: model.FinishStop}, nil)
				return
			}
			_ = y(toolCall(0, "once", "{}"), nil) && y(model.Chunk{Finish: model.FinishCalls}, nil)
		}}
		var l *slowLog
		withRig(t, m, func(c *Config) {
			l = &slowLog{Log: c.Log, typ: typ}
			c.Log = l
			d, err := tool.NewDispatcher(tool.Config{Log: c.Logger, Policies: map[string]tool.Policy{"once": {Approval: tool.ApprovalNever}}}, counted{&started})
			if err != nil {
				t.Fatal(err)
			}
			c.Tools, c.Agents[0].Tools = d, []string{"once"}
		}, func(ctx context.Context, g *rig) {
			l.g = g
			end, es := g.end(ctx, g.send(ctx, &switchboard.UserMessage{Text: "?"}), 2*time.Minute)
			if n := count(es, switchboard.AgentResumed); n != 2 || end.Type != switchboard.AgentCompleted {
				t.Errorf("%s: taken over %d times, ended with %s", typ, n, end.Type)
			}
			want := int64(1)
			if typ == switchboard.ToolExecuting { // nobody knows that it did not begin
				want = 0
			}
			if n := started.Load(); n != want {
				t.Errorf("%s: the tool began %d times", typ, n)
			}
		})
	}
}

// counted is a tool that is not idempotent and counts.
type counted struct{ n *atomic.Int64 }

func (counted) Definition() tool.Definition {
	return tool.Definition{Name: "once", Schema: json.RawMessage(`{"type":"object"}`)}
}

func (c counted) Call(context.Context, tool.Invocation) (json.RawMessage, error) {
	c.n.Add(1)
	return json.RawMessage(`1`), nil
}

// TestOutOfTimeWhileAPersonIsAsked: a run whose time is over ends, though one of its calls waits for a person and the last
// one that was at work is closed.
func TestOutOfTimeWhileAPersonIsAsked(t *testing.T) {
	m := &speaker{say: func(_ context.Context, _ int, _ model.Request, y func(model.Chunk, error) bool) {
		_ = y(toolCall(0, "slow", "{}"), nil) && y(toolCall(1, "careful", "{}"), nil) && y(model.Chunk{Finish: model.FinishCalls}, nil)
	}}
	withRig(t, m, func(c *Config) {
		d, err := tool.NewDispatcher(tool.Config{Log: c.Logger}, slow{}, guarded{})
		if err != nil {
			t.Fatal(err)
		}
		c.Tools, c.Agents[0].Tools = d, []string{"slow", "careful"}
		c.Limits.RunMS = 60_000
	}, func(ctx context.Context, g *rig) {
		run := g.send(ctx, &switchboard.UserMessage{Text: "?"})
		g.decideOne(ctx, "slow")
		end, _ := g.end(ctx, run, 10*time.Minute)
		if p, ok := end.Payload.(*switchboard.AgentFailedEvent); !ok || p.Code != switchboard.BudgetTime {
			t.Errorf("ended with %+v", end.Payload)
		}
	})
}

// decideOne waits until a person is asked about two calls, and approves that of one tool.
func (g *rig) decideOne(ctx context.Context, name string) {
	g.t.Helper()
	for range 60 {
		time.Sleep(time.Second)
		asked := of[*switchboard.ToolApprovalRequiredEvent](g.events(ctx))
		if len(asked) < 2 {
			continue
		}
		if _, err := g.st.Advance(ctx, g.j); err != nil {
			g.t.Fatal(err)
		}
		for _, a := range asked {
			if a.Tool == name {
				g.send(ctx, &switchboard.ToolDecision{CallID: string(a.CallID), Decision: switchboard.Approve})
			}
		}
		return
	}
	g.t.Fatal("nobody was asked")
}

// slow is a tool that a person must agree to, and that does not end by itself.
type slow struct{}

func (slow) Definition() tool.Definition {
	return tool.Definition{Name: "slow", Approval: true, Schema: json.RawMessage(`{"type":"object"}`), Timeout: switchboard.Milliseconds(3_600_000)}
}

func (slow) Call(ctx context.Context, _ tool.Invocation) (json.RawMessage, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

// TestStoppedAnswerNamesNothing: an answer that a stop comes before names no thread.
func TestStoppedAnswerNamesNothing(t *testing.T) {
	titles := 0
	m := voice(func(_ context.Context, r model.Request, y yields) {
		if r.System != "" {
			titles++
		}
		_ = y(model.Chunk{Text: "meow"}, nil) && y(model.Chunk{Finish: model.FinishStop, Usage: &model.Usage{Input: 5, Output: 7}}, nil)
	})
	var g *rig
	withRig(t, nil, func(c *Config) {
		gate := func(ctx context.Context, _, _ string, _ bool) (Verdict, error) {
			g.send(ctx, &switchboard.StopAgent{RunID: string(g.st.Runs[0].ID)})
			return Verdict{}, nil
		}
		c.Agents = []Agent{{Name: "assistant", Model: m, Titles: true, Gate: gate}}
	}, func(ctx context.Context, rg *rig) {
		g = rg
		end, _ := g.end(ctx, g.send(ctx, &switchboard.UserMessage{Text: "cats?"}), time.Minute)
		time.Sleep(time.Minute)
		if end.Type != switchboard.AgentStopped || titles != 0 {
			t.Errorf("ended with %s, %d titles", end.Type, titles)
		}
		if _, err := g.st.Advance(ctx, g.j); err != nil || g.st.Total.OutputTokens != 7 {
			t.Errorf("used %+v, %v", g.st.Total, err)
		}
	})
}
