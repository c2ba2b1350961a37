package world_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
	"github.com/netra-systems/switchboard/internal/world"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/tool"
)

// keen is a model that calls a tool at every step, for ever.
type keen struct{}

func (keen) Name() string { return "keen" }

func (keen) Stream(_ context.Context, r model.Request) iter.Seq2[model.Chunk, error] {
	return func(yield func(model.Chunk, error) bool) {
		text := fmt.Sprintf(`{"n":%d}`, len(r.Messages))
		if yield(model.Chunk{Call: &model.CallChunk{ID: "x", Tool: "diary", Arguments: text}}, nil) {
			yield(model.Chunk{Finish: model.FinishCalls}, nil)
		}
	}
}

// diary is a tool that takes a second, tells of its progress, and notes when it was called with what.
type diary struct {
	writes bool
	mu     sync.Mutex // guards what follows
	at     []time.Time
	args   []string
}

func (d *diary) Definition() tool.Definition {
	return tool.Definition{Name: "diary", Title: "Notes", Description: "notes", ReadOnly: !d.writes,
		Schema: json.RawMessage(`{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}`)}
}

func (d *diary) Call(ctx context.Context, in tool.Invocation) (json.RawMessage, error) {
	d.mu.Lock()
	d.at, d.args = append(d.at, time.Now()), append(d.args, string(in.Arguments))
	d.mu.Unlock()
	in.Progress(1, 2, "half")
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
	}
	return json.RawMessage(`"noted"`), nil
}

func (d *diary) notes() (at []time.Time, args []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.at), slices.Clone(d.args)
}

// TestRemovedUser: a run goes on calling tools; its user's account is removed; within five seconds it calls none.
func TestRemovedUser(t *testing.T) {
	note := &diary{}
	limits := switchboard.DefaultLimits()
	limits.RunSteps, limits.RunCalls = 1000, 1000
	in(t, world.Config{Tools: []tool.Tool{note}, Model: keen{}, Limits: limits}, func(t *testing.T, ctx context.Context, w *world.World) {
		n := w.Start()
		d := connect(t, ctx, n, "alice")
		if _, err := d.Say(ctx, "", "go on"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		if at, _ := note.notes(); len(at) < 10 {
			t.Fatalf("%d calls in 20 s", len(at))
		}
		if err := n.Accounts().RemoveAccount(ctx, "alice"); err != nil {
			t.Fatal(err)
		}
		removed := time.Now()
		time.Sleep(30 * time.Second)
		at, _ := note.notes()
		late := at[len(at)-1].Sub(removed)
		t.Logf("the last call began %v after the removal", late)
		if late > 5*time.Second {
			t.Error("too late")
		}
		d.Disconnect()
	})
}

// TestApprovalAttacks: an agreement is to the arguments that were shown, or to those that came with it, and to nothing
// else; not after a stop, not twice, not with others the second time.
func TestApprovalAttacks(t *testing.T) {
	for name, tc := range map[string]struct {
		arguments string
		status    switchboard.CallStatus
		runs      []string
		stop      bool
	}{
		"as shown":         {status: switchboard.CallOK, runs: []string{`{"n":1}`}},
		"others":           {arguments: `{"n":7}`, status: switchboard.CallOK, runs: []string{`{"n":7}`}},
		"others, unfit":    {arguments: `{"n":"7"}`, status: switchboard.CallError},
		"others, too many": {arguments: `{"n":7,"sudo":true}`, status: switchboard.CallError},
		"after a stop":     {stop: true},
	} {
		t.Run(name, func(t *testing.T) {
			note := &diary{writes: true}
			in(t, world.Config{Tools: []tool.Tool{note}, Model: keen{}}, func(t *testing.T, ctx context.Context, w *world.World) {
				n := w.Start()
				d := connect(t, ctx, n, "alice")
				ack, err := d.Say(ctx, "", "note it")
				if err != nil {
					t.Fatal(err)
				}
				call := ack.RunID.Call(1, 0)
				err = d.Await(ctx, func(es []switchboard.Event) bool {
					return slices.ContainsFunc(es, func(e switchboard.Event) bool { return e.Type == switchboard.ToolApprovalRequired })
				})
				if err != nil {
					t.Fatal(err)
				}
				stop := switchboard.Message{ID: client.NewID(), Payload: &switchboard.StopAgent{RunID: string(ack.RunID)}}
				if tc.stop {
					if _, err := d.Send(ctx, stop); err != nil {
						t.Fatal(err)
					}
				}
				decision := &switchboard.ToolDecision{CallID: string(call), Decision: switchboard.Approve}
				if tc.arguments != "" {
					decision.Arguments = json.RawMessage(tc.arguments)
				}
				yes := switchboard.Message{ID: client.NewID(), Payload: decision}
				_, err = d.Send(ctx, yes)
				if (err != nil) != tc.stop {
					t.Fatalf("the agreement: %v", err)
				}
				time.Sleep(5 * time.Second)
				for what, m := range map[string]switchboard.Message{
					"another agreement": {ID: client.NewID(), Payload: &switchboard.ToolDecision{CallID: string(call), Decision: switchboard.Approve, Arguments: json.RawMessage(`{"n":9}`)}},
					"the same id":       {ID: yes.ID, Payload: &switchboard.ToolDecision{CallID: string(call), Decision: switchboard.Approve, Arguments: json.RawMessage(`{"n":9}`)}},
				} {
					if _, err := d.Send(ctx, m); switchboard.CodeOf(err) != switchboard.Conflict {
						t.Errorf("%s: %v", what, err)
					}
				}
				if !tc.stop {
					if _, err := d.Send(ctx, stop); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := d.AwaitEnd(ctx, ack.RunID); err != nil {
					t.Fatal(err)
				}
				for _, e := range d.List() {
					switch p := e.Payload.(type) {
					case *switchboard.ToolExecutingEvent:
						if want := tc.arguments; p.CallID == call && want != "" && string(p.Arguments) != want {
							t.Errorf("told to run with %s", p.Arguments)
						}
					case *switchboard.ToolCompletedEvent:
						if p.CallID == call && p.Status != tc.status {
							t.Errorf("the call ended as %s: %s", p.Status, p.Error)
						}
					}
				}
				if _, args := note.notes(); !slices.Equal(args, tc.runs) {
					t.Errorf("it ran with %q, want %q", args, tc.runs)
				}
				check(t, d)
				d.Disconnect()
			})
		})
	}
}
