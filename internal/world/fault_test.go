package world_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/agent"
	"github.com/netra-systems/switchboard/client"
	"github.com/netra-systems/switchboard/internal/world"
)

var errKilled = errors.New("killed")

// killer kills the first worker that comes to a step boundary for the n-th time.
type killer struct {
	point string
	n     int64
	seen  atomic.Int64
	mu    sync.Mutex
	nodes []*world.Node
	wg    sync.WaitGroup
	hit   atomic.Bool
}

func (k *killer) at(_ context.Context, node int, p agent.Point) error {
	if p.Name != k.point || k.seen.Add(1) != k.n {
		return nil
	}
	k.hit.Store(true)
	k.mu.Lock()
	n := k.nodes[node]
	k.mu.Unlock()
	k.wg.Go(n.Kill)
	return errKilled
}

// TestKill ends the worker at every step boundary of a run with a tool, again and again: another worker goes on, the
// device on the other node sees each event once and one end.
func TestKill(t *testing.T) {
	hits := 0
	for _, point := range []string{"delivered", "folded", "append", "stored", "chunk", "answered", "before-tool", "after-tool", "ack"} {
		for n := int64(1); n <= 14; n++ {
			again := true
			t.Run(fmt.Sprint(point, n), func(t *testing.T) {
				k := &killer{point: point, n: n}
				in(t, world.Config{Point: k.at}, func(t *testing.T, ctx context.Context, w *world.World) {
					k.nodes = []*world.Node{w.Start(), w.Start()}
					ds := []*world.Device{world.NewDevice(k.nodes[0].Token("alice")), nil}
					ds[1] = world.NewDevice(ds[0].Token)
					for i, d := range ds {
						if err := d.Connect(ctx, k.nodes[i]); err != nil {
							t.Fatal(err)
						}
					}
					id := client.NewID()
					m := switchboard.Message{ID: id, Payload: &switchboard.UserMessage{Text: "What is 6 * 7?"}}
					ack, err := ds[1].Send(ctx, m)
					var failed *switchboard.Error
					if err != nil && !errors.As(err, &failed) { // its node was killed: a third takes the repeated frame
						third := w.Start()
						k.mu.Lock()
						k.nodes = append(k.nodes, third)
						k.mu.Unlock()
						ds[1].Disconnect()
						if err = ds[1].Connect(ctx, third); err == nil {
							ack, err = ds[1].Send(ctx, m)
						}
					}
					if err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Minute)
					k.wg.Wait()
					fresh := w.Start()
					for _, d := range ds {
						d.Disconnect()
						if err := d.Connect(ctx, fresh); err != nil {
							t.Fatal(err)
						}
						end, err := d.AwaitEnd(ctx, ack.RunID)
						if err != nil {
							t.Fatal(err)
						}
						if end.Type != switchboard.AgentCompleted {
							t.Errorf("the run ended with %s", end.Type)
						}
					}
					check(t, ds...)
					if !slices.Equal(ds[0].Types(), ds[1].Types()) {
						t.Errorf("the devices differ: %v, %v", ds[0].Types(), ds[1].Types())
					}
					again = k.hit.Load()
					if again {
						hits++
					}
					for _, d := range ds {
						d.Disconnect()
					}
				})
			})
			if !again {
				break
			}
		}
	}
	t.Logf("%d kills", hits)
	if hits < 30 {
		t.Errorf("only %d kills: the boundaries are not reached", hits)
	}
}

// TestFrozen freezes a worker for three times the lease at each kind of boundary: another finishes, the frozen one
// writes nothing when it wakes.
func TestFrozen(t *testing.T) {
	for _, point := range []string{"folded", "append", "stored", "chunk", "answered", "before-tool", "after-tool", "ack"} {
		t.Run(point, func(t *testing.T) {
			var frozen atomic.Int64
			frozen.Store(-1)
			point := func(_ context.Context, node int, p agent.Point) error {
				if p.Name == point && frozen.CompareAndSwap(-1, int64(node)) {
					time.Sleep(35 * time.Second)
					frozen.Store(-2)
				} else if p.Name == "heartbeat" && frozen.Load() == int64(node) {
					return errors.New("frozen")
				}
				return nil
			}
			in(t, world.Config{Point: point}, func(t *testing.T, ctx context.Context, w *world.World) {
				a, b := w.Start(), w.Start()
				d := connect(t, ctx, a, "alice")
				ack, err := d.Say(ctx, "", "What is 6 * 7?")
				if err != nil {
					t.Fatal(err)
				}
				end, err := d.AwaitEnd(ctx, ack.RunID)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				if frozen.Load() != -2 {
					t.Fatal("nobody was frozen")
				}
				if last := d.Types(); last[len(last)-1] != end.Type {
					t.Errorf("after the end: %v", last)
				}
				check(t, d)
				e := world.NewDevice(d.Token)
				if err := e.Connect(ctx, b); err != nil {
					t.Fatal(err)
				}
				if again, err := e.Say(ctx, ack.ThreadID, "And 7 * 8?"); err != nil {
					t.Fatal(err)
				} else if _, err := d.AwaitEnd(ctx, again.RunID); err != nil {
					t.Fatal(err)
				}
				check(t, d)
				d.Disconnect()
				e.Disconnect()
			})
		})
	}
}

// TestLostSignals drops live signals of all kinds: the devices get every event all the same, in order.
func TestLostSignals(t *testing.T) {
	cfg := world.Config{Lose: func(node, shard, n int) bool { return (n+node)%3 != 0 }}
	in(t, cfg, func(t *testing.T, ctx context.Context, w *world.World) {
		a, b := w.Start(), w.Start()
		d, e := connect(t, ctx, a, "alice"), world.NewDevice("")
		e.Token = d.Token
		if err := e.Connect(ctx, b); err != nil {
			t.Fatal(err)
		}
		thread := switchboard.ThreadID("")
		for range 5 {
			ack, err := d.Say(ctx, thread, "What is 6 * 7?")
			if err != nil {
				t.Fatal(err)
			}
			thread = ack.ThreadID
			for _, x := range []*world.Device{d, e} {
				if _, err := x.AwaitEnd(ctx, ack.RunID); err != nil {
					t.Fatal(err)
				}
			}
		}
		check(t, d, e)
		if !slices.Equal(d.Types(), e.Types()) {
			t.Error("the devices differ")
		}
		d.Disconnect()
		e.Disconnect()
	})
}
