package world_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
	"github.com/netra-systems/switchboard/internal/world"
	"github.com/netra-systems/switchboard/tool"
)

// TestSameID sends one message a hundred times at once, over devices and nodes, and once more after all is over.
func TestSameID(t *testing.T) {
	in(t, world.Config{}, func(t *testing.T, ctx context.Context, w *world.World) {
		nodes := []*world.Node{w.Start(), w.Start()}
		token := nodes[0].Token("alice")
		var ds []*world.Device
		for i := range 8 {
			d := world.NewDevice(token)
			if err := d.Connect(ctx, nodes[i%2]); err != nil {
				t.Fatal(err)
			}
			ds = append(ds, d)
		}
		m := switchboard.Message{ID: client.NewID(), Payload: &switchboard.UserMessage{Text: "What is 6 * 7?"}}
		var wg sync.WaitGroup
		var firsts atomic.Int64
		acks := make([]switchboard.Ack, 100)
		for i := range acks {
			wg.Go(func() {
				same := m // each copy is a frame of its own
				ack, err := ds[i%len(ds)].Send(ctx, same)
				for err != nil && (switchboard.CodeOf(err) == switchboard.Unavailable || strings.Contains(err.Error(), "id")) {
					time.Sleep(time.Second)
					ack, err = ds[i%len(ds)].Send(ctx, same)
				}
				if err != nil {
					t.Error(err)
				}
				if !ack.Duplicate {
					firsts.Add(1)
				}
				ack.Duplicate = false
				acks[i] = ack
			})
		}
		wg.Wait()
		for _, a := range acks {
			if a != acks[0] {
				t.Fatalf("two acks: %+v, %+v", a, acks[0])
			}
		}
		if firsts.Load() != 1 {
			t.Errorf("%d first acceptances", firsts.Load())
		}
		if _, err := ds[0].AwaitEnd(ctx, acks[0].RunID); err != nil {
			t.Fatal(err)
		}
		fresh := w.Start()
		late := world.NewDevice(token)
		if err := late.Connect(ctx, fresh); err != nil {
			t.Fatal(err)
		}
		ack, err := late.Send(ctx, m)
		if err != nil || !ack.Duplicate || ack.RunID != acks[0].RunID {
			t.Errorf("later: %+v %v", ack, err)
		}
		m.Payload = &switchboard.UserMessage{Text: "something else"}
		if _, err = late.Send(ctx, m); switchboard.CodeOf(err) != switchboard.Conflict {
			t.Errorf("the same id with another payload: %v", err)
		}
		time.Sleep(10 * time.Second)
		check(t, ds...)
		for _, d := range append(ds, late) {
			d.Disconnect()
		}
	})
}

// TestStop stops a story in the middle: the text so far is kept, within the time that is promised, also when every live
// signal is lost.
func TestStop(t *testing.T) {
	t.Run("live", func(t *testing.T) { testStop(t, world.Config{}) })
	t.Run("without signals", func(t *testing.T) { testStop(t, world.Config{Lose: func(int, int, int) bool { return true }}) })
}

func testStop(t *testing.T, cfg world.Config) {
	in(t, cfg, func(t *testing.T, ctx context.Context, w *world.World) {
		a, b := w.Start(), w.Start()
		d := connect(t, ctx, a, "alice")
		e := world.NewDevice(d.Token)
		if err := e.Connect(ctx, b); err != nil {
			t.Fatal(err)
		}
		ack, err := d.Say(ctx, "", "Tell me a story of 300 words")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		queued, err := d.Say(ctx, ack.ThreadID, "What is 6 * 7?")
		if err != nil {
			t.Fatal(err)
		}
		stop := switchboard.Message{ID: client.NewID(), Payload: &switchboard.StopAgent{RunID: string(ack.RunID)}}
		if _, err := e.Send(ctx, stop); err != nil {
			t.Fatal(err)
		}
		end, err := d.AwaitEnd(ctx, ack.RunID)
		if err != nil {
			t.Fatal(err)
		}
		p, ok := end.Payload.(*switchboard.AgentStoppedEvent)
		if !ok || p.Reason != switchboard.StoppedByUser || p.PartialText == "" {
			t.Errorf("ended with %+v", end.Payload)
		}
		es := d.List()
		asked := slices.IndexFunc(es, func(e switchboard.Event) bool { return e.Type == switchboard.StopRequested })
		if took := end.Time.Sub(es[asked].Time.Time); took > 5*time.Second {
			t.Errorf("the stop took %v", took)
		} else {
			t.Logf("the stop took %v", took)
		}
		if again, err := e.Send(ctx, stop); err != nil || !again.Duplicate {
			t.Errorf("the stop repeated: %+v %v", again, err)
		}
		stop.ID = client.NewID()
		if _, err := e.Send(ctx, stop); switchboard.CodeOf(err) != switchboard.Conflict {
			t.Errorf("a second stop: %v", err)
		}
		if end, err := d.AwaitEnd(ctx, queued.RunID); err != nil || end.Type != switchboard.AgentCompleted {
			t.Errorf("the queued run: %v %v", end.Type, err)
		}
		check(t, d, e)
		d.Disconnect()
		e.Disconnect()
	})
}

// TestOnBusy sends a message to a busy thread in each way.
func TestOnBusy(t *testing.T) {
	for _, c := range []struct {
		mode  switchboard.OnBusy
		first switchboard.EventType
		check func(*testing.T, []switchboard.Event)
	}{
		{switchboard.Enqueue, switchboard.AgentCompleted, nil},
		{switchboard.Interrupt, switchboard.AgentStopped, nil},
		{switchboard.Rollback, switchboard.AgentStopped, func(t *testing.T, es []switchboard.Event) {
			for _, e := range es {
				if p, ok := e.Payload.(*switchboard.AgentStoppedEvent); ok && (len(p.Withdraws) == 0 || p.Withdraws[0] != 1) {
					t.Errorf("withdraws %v", p.Withdraws)
				}
			}
		}},
		{switchboard.Steer, switchboard.AgentCompleted, nil},
	} {
		t.Run(string(c.mode), func(t *testing.T) {
			in(t, world.Config{}, func(t *testing.T, ctx context.Context, w *world.World) {
				d := connect(t, ctx, w.Start(), "alice")
				ack, err := d.Say(ctx, "", "Tell me a story of 100 words")
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				m := switchboard.Message{ID: client.NewID(), ThreadID: string(ack.ThreadID), Payload: &switchboard.UserMessage{Text: "reject", OnBusy: switchboard.Reject}}
				if _, err := d.Send(ctx, m); switchboard.CodeOf(err) != switchboard.Conflict {
					t.Errorf("reject: %v", err)
				}
				m = switchboard.Message{ID: client.NewID(), ThreadID: string(ack.ThreadID), Payload: &switchboard.UserMessage{Text: "What is 6 * 7?", OnBusy: c.mode}}
				second, err := d.Send(ctx, m)
				if err != nil {
					t.Fatal(err)
				}
				end, err := d.AwaitEnd(ctx, ack.RunID)
				if err != nil || end.Type != c.first {
					t.Fatalf("the first run: %s %v", end.Type, err)
				}
				if end, err = d.AwaitEnd(ctx, second.RunID); err != nil || end.Type != switchboard.AgentCompleted {
					t.Fatalf("the second run: %s %v", end.Type, err)
				}
				if c.check != nil {
					c.check(t, d.List())
				}
				check(t, d)
				d.Disconnect()
			})
		})
	}
}

// counter is a tool that counts what it does, and needs a person.
type counter struct{ done atomic.Int64 }

func (c *counter) Definition() tool.Definition {
	return tool.Definition{Name: "fetch_url", Title: "Counts", Description: "counts", Approval: true,
		Schema: json.RawMessage(`{"type":"object","properties":{"url":{"type":"string"}},"required":["url"]}`)}
}

func (c *counter) Call(_ context.Context, in tool.Invocation) (json.RawMessage, error) {
	if !json.Valid(in.Arguments) {
		return nil, errors.New("no JSON")
	}
	c.done.Add(1)
	return json.RawMessage(`{"ok":true}`), nil
}

// TestApproval lets a person agree, refuse, and say nothing; the run waits without a worker, through a restart.
func TestApproval(t *testing.T) {
	for _, c := range []struct {
		name     string
		decision switchboard.Decision
		status   switchboard.CallStatus
		effects  int64
	}{
		{"approve", switchboard.Approve, switchboard.CallOK, 1},
		{"deny", switchboard.Deny, switchboard.CallDenied, 0},
		{"expire", "", switchboard.CallExpired, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			count := &counter{}
			in(t, world.Config{Tools: []tool.Tool{count}, Approval: time.Hour}, func(t *testing.T, ctx context.Context, w *world.World) {
				n := w.Start()
				d := connect(t, ctx, n, "alice")
				ack, err := d.Say(ctx, "", "Please fetch https://example.com/page")
				if err != nil {
					t.Fatal(err)
				}
				var asked *switchboard.ToolApprovalRequiredEvent
				err = d.Await(ctx, func(es []switchboard.Event) bool {
					for _, e := range es {
						if p, ok := e.Payload.(*switchboard.ToolApprovalRequiredEvent); ok {
							asked = p
						}
					}
					return asked != nil
				})
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(15 * time.Minute) // longer than a run may work
				n.Stop()
				n = w.Start()
				d.Disconnect()
				d.Token = n.Token("alice")
				if err := d.Connect(ctx, n); err != nil {
					t.Fatal(err)
				}
				bob := connect(t, ctx, n, "bob")
				decide := switchboard.Message{ID: client.NewID(), Payload: &switchboard.ToolDecision{CallID: string(asked.CallID), Decision: c.decision}}
				if c.decision == "" {
					time.Sleep(time.Hour)
				} else {
					if _, err := bob.Send(ctx, decide); switchboard.CodeOf(err) != switchboard.NotFound {
						t.Errorf("another user decided: %v", err)
					}
					if _, err := d.Send(ctx, decide); err != nil {
						t.Fatal(err)
					}
				}
				d.Disconnect()
				d.Token = n.Token("alice")
				if err := d.Connect(ctx, n); err != nil {
					t.Fatal(err)
				}
				if end, err := d.AwaitEnd(ctx, ack.RunID); err != nil || end.Type != switchboard.AgentCompleted {
					t.Fatalf("the run ended with %+v, %v", end.Payload, err)
				}
				decide.ID = client.NewID()
				decide.Payload = &switchboard.ToolDecision{CallID: string(asked.CallID), Decision: switchboard.Approve}
				if _, err := d.Send(ctx, decide); switchboard.CodeOf(err) != switchboard.Conflict {
					t.Errorf("a late decision: %v", err)
				}
				time.Sleep(time.Minute)
				var got []switchboard.CallStatus
				for _, e := range d.List() {
					if p, ok := e.Payload.(*switchboard.ToolCompletedEvent); ok {
						got = append(got, p.Status)
					}
				}
				if len(got) != 1 || got[0] != c.status {
					t.Errorf("the call ended with %v", got)
				}
				if got := count.done.Load(); got != c.effects {
					t.Errorf("the tool ran %d times", got)
				}
				check(t, d)
				d.Disconnect()
				bob.Disconnect()
			})
		})
	}
}

// TestDelete deletes a thread while its run is at work.
func TestDelete(t *testing.T) {
	in(t, world.Config{}, func(t *testing.T, ctx context.Context, w *world.World) {
		d := connect(t, ctx, w.Start(), "alice")
		keep, err := d.Say(ctx, "", "What is 6 * 7?")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.AwaitEnd(ctx, keep.RunID); err != nil {
			t.Fatal(err)
		}
		ack, err := d.Say(ctx, "", "Tell me a story of 300 words")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		cursor := d.Last()
		del := switchboard.Message{ID: client.NewID(), ThreadID: string(ack.ThreadID), Payload: &switchboard.DeleteThread{}}
		if _, err := d.Send(ctx, del); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		if last := d.Types(); last[len(last)-1] != switchboard.ThreadDeleted {
			t.Errorf("after the deletion: %v", last)
		}
		if again, err := d.Send(ctx, del); err != nil || !again.Duplicate {
			t.Errorf("the deletion repeated: %+v %v", again, err)
		}
		for _, p := range []switchboard.MessagePayload{
			&switchboard.UserMessage{Text: "hello?"}, &switchboard.GetThread{}, &switchboard.RenameThread{Title: "x"}, &switchboard.StopAgent{RunID: string(ack.RunID)},
		} {
			err := d.Conn().Do(ctx, switchboard.Message{ID: client.NewID(), ThreadID: string(ack.ThreadID), Payload: p}, nil)
			if switchboard.CodeOf(err) != switchboard.NotFound {
				t.Errorf("%s: %v", p.MessageType(), err)
			}
		}
		es, err := w.Journal().Read(ctx, d.Conn().Established().User.ID, ack.ThreadID, threadStart)
		if err != nil || len(es) != 1 {
			t.Errorf("%d events are left, %v", len(es), err)
		}
		var list switchboard.ThreadList
		if err := d.Conn().Do(ctx, switchboard.Message{ID: client.NewID(), Payload: &switchboard.ListThreads{}}, &list); err != nil || len(list.Threads) != 1 {
			t.Errorf("the list: %+v %v", list, err)
		}
		late := world.NewDevice(d.Token) // its cursor names an event that is erased
		late.Cursor = cursor
		if err := late.Connect(ctx, w.Start()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if got := late.Types(); len(got) != 1 || got[0] != switchboard.ThreadDeleted || len(late.Faults) > 0 {
			t.Errorf("resumed from an erased event: %v %v", got, late.Faults)
		}
		d.Disconnect()
		late.Disconnect()
	})
}
