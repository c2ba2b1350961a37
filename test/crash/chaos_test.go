package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/probe"
)

// plan is one run of the harness.
type plan struct {
	seed    uint64
	nodes   int
	users   int
	walkers int // groups of users that walk the golden path in turn
	rate    float64
	time    time.Duration
	every   time.Duration
	odds    weights
	golden  float64 // share of runs on the golden path that must succeed
}

// settleTime bounds the wait for the next event after the last fault: a takeover, or a model's idle timeout. As long as
// there are events the work that has piled up is being done.
const settleTime = 100 * time.Second

// chooseSeed returns the seed that was asked for, or a random one.
func chooseSeed() uint64 {
	if flags.seed != 0 {
		return flags.seed
	}
	return rand.Uint64N(1_000_000_000) + 1
}

// dir returns a folder on a real disk that ends with the test.
func dir(t testing.TB) string {
	t.Helper()
	if !flags.keep {
		return t.TempDir()
	}
	d, err := os.MkdirTemp("", "switchboard-crash-kept-")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the folders are kept: %s", d)
	return d
}

// run hurts a fleet as planned and judges what is left.
func (p plan) run(t *testing.T) *outcome {
	t.Helper()
	say := func(format string, args ...any) {
		fmt.Printf("  seed %d: %s\n", p.seed, fmt.Sprintf(format, args...))
	}
	f := newFleet(t, dir(t), p.nodes)
	ctx := t.Context()
	l, err := newLoad(ctx, f, p.seed, p.users)
	if err != nil {
		t.Fatalf("seed %d: %v", p.seed, err)
	}
	defer l.close()
	walkers, err := f.accounts(ctx, "walker", p.walkers*walkersAtOnce)
	if err != nil {
		t.Fatalf("seed %d: %v", p.seed, err)
	}
	o := &outcome{seed: p.seed, history: &history{sent: l.sent}, golden: golden{failures: map[string]int{}, examples: map[string]string{}}}
	s := &schedule{fleet: f, rand: rand.New(rand.NewPCG(p.seed, 0)), every: p.every, odds: p.odds, say: say}
	begin := time.Now()
	hurting, cancel := context.WithTimeout(ctx, p.time)
	defer cancel()
	var parts sync.WaitGroup
	parts.Go(func() { l.run(hurting, ctx, p.rate) })
	parts.Go(func() { p.walk(hurting, ctx, f, walkers, &o.golden) })
	herr := s.run(hurting)
	parts.Wait()
	o.took = time.Since(begin)
	o.history.faults = s.faults
	if herr != nil {
		t.Errorf("seed %d: %v", p.seed, herr)
	}
	say("no more faults; %d messages were sent", len(l.sent))
	p.collect(t, f, l, o)
	o.verdict = judge(o.history)
	return o
}

// walkersAtOnce is how many users walk the golden path together.
const walkersAtOnce = 4

// walk lets the probe walk the golden path, a few runs at a time, until acting ends. Its users take turns: to a probe,
// what a node that was frozen tells late of the runs before is foreign.
func (p plan) walk(acting, life context.Context, f *fleet, accounts []account, g *golden) {
	c := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return f.dial(ctx) }}}
	cfg := probe.Config{URL: "http://" + host, Runs: 8 * walkersAtOnce, Timeout: time.Minute, HTTPClient: c, Seed: p.seed,
		Lossy: p.nodes > 0} // what is hurt between nodes and engine loses live signals
	for acting.Err() == nil {
		cfg.Credentials = nil
		for i := range walkersAtOnce {
			a := accounts[(int(cfg.Seed-p.seed)*walkersAtOnce+i)%len(accounts)]
			cfg.Credentials = append(cfg.Credentials, probe.Credential{Token: a.token})
		}
		cfg.Seed++
		r, err := probe.Run(life, cfg, nil)
		if err != nil { // it could not begin: the server is away
			pause(acting, 200*time.Millisecond)
			continue
		}
		g.add(r)
	}
}

// collect reads everything that there is to judge, when all is at rest.
func (p plan) collect(t *testing.T, f *fleet, l *load, o *outcome) {
	t.Helper()
	begin := time.Now()
	ctx, cancel := l.moving(t.Context())
	defer cancel()
	if err := l.settle(ctx); err != nil {
		t.Errorf("seed %d: %v", p.seed, err)
	}
	o.settled = time.Since(begin)
	h := o.history
	h.pages = map[switchboard.UserID]map[switchboard.ThreadID][]line{}
	var users []switchboard.UserID
	for _, u := range l.users {
		pages, err := f.readPages(t.Context(), u.token)
		if err != nil {
			t.Errorf("seed %d: %v", p.seed, err)
		}
		if err := u.catchUp(ctx, pages); err != nil {
			t.Errorf("seed %d: %v", p.seed, err)
		}
		h.pages[u.id] = pages
		users = append(users, u.id)
		for _, d := range u.devices {
			d.close()
			h.views = append(h.views, d.view())
			o.bytes, o.resumes = o.bytes+d.bytes, o.resumes+d.resumes
		}
	}
	for _, n := range f.nodes {
		if err := n.process.stop(); err != nil {
			t.Errorf("seed %d: %v", p.seed, err)
		}
	}
	var err error
	if h.log, err = f.readLog(t.Context(), users); err != nil {
		t.Fatalf("seed %d: the log cannot be read: %v", p.seed, err)
	}
}

// goldenShare is the share of runs that must succeed under the usual mix of faults. A server that is killed every few
// seconds, to see whether anything is lost, is too seldom there.
const goldenShare = 0.999

// report prints the table and fails the test if anything is wrong.
func (p plan) report(t *testing.T, o *outcome) {
	t.Helper()
	var b strings.Builder
	o.print(&b)
	fmt.Print(b.String())
	if _, high := probe.Wilson(o.golden.succeeded, o.golden.runs); high < p.golden {
		t.Errorf("seed %d: the golden path succeeds in less than %v of all runs", o.seed, p.golden)
	}
	if n := len(o.verdict.violations); n > 0 || o.golden.leaks > 0 {
		t.Errorf("seed %d: %d violations, %d leaks of the golden path", o.seed, n, o.golden.leaks)
	}
}

// TestCrashOne hurts one server on its own folder for some seconds.
func TestCrashOne(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes")
	}
	t.Parallel()
	p := plan{seed: chooseSeed(), users: 8, walkers: 1, rate: 12, time: flags.short, every: flags.short / 3,
		odds: weights{kill: 4, stop: 1}, golden: goldenShare}
	p.report(t, p.run(t))
}

// TestCrashNodes hurts three nodes on one external engine, and the engine, for some seconds.
func TestCrashNodes(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes")
	}
	t.Parallel()
	p := plan{seed: chooseSeed(), nodes: 3, users: 8, walkers: 1, rate: 12, time: flags.short, every: flags.short / 4,
		odds: weights{kill: 4, killAll: 1, stop: 1, engineKill: 2, cut: 1}, golden: goldenShare}
	p.report(t, p.run(t))
}

// TestChaos is `make chaos`.
func TestChaos(t *testing.T) {
	if !flags.chaos {
		t.Skip("it runs for minutes: make chaos")
	}
	p := plan{seed: chooseSeed(), nodes: flags.nodes, users: flags.users, walkers: 12, rate: flags.rate,
		time: time.Duration(flags.minutes * float64(time.Minute)), every: 4 * time.Second,
		odds: weights{kill: 12, stop: 3, freeze: 2, longFreeze: 1}, golden: goldenShare}
	if p.nodes > 0 {
		p.odds.killAll, p.odds.engineKill, p.odds.engineFreeze, p.odds.hold, p.odds.cut = 2, 4, 2, 4, 2
	}
	if flags.kills {
		p.every, p.odds, p.golden = 3*time.Second, weights{kill: 1}, 0
	}
	fmt.Printf("chaos: seed %d, %v, %d users, %d nodes\n", p.seed, p.time, p.users, max(1, p.nodes))
	p.report(t, p.run(t))
}
