package world_test

import (
	"context"
	"errors"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/agent"
	"github.com/netra-systems/switchboard/internal/world"
	"github.com/netra-systems/switchboard/model"
)

var errLeft = errors.New("left to another node")

// stage lets a script say which node takes which delivery, and where one stands still.
type stage struct {
	mu     sync.Mutex
	takes  func(node int, p agent.Point) bool // whether a node may take a delivery
	frozen map[int]bool                       // nodes without heartbeats
	stops  map[string]chan struct{}           // by node and point: closed to go on
	seen   map[string]chan struct{}           // closed when a node stands there
	wrote  int                                // the node that wrote a chunk last
}

func at(node int, point string) string { return string(rune('0'+node)) + point }

// stop lets a node stand still at a point, from now on, until go is called; there is closed when it does.
func (s *stage) stop(node int, point string) (there <-chan struct{}, goOn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := at(node, point)
	s.stops[k], s.seen[k] = make(chan struct{}), make(chan struct{})
	gate := s.stops[k]
	return s.seen[k], sync.OnceFunc(func() { close(gate) })
}

func (s *stage) point(_ context.Context, node int, p agent.Point) error {
	s.mu.Lock()
	if p.Name == "heartbeat" && s.frozen[node] || p.Name == "delivered" && s.takes != nil && !s.takes(node, p) {
		s.mu.Unlock()
		if p.Name == "delivered" {
			p.Wakeup.Nak(100)
		}
		return errLeft
	}
	if p.Name == "chunk" {
		s.wrote = node
	}
	k := at(node, p.Name)
	gate := s.stops[k]
	if gate != nil {
		delete(s.stops, k)
		close(s.seen[k])
	}
	s.mu.Unlock()
	if gate != nil {
		<-gate
	}
	return nil
}

func (s *stage) set(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
}

// gated is a model whose second answer waits, once begun, until the gate is open.
type gated struct{ gate chan struct{} }

func (*gated) Name() string { return "gated" }

func (g *gated) Stream(ctx context.Context, r model.Request) iter.Seq2[model.Chunk, error] {
	return func(yield func(model.Chunk, error) bool) {
		if !yield(model.Chunk{Text: "begun "}, nil) {
			return
		}
		if len(r.Messages) > 1 {
			select {
			case <-g.gate:
			case <-ctx.Done():
				yield(model.Chunk{}, context.Cause(ctx))
				return
			}
		}
		yield(model.Chunk{Text: "and ended", Finish: model.FinishStop}, nil)
	}
}

// TestLostWakeup: A ends run 1 and freezes before its ack. Message 2 arrives while B holds the redelivered wake-up 1: B
// must leave run 2 to wake-up 2, which C takes. A wakes and acks. The holder of run 2 dies, and run 2 must still end.
// Without the duty rule B takes run 2, C lets wake-up 2 go, A's ack takes wake-up 1 away from B, and with B the run is lost.
func TestLostWakeup(t *testing.T) {
	for _, c := range []struct {
		name   string
		broken agent.Rule
		holder int
		ends   bool
	}{{"with the duty rule", 0, 2, true}, {"without it", agent.RuleDuty, 1, false}} {
		t.Run(c.name, func(t *testing.T) {
			s := &stage{frozen: map[int]bool{}, stops: map[string]chan struct{}{}, seen: map[string]chan struct{}{}}
			m := &gated{}
			in(t, world.Config{Shards: 1, Model: m, Point: s.point, Break: c.broken}, func(t *testing.T, ctx context.Context, w *world.World) {
				m.gate = make(chan struct{})
				a := w.Start()
				d := connect(t, ctx, a, "alice")
				frozen, ack := s.stop(0, "ack")
				first, err := d.Say(ctx, "", "one")
				if err != nil {
					t.Fatal(err)
				}
				<-frozen
				s.set(func() {
					s.frozen[0] = true
					s.takes = func(node int, _ agent.Point) bool { return node == 1 }
				})
				holdsFirst, fold := s.stop(1, "delivered")
				b := w.Start()
				<-holdsFirst
				s.set(func() { s.takes = func(node int, _ agent.Point) bool { return node == 2 } })
				second, err := d.Say(ctx, first.ThreadID, "two")
				if err != nil {
					t.Fatal(err)
				}
				fold()
				time.Sleep(time.Second)
				nodes := []*world.Node{a, b, w.Start()}
				time.Sleep(2 * time.Second)
				ack()
				time.Sleep(time.Second)
				s.set(func() {
					if s.wrote != c.holder {
						t.Errorf("run 2 is held by node %d, not %d", s.wrote, c.holder)
					}
					s.takes = func(node int, _ agent.Point) bool { return node == 3 }
				})
				nodes[c.holder].Kill()
				last := w.Start()
				close(m.gate)
				d.Disconnect()
				if err := d.Connect(ctx, last); err != nil {
					t.Fatal(err)
				}
				waiting, cancel := context.WithTimeout(ctx, 5*time.Minute)
				defer cancel()
				end, err := d.AwaitEnd(waiting, second.RunID)
				if ended := err == nil && end.Type == switchboard.AgentCompleted; ended != c.ends {
					t.Errorf("run 2 ended: %v (%s, %v)", ended, end.Type, err)
				}
				d.Disconnect()
			})
		})
	}
}

// TestLateHolder: A takes a wake-up and freezes before its claim, B is given the wake-up again and claims the run. A
// wakes: it must leave the run to B, which lives. Without the claim rule it takes the run away from B.
func TestLateHolder(t *testing.T) {
	for _, c := range []struct {
		name     string
		broken   agent.Rule
		attempts int
	}{{"with the claim rule", 0, 1}, {"without it", agent.RuleClaim, 2}} {
		t.Run(c.name, func(t *testing.T) {
			s := &stage{frozen: map[int]bool{0: true}, stops: map[string]chan struct{}{}, seen: map[string]chan struct{}{}}
			m := &gated{}
			in(t, world.Config{Shards: 1, Model: m, Point: s.point, Break: c.broken}, func(t *testing.T, ctx context.Context, w *world.World) {
				m.gate = make(chan struct{})
				a := w.Start()
				d := connect(t, ctx, a, "alice")
				first, err := d.Say(ctx, "", "one")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := d.AwaitEnd(ctx, first.RunID); err != nil {
					t.Fatal(err)
				}
				frozen, wake := s.stop(0, "folded")
				second, err := d.Say(ctx, first.ThreadID, "two")
				if err != nil {
					t.Fatal(err)
				}
				<-frozen
				s.set(func() { s.takes = func(node int, _ agent.Point) bool { return node == 1 } })
				w.Start()
				time.Sleep(20 * time.Second)
				s.set(func() {
					if s.wrote != 1 {
						t.Error("nobody took over")
					}
				})
				wake()
				time.Sleep(5 * time.Second)
				close(m.gate)
				if end, err := d.AwaitEnd(ctx, second.RunID); err != nil || end.Type != switchboard.AgentCompleted {
					t.Errorf("%s, %v", end.Type, err)
				}
				attempts := 0
				for _, e := range d.List() {
					if e.RunID == second.RunID && (e.Type == switchboard.AgentStarted || e.Type == switchboard.AgentResumed) {
						attempts++
					}
				}
				if attempts != c.attempts {
					t.Errorf("%d attempts, not %d", attempts, c.attempts)
				}
				check(t, d)
				d.Disconnect()
			})
		})
	}
}
