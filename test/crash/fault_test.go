package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"
)

// ackWait is how long a wake-up goes without a heartbeat before another worker has it: the server's default.
const ackWait = 10 * time.Second

// quietAfter is how many faults there are until one node is killed and nothing else is hurt for so long that its runs go
// on, to measure how soon they do.
const quietAfter = 6

// weights say how often each fault is chosen.
type weights struct{ kill, killAll, stop, freeze, longFreeze, engineKill, engineFreeze, hold, cut int }

// schedule hurts a fleet. Its choices follow from its seed; what they meet depends on the machine.
type schedule struct {
	fleet *fleet
	rand  *rand.Rand
	every time.Duration // between two faults, on average
	odds  weights
	say   func(format string, args ...any)

	mu     sync.Mutex // guards what follows
	faults []fault
	errs   []error
	busy   map[*node]bool
}

// run hurts until ctx ends, then lets the last faults end: all processes run.
func (s *schedule) run(ctx context.Context) error {
	s.busy = map[*node]bool{}
	life := context.WithoutCancel(ctx)
	var all sync.WaitGroup
	for i := 1; pause(ctx, s.every/2+time.Duration(s.rand.Int64N(int64(s.every)))); i++ {
		hurt, n := s.choose()
		wait := time.Duration(s.rand.IntN(500)) * time.Millisecond
		if i%quietAfter == 0 && s.odds != (weights{kill: s.odds.kill}) {
			all.Wait()
			if err := s.kill(life, s.fleet.nodes[i/quietAfter%len(s.fleet.nodes)], wait); err != nil {
				return err
			}
			pause(ctx, ackWait+ackWait/2)
			continue
		}
		if hurt == nil || n != nil && !s.take(n) {
			continue
		}
		all.Go(func() {
			if n != nil {
				defer s.leave(n)
			}
			if err := hurt(life, n, wait); err != nil {
				s.mu.Lock()
				s.errs = append(s.errs, err)
				s.mu.Unlock()
			}
		})
	}
	all.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.errs) > 0 {
		return s.errs[0]
	}
	return nil
}

type hurting func(ctx context.Context, n *node, wait time.Duration) error

// choose returns the next fault and the node it is for, if it is for one.
func (s *schedule) choose() (hurting, *node) {
	n := s.fleet.nodes[s.rand.IntN(len(s.fleet.nodes))]
	o := s.odds
	p := s.rand.IntN(o.kill + o.killAll + o.stop + o.freeze + o.longFreeze + o.engineKill + o.engineFreeze + o.hold + o.cut)
	for _, x := range []struct {
		odds int
		hurt hurting
		n    *node
	}{
		{o.kill, s.kill, n}, {o.stop, s.stop, n}, {o.freeze, s.freeze(ackWait), n}, {o.longFreeze, s.freeze(3 * ackWait), n},
		{o.killAll, s.killAll, nil}, {o.engineKill, s.killEngine, nil}, {o.engineFreeze, s.freezeEngine, nil},
		{o.hold, s.hold, n}, {o.cut, s.cut, n},
	} {
		if p -= x.odds; p < 0 {
			return x.hurt, x.n
		}
	}
	return nil, nil
}

// take makes a node busy with a fault; false if it is already.
func (s *schedule) take(n *node) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[n] {
		return false
	}
	s.busy[n] = true
	return true
}

func (s *schedule) leave(n *node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.busy, n)
}

// did records a fault that is over.
func (s *schedule) did(f fault) {
	f.until = time.Now()
	s.mu.Lock()
	s.faults = append(s.faults, f)
	s.mu.Unlock()
	s.say("%s %s, back after %v", f.kind, f.worker, f.until.Sub(f.at).Round(time.Millisecond))
}

func (s *schedule) kill(ctx context.Context, n *node, wait time.Duration) error {
	f := fault{at: time.Now(), kind: "kill", worker: n.worker}
	n.setDown(true)
	n.kill()
	pause(ctx, wait)
	defer s.did(f)
	return s.fleet.start(ctx, n)
}

func (s *schedule) stop(ctx context.Context, n *node, wait time.Duration) error {
	f := fault{at: time.Now(), kind: "stop", worker: n.worker}
	n.setDown(true)
	if err := n.process.stop(); err != nil {
		return err
	}
	pause(ctx, wait)
	defer s.did(f)
	return s.fleet.start(ctx, n)
}

// freeze stops a node's process for some time. Devices still try it: it accepts connections and says nothing.
func (s *schedule) freeze(d time.Duration) hurting {
	return func(ctx context.Context, n *node, wait time.Duration) error {
		f := fault{at: time.Now(), kind: fmt.Sprintf("freeze %v", d), worker: n.worker}
		n.signal(syscall.SIGSTOP)
		pause(ctx, d+wait)
		n.signal(syscall.SIGCONT)
		s.did(f)
		return nil
	}
}

// killAll kills every node that is not busy with another fault, at once.
func (s *schedule) killAll(ctx context.Context, _ *node, wait time.Duration) error {
	var all sync.WaitGroup
	errs := make([]error, len(s.fleet.nodes))
	for i, n := range s.fleet.nodes {
		if s.take(n) {
			all.Go(func() {
				defer s.leave(n)
				errs[i] = s.kill(ctx, n, wait)
			})
		}
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// killEngine kills the external engine. Nodes that cannot start meanwhile try again.
func (s *schedule) killEngine(ctx context.Context, _ *node, wait time.Duration) error {
	if s.fleet.engine == nil || !s.take(nil) {
		return nil
	}
	defer s.leave(nil)
	f := fault{at: time.Now(), kind: "kill engine"}
	s.fleet.engine.kill()
	pause(ctx, wait)
	defer s.did(f)
	return s.fleet.restartEngine(ctx)
}

// freezeEngine stops the external engine's process for some seconds: longer than an append waits for it.
func (s *schedule) freezeEngine(ctx context.Context, _ *node, wait time.Duration) error {
	if s.fleet.engine == nil || !s.take(nil) {
		return nil
	}
	defer s.leave(nil)
	f := fault{at: time.Now(), kind: "freeze engine"}
	s.fleet.engine.signal(syscall.SIGSTOP)
	pause(ctx, 4*time.Second+4*wait)
	s.fleet.engine.signal(syscall.SIGCONT)
	s.did(f)
	return nil
}

// hold holds back everything between a node and the engine for longer than a wake-up waits: others take over, and what
// the node has written arrives late.
func (s *schedule) hold(ctx context.Context, n *node, wait time.Duration) error {
	if n.link == nil {
		return nil
	}
	f := fault{at: time.Now(), kind: "hold link", worker: n.worker}
	n.link.hold()
	pause(ctx, ackWait+10*wait)
	n.link.release()
	s.did(f)
	return nil
}

// cut ends a node's connections to the engine.
func (s *schedule) cut(_ context.Context, n *node, _ time.Duration) error {
	if n.link == nil {
		return nil
	}
	f := fault{at: time.Now(), kind: "cut link", worker: n.worker}
	n.link.cut()
	s.did(f)
	return nil
}
