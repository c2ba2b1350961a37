package agent

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/thread"
)

// at the very instant of the deadline the run is not over for ending() but over for its context: it spins.
func TestDeadlineSpins(t *testing.T) {
	n := 0
	m := &speaker{say: func(ctx context.Context, _ int, _ model.Request, y func(model.Chunk, error) bool) {
		if n++; n > 50 {
			panic("asked again and again at the same instant")
		}
		y(model.Chunk{Text: "half an "}, nil)
		<-ctx.Done()
		y(model.Chunk{}, context.Cause(ctx))
	}}
	withRig(t, m, nil, func(ctx context.Context, g *rig) {
		end, _ := g.end(ctx, g.send(ctx, &switchboard.UserMessage{Text: "hello"}), 11*time.Minute)
		if p, ok := end.Payload.(*switchboard.AgentFailedEvent); !ok || p.Code != switchboard.BudgetTime || p.PartialText != "half an " || n != 1 {
			t.Errorf("asked %d times, ended with %+v", n, end.Payload)
		}
	})
}

// a run whose pieces of work record nothing goes on for ever, at the same instant.
func TestIdleSpins(t *testing.T) {
	tk := &task{mu: thread.NewTurn(), st: &thread.State{}}
	n := 0
	step := func(recorded bool) func(context.Context) (bool, error) {
		n = 0
		return func(context.Context) (bool, error) {
			if n++; recorded {
				tk.st.Seq++
			}
			return n < 10*maxIdle, nil
		}
	}
	if err := tk.goOn(t.Context(), step(false)); !errors.Is(err, errIdle) || n > maxIdle {
		t.Errorf("idle: %v after %d times", err, n)
	}
	if err := tk.goOn(t.Context(), step(true)); err != nil || n != 10*maxIdle {
		t.Errorf("at work: %v after %d times", err, n)
	}
	ctx, stop := context.WithCancelCause(t.Context())
	stop(errDraining)
	if err := tk.goOn(ctx, step(true)); !errors.Is(err, errDraining) || n != 0 {
		t.Errorf("to be handed over: %v after %d times", err, n)
	}
}

// an answer that was cut (length, filter) inside a call is taken for a whole one: the call runs with {}.
func TestCutCallRuns(t *testing.T) {
	for _, f := range []model.Finish{model.FinishLength, model.FinishFilter} {
		m := &speaker{say: func(_ context.Context, step int, _ model.Request, y func(model.Chunk, error) bool) {
			if step == 1 {
				_ = y(toolCall(0, "clock", ""), nil) && y(model.Chunk{Finish: f}, nil)
				return
			}
			_ = y(model.Chunk{Text: "done"}, nil) && y(model.Chunk{Finish: model.FinishStop}, nil)
		}}
		withRig(t, m, nil, func(ctx context.Context, g *rig) {
			end, es := g.end(ctx, g.send(ctx, &switchboard.UserMessage{Text: "hello"}), time.Minute)
			if n := count(es, switchboard.ToolExecuting); n != 0 || end.Type != switchboard.AgentFailed {
				t.Errorf("%s: %d calls were made, ended with %s", f, n, end.Type)
			}
		})
	}
}

// a stop that Record meets (the append of tool_executing conflicts with it) is an error of the task: it is logged,
// given back for a second, counted as a takeover.
func TestStopAtRecord(t *testing.T) {
	m := &speaker{say: func(_ context.Context, step int, _ model.Request, y func(model.Chunk, error) bool) {
		_ = y(toolCall(0, "calculator", `{"expression":"1+1"}`), nil) && y(model.Chunk{Finish: model.FinishCalls}, nil)
	}}
	var g *rig
	withRig(t, m, func(c *Config) {
		stopped := false
		c.Point = func(ctx context.Context, p Point) error {
			if p.Name == "before-tool" && !stopped {
				stopped = true
				g.send(ctx, &switchboard.StopAgent{RunID: string(g.st.Runs[0].ID)})
			}
			return nil
		}
	}, func(ctx context.Context, rg *rig) {
		g = rg
		end, es := g.end(ctx, g.send(ctx, &switchboard.UserMessage{Text: "hello"}), time.Minute)
		if n := count(es, switchboard.AgentResumed); n != 0 || end.Type != switchboard.AgentStopped {
			t.Errorf("taken over %d times, ended with %s", n, end.Type)
		}
	})
}

// TestManyDeadClaims: workers died that held more runs of a user than allowed, for each saw the others' claims too late.
// Their runs are taken over all the same: they do not become more by that.
func TestManyDeadClaims(t *testing.T) {
	many := func(c *Config) {
		c.Held = func(context.Context, switchboard.UserID, switchboard.ThreadID) (int, error) {
			return c.Limits.ActiveRunsPerUser, nil
		}
	}
	m := &speaker{say: func(_ context.Context, _ int, _ model.Request, y func(model.Chunk, error) bool) {
		_ = y(model.Chunk{Text: "done"}, nil) && y(model.Chunk{Finish: model.FinishStop}, nil)
	}}
	withRig(t, m, many, func(ctx context.Context, g *rig) {
		run := g.send(ctx, &switchboard.UserMessage{Text: "?"})
		p := &switchboard.AgentStartedEvent{Agent: "assistant", Attempt: 1}
		d := thread.Draft{Event: switchboard.Event{Type: p.EventType(), RunID: run, Time: switchboard.At(time.Now()), Payload: p}}
		d.Header = thread.Header{Worker: "dead", Wake: g.st.Duty, Delivery: 1}
		if stored, err := g.st.Put(ctx, g.j, d); err != nil || !stored {
			t.Fatal(stored, err)
		}
		if end, _ := g.end(ctx, run, time.Minute); end.Type != switchboard.AgentCompleted {
			t.Errorf("ended with %s", end.Type)
		}
	})
}
