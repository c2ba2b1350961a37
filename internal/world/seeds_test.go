package world_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/agent"
	"github.com/netra-systems/switchboard/client"
	"github.com/netra-systems/switchboard/internal/world"
	"github.com/netra-systems/switchboard/journal"
	"github.com/netra-systems/switchboard/thread"
	"github.com/netra-systems/switchboard/tool"
)

var (
	seeds     = flag.Int("seeds", 6, "how many random schedules to run")
	firstSeed = flag.Int("first-seed", 1, "the first of them")
	broken    = flag.Int("break", 0, "rules of the algorithm that are left out, an agent.Rule: seeds must fail")
)

// schedule is one random run of a world.
type schedule struct {
	t      *testing.T
	w      *world.World
	fx     *effects
	mu     sync.Mutex // guards what follows
	rng    *rand.Rand
	on     bool
	alive  []*world.Node
	all    []*world.Node
	frozen map[string]bool
	sent   map[switchboard.UserID][]switchboard.Ack
	bad    []string
	hits   map[string]int // by fault and step boundary
	wg     sync.WaitGroup
}

func (s *schedule) chance(p float64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.on && s.rng.Float64() < p
}

func (s *schedule) upTo(d time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Duration(s.rng.Int64N(int64(d)))
}

func (s *schedule) fault(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bad = append(s.bad, fmt.Sprintf(format, args...))
}

// point is what happens at a step boundary: a pause, sometimes a long one, sometimes the end.
func (s *schedule) point(ctx context.Context, node int, p agent.Point) error {
	key := fmt.Sprint(node, "/", p.Wakeup.Seq(), "/", p.Wakeup.Delivery())
	if p.Name == "heartbeat" {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.frozen[key] {
			return errors.New("frozen")
		}
		return nil
	}
	time.Sleep(s.upTo(40 * time.Millisecond))
	switch {
	case s.chance(0.012):
		s.mu.Lock()
		n := s.all[node]
		s.alive = slices.DeleteFunc(s.alive, func(x *world.Node) bool { return x == n })
		s.hits["kill "+p.Name]++
		s.mu.Unlock()
		s.wg.Go(func() {
			n.Kill()
			time.Sleep(time.Second + s.upTo(4*time.Second))
			s.start()
		})
		return errKilled
	case s.chance(0.012):
		s.mu.Lock()
		s.frozen[key] = true
		s.hits["freeze "+p.Name]++
		s.mu.Unlock()
		time.Sleep(30*time.Second + s.upTo(5*time.Second))
		s.mu.Lock()
		delete(s.frozen, key)
		s.mu.Unlock()
		if p.Name == "stored" { // the answer has not come in time
			return thread.ErrUnknown
		}
	case p.Name == "stored" && s.chance(0.02):
		return thread.ErrUnknown
	}
	return nil
}

func (s *schedule) start() {
	n := s.w.Start()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all, s.alive = append(s.all, n), append(s.alive, n)
}

// node returns a node that lives, waiting for one if there is none.
func (s *schedule) node() *world.Node {
	for {
		s.mu.Lock()
		if len(s.alive) > 0 {
			n := s.alive[s.rng.IntN(len(s.alive))]
			s.mu.Unlock()
			return n
		}
		s.mu.Unlock()
		time.Sleep(100 * time.Millisecond)
	}
}

// TestSeeds runs random schedules of kills, freezes, lost signals, reconnects, repeats, stops and decisions over real
// nodes on a real log, and then holds the log and every device against the promises.
//
//	go test ./internal/world -run TestSeeds -seeds 500 -first-seed 1000
func TestSeeds(t *testing.T) {
	n := *seeds
	if testing.Short() {
		n = min(n, 2)
	}
	begin, events, failing := time.Now(), 0, 0
	hits := map[string]int{}
	for seed := *firstSeed; seed < *firstSeed+n; seed++ {
		synctest.Test(t, func(t *testing.T) {
			s, es := runSeed(t, uint64(seed))
			events += es
			for what, n := range s.hits {
				hits[what] += n
			}
			if len(s.bad) > 0 {
				failing++
			}
			for _, b := range s.bad[:min(len(s.bad), 8)] {
				t.Errorf("seed %d: %s", seed, b)
			}
		})
	}
	for _, what := range slices.Sorted(maps.Keys(hits)) {
		t.Logf("%-34s %6d", what, hits[what])
	}
	t.Logf("%d seeds from %d on, %d failing, %d events, %.0f seeds/min", n, *firstSeed, failing, events, float64(n)/time.Since(begin).Minutes())
}

func runSeed(t *testing.T, seed uint64) (*schedule, int) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := &schedule{
		t: t, rng: rand.New(rand.NewPCG(seed, 2)), on: true, frozen: map[string]bool{}, hits: map[string]int{},
		fx: &effects{n: map[switchboard.CallID]int{}}, sent: map[switchboard.UserID][]switchboard.Ack{},
	}
	s.w = world.New(t, world.Config{
		Agents: cast(s.fx), Break: agent.Rule(*broken), Approval: time.Minute, Point: s.point,
		Lose:  func(int, int, int) bool { return s.chance(0.1) },
		Tools: []tool.Tool{effect{"twice", s.fx}, effect{"once", s.fx}, effect{"ask", s.fx}},
	})
	defer s.w.Close()
	for range 3 {
		s.start()
	}
	var ds []*world.Device
	var talks sync.WaitGroup
	begin := switchboard.Place{Epoch: s.w.Journal().Epoch()}.Cursor()
	for u := range 3 {
		token := s.node().Token(fmt.Sprint("user", u))
		for range 2 {
			d := world.NewDevice(token)
			d.Cursor = begin
			ds = append(ds, d)
			s.wg.Go(func() { s.wander(ctx, d) })
		}
		for th := range 1 + int(s.upTo(2)) {
			talks.Go(func() { s.talk(ctx, token, fmt.Sprint("u", u, "t", th)) })
		}
	}
	talks.Wait()
	time.Sleep(s.upTo(30 * time.Second))
	s.mu.Lock()
	s.on = false
	s.mu.Unlock()
	s.wg.Wait()
	s.settle(ctx, ds)
	for _, d := range ds {
		d.Disconnect()
		if err := d.Connect(ctx, s.node()); err != nil {
			s.fault("a device cannot come back: %v", err)
		}
	}
	time.Sleep(10 * time.Second)
	events := s.judge(ctx, ds)
	for _, d := range ds {
		d.Disconnect()
	}
	return s, events
}

// settle waits until every thread is at rest, for as long as the longest approval and five takeovers may take; judge says
// what is not. It looks twice: what comes after the last rest is seen, too.
func (s *schedule) settle(ctx context.Context, ds []*world.Device) {
	j := s.w.Journal()
	for still, until := 0, time.Now().Add(5*time.Minute); still < 2 && time.Now().Before(until); {
		time.Sleep(15 * time.Second)
		still++
		for _, d := range ds {
			if d.Conn() == nil {
				continue
			}
			for _, st := range s.states(ctx, j, d.Conn().Established().User.ID) {
				if !st.AtRest() || st.Busy() != nil {
					still = 0
				}
			}
		}
	}
}

// states folds the threads of a user.
func (s *schedule) states(ctx context.Context, j *journal.Journal, u switchboard.UserID) map[switchboard.ThreadID]*thread.State {
	out := map[switchboard.ThreadID]*thread.State{}
	for _, e := range s.read(ctx, j, u) {
		if out[e.Event.ThreadID] == nil {
			out[e.Event.ThreadID] = thread.NewState(u, e.Event.ThreadID)
		}
		out[e.Event.ThreadID].Apply(e)
	}
	return out
}

// wander moves a device from node to node. It decides on approvals, or not.
func (s *schedule) wander(ctx context.Context, d *world.Device) {
	decided := map[switchboard.CallID]bool{}
	for s.chance(1) {
		time.Sleep(s.upTo(4 * time.Second))
		if d.Connect(ctx, s.node()) != nil {
			continue
		}
		for end := time.Now().Add(time.Second + s.upTo(30*time.Second)); time.Now().Before(end); time.Sleep(time.Second) {
			for _, c := range d.Asked() {
				if !decided[c] && s.chance(0.1) {
					decided[c] = true
					decision := switchboard.Approve
					if s.chance(0.5) {
						decision = switchboard.Deny
					}
					within(ctx, func(ctx context.Context) {
						d.Send(ctx, switchboard.Message{ID: client.NewID(), Payload: &switchboard.ToolDecision{CallID: string(c), Decision: decision}})
					})
				}
			}
		}
		d.Disconnect()
	}
}

func within(ctx context.Context, fn func(context.Context)) {
	ctx, cancel := context.WithTimeout(ctx, 6*time.Second)
	defer cancel()
	fn(ctx)
}

// talk sends messages to one thread: some at the same time from several places, some again, some are stopped.
func (s *schedule) talk(ctx context.Context, token, name string) {
	var id switchboard.ThreadID
	for i := range 2 + int(s.upTo(4)) {
		m := &switchboard.UserMessage{Text: fmt.Sprint(name, "m", i)}
		if s.chance(0.3) {
			m.Agent = "coder"
		}
		if s.chance(0.4) {
			m.OnBusy = []switchboard.OnBusy{switchboard.Interrupt, switchboard.Rollback, switchboard.Steer}[s.upTo(3)]
		}
		copies := 1
		if s.chance(0.3) {
			copies = 3
		}
		frame := switchboard.Message{ID: client.NewID(), ThreadID: string(id), Payload: m}
		acks := make([]switchboard.Ack, copies)
		var wg sync.WaitGroup
		for c := range copies {
			wg.Go(func() { acks[c] = s.insist(ctx, token, frame) })
		}
		wg.Wait()
		for _, a := range acks {
			if a.RunID != acks[0].RunID || a.N != acks[0].N {
				s.fault("one id, two acks: %+v %+v", a, acks[0])
			}
		}
		id = acks[0].ThreadID
		s.mu.Lock()
		s.sent[switchboard.UserID(token)] = append(s.sent[switchboard.UserID(token)], acks[0])
		s.mu.Unlock()
		if s.chance(0.25) {
			time.Sleep(s.upTo(10 * time.Second))
			stop := switchboard.Message{ID: client.NewID(), Payload: &switchboard.StopAgent{RunID: string(acks[0].RunID)}}
			s.insist(ctx, token, stop)
		}
		time.Sleep(s.upTo(25 * time.Second))
	}
}

// insist sends a frame until it is answered, over a connection of its own.
func (s *schedule) insist(ctx context.Context, token string, m switchboard.Message) (ack switchboard.Ack) {
	for try := range 200 {
		var err error
		within(ctx, func(ctx context.Context) {
			cfg := s.node().Client(token)
			var conn *client.Conn
			if conn, err = client.Dial(ctx, cfg); err != nil {
				return
			}
			defer conn.Close()
			err = conn.Do(ctx, m, &ack)
		})
		if err == nil || switchboard.CodeOf(err) == switchboard.Conflict {
			return ack
		}
		if try == 199 {
			s.fault("no answer: %v", err)
		}
		time.Sleep(500 * time.Millisecond)
	}
	return ack
}

// judge holds what is stored, and what each device has, against the promises.
func (s *schedule) judge(ctx context.Context, ds []*world.Device) (events int) {
	j := s.w.Journal()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, d := range ds {
		user := d.Conn().Established().User.ID
		log := s.read(ctx, j, user)
		if i%2 == 0 {
			events += len(log)
			s.runs(user, log, s.sent[switchboard.UserID(d.Token)])
		}
		for _, f := range d.Check() {
			s.bad = append(s.bad, "device: "+f)
		}
		var got, want []switchboard.Cursor
		for _, e := range d.List() {
			got = append(got, e.Cursor)
		}
		for _, e := range log {
			want = append(want, switchboard.Place{Epoch: j.Epoch(), Seq: e.Seq, Check: e.Header.Chain}.Cursor())
		}
		if !slices.Equal(got, want) {
			s.bad = append(s.bad, fmt.Sprintf("device %d has %d events, the log %d", i, len(got), len(want)))
		}
	}
	for c, n := range s.fx.n {
		if n > 1 {
			s.bad = append(s.bad, fmt.Sprintf("the effect of %s came %d times", c, n))
		}
	}
	return events
}

func (s *schedule) read(ctx context.Context, j *journal.Journal, u switchboard.UserID) []thread.Entry {
	heads, err := j.Heads(ctx, u)
	if err != nil {
		s.bad = append(s.bad, err.Error())
	}
	var log []thread.Entry
	for _, h := range heads {
		es, err := j.Read(ctx, u, h.Event.ThreadID, threadStart)
		if err != nil {
			s.bad = append(s.bad, err.Error())
		}
		log = append(log, es...)
	}
	slices.SortFunc(log, func(a, b thread.Entry) int { return int(a.Seq) - int(b.Seq) })
	return log
}

// runs checks each thread's rest and each accepted message's run.
func (s *schedule) runs(u switchboard.UserID, log []thread.Entry, sent []switchboard.Ack) {
	states := map[switchboard.ThreadID]*thread.State{}
	grammars := map[switchboard.RunID]*switchboard.Grammar{}
	taken := map[switchboard.RunID]bool{}
	asked := map[switchboard.FrameID]switchboard.RunID{}
	lost := map[switchboard.RunID]int{}
	for _, e := range log {
		st := states[e.Event.ThreadID]
		if st == nil {
			st = thread.NewState(u, e.Event.ThreadID)
			states[e.Event.ThreadID] = st
		}
		if r := st.Run(e.Event.RunID); r != nil {
			lost[r.ID] = r.Lost
		}
		st.Apply(e)
		switch p := e.Event.Payload.(type) {
		case *switchboard.UserMessageEvent:
			asked[p.ID] = p.RunID
		case *switchboard.AgentHandoffEvent:
			s.hits["handed over"]++
		case *switchboard.AgentMessageEvent:
			if len(p.Calls) == 0 {
				s.hits["said between agents, or withdrawn"]++
			}
		case *switchboard.ThreadRenamedEvent:
			s.hits["named"]++
		case *switchboard.MessagesTakenEvent:
			for _, id := range p.IDs {
				taken[asked[id]] = true
			}
		case *switchboard.AgentFailedEvent:
			if p.Code != switchboard.AttemptsExhausted || lost[e.Event.RunID] < 5 {
				s.bad = append(s.bad, fmt.Sprintf("run failed: %s after %d losses: %s", p.Code, lost[e.Event.RunID], p.Message))
			}
		}
		if e.Event.RunID == "" || e.Event.Type.ByPerson() {
			continue
		}
		g := grammars[e.Event.RunID]
		if g == nil {
			g = &switchboard.Grammar{}
			grammars[e.Event.RunID] = g
		}
		if err := g.Add(e.Event); err != nil {
			s.bad = append(s.bad, "grammar: "+err.Error())
		}
	}
	for _, a := range sent {
		g := grammars[a.RunID]
		switch {
		case a.RunID == "":
		case taken[a.RunID] && g == nil:
		case g == nil || g.Ended() == "":
			s.bad = append(s.bad, fmt.Sprintf("run %s has not ended", strings.TrimPrefix(string(a.RunID), string(a.ThreadID))))
		}
	}
	for _, st := range states {
		if !st.AtRest() || st.Busy() != nil {
			what, r := st.Next()
			s.bad = append(s.bad, fmt.Sprintf("a thread is not at rest: %v of run %d, duty %d", what, r.N, st.Duty))
		}
	}
}
