package agent

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// Runner advances threads.
type Runner struct {
	cfg    Config
	agents map[string]Agent
	mu     sync.Mutex                 // guards active and naming
	active map[switchboard.UserID]int // runs at work
	naming map[switchboard.UserID]int // titles that are waited for
	tasks  sync.WaitGroup
	memory *memory

	runs      *prometheus.CounterVec
	takeovers prometheus.Counter
	fenced    prometheus.Counter
	running   prometheus.Gauge
	tokens    *prometheus.CounterVec
}

// errDraining is the cause of the end of work that another worker is to go on with at once.
var errDraining = errors.New("the worker is stopping")

// New returns a Runner; Run starts it.
func New(cfg Config) (*Runner, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	r := &Runner{
		cfg: cfg, agents: map[string]Agent{}, active: map[switchboard.UserID]int{}, naming: map[switchboard.UserID]int{}, memory: newMemory(),
		runs:      prometheus.NewCounterVec(prometheus.CounterOpts{Name: "switchboard_runs_total", Help: "Runs by how they ended."}, []string{"end"}),
		takeovers: prometheus.NewCounter(prometheus.CounterOpts{Name: "switchboard_takeovers_total", Help: "Runs taken over from a lost worker."}),
		fenced:    prometheus.NewCounter(prometheus.CounterOpts{Name: "switchboard_fenced_total", Help: "Workers that found themselves superseded."}),
		running:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "switchboard_wakeups_held", Help: "Wake-ups that this node holds."}),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchboard_tokens_total", Help: "Tokens that models read (input) and wrote (output).",
		}, []string{"agent", "model", "direction"}),
	}
	for _, a := range cfg.Agents {
		r.agents[a.Name] = a
	}
	if cfg.Registry != nil {
		cfg.Registry.MustRegister(r.runs, r.takeovers, r.fenced, r.running, r.tokens)
	}
	return r, nil
}

// Has reports whether there is an agent of this name.
func (r *Runner) Has(name string) bool { _, ok := r.agents[name]; return ok }

// Run works until ctx ends; then running work is handed over at once and Run returns.
func (r *Runner) Run(ctx context.Context) error {
	work, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	var pulls sync.WaitGroup
	for s := range r.cfg.Shards {
		pulls.Go(func() { r.pull(ctx, work, s) })
	}
	<-ctx.Done()
	stop(errDraining)
	pulls.Wait()
	r.tasks.Wait()
	return nil
}

// pullRetry is how long a shard that gives no wake-ups is left alone.
const pullRetry = time.Second

// pull takes wake-ups of a shard, one per free slot and never ahead.
func (r *Runner) pull(ctx, work context.Context, shard int) {
	slots := make(chan struct{}, r.cfg.Slots)
	failing := false
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		w, err := r.cfg.Wakeups.NextWakeup(ctx, shard)
		if err != nil {
			<-slots
			if ctx.Err() != nil {
				return
			}
			if !failing {
				r.cfg.Logger.Error("no wake-ups can be had", "shard", shard, "error", err)
			}
			failing = true
			select {
			case <-time.After(pullRetry):
			case <-ctx.Done():
				return
			}
			continue
		}
		failing = false
		r.tasks.Go(func() {
			defer func() { <-slots }()
			r.take(work, w)
		})
	}
}

// take advances the thread of a wake-up.
func (r *Runner) take(ctx context.Context, w thread.Wakeup) {
	r.running.Inc()
	defer r.running.Dec()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	known := r.memory.take(w.User(), w.Thread())
	t := &task{r: r, w: w, st: known.st, history: known.history, news: make(chan struct{}, 1), mu: thread.NewTurn()}
	t.extend()
	beating, still := context.WithCancel(ctx)
	var beat sync.WaitGroup
	beat.Go(func() { t.heartbeat(beating) })
	err := t.guarded(ctx)
	still()
	beat.Wait()
	switch {
	case err == nil:
		r.memory.keep(past{st: t.st, history: t.history})
	case errors.Is(err, errLost):
		r.fenced.Inc()
	case errors.Is(err, errDead):
	case context.Cause(ctx) != nil:
		w.Nak(0)
	default:
		r.cfg.Logger.Error("a thread could not be advanced; it is tried again", "user", w.User(), "thread", w.Thread(), "error", err)
		w.Nak(1000 + rand.Int64N(500))
	}
}

// guarded advances a thread; a panic of an agent or a model is an error.
func (t *task) guarded(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return t.advance(ctx)
}

// enter counts a run of a user; false if the user has as many as allowed, on this node or, as far as it is known here,
// on all. A run that is taken over is one of those already: nodes that died may have held more than allowed, for each saw
// the others' claims too late, and none of them could be taken over if they kept each other waiting.
func (r *Runner) enter(ctx context.Context, u switchboard.UserID, t switchboard.ThreadID, what thread.Action) bool {
	if what != thread.TakeOver {
		if held, err := r.cfg.Held(ctx, u, t); err == nil && held >= r.cfg.Limits.ActiveRunsPerUser {
			return false
		}
	}
	return r.begin(r.active, u)
}

// begin counts what is at work for a user; false if there is as much as a user may have.
func (r *Runner) begin(at map[switchboard.UserID]int, u switchboard.UserID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at[u] >= r.cfg.Limits.ActiveRunsPerUser {
		return false
	}
	at[u]++
	return true
}

// end counts it out.
func (r *Runner) end(at map[switchboard.UserID]int, u switchboard.UserID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at[u]--; at[u] == 0 {
		delete(at, u)
	}
}
