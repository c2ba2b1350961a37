// Package agent runs agents: the Runner takes wake-ups from the log and advances their threads, step after step, each
// step an event.
//
// Any number of runners share the work. A run has one holder at a time: the worker that wrote the run's newest claim
// (agent_started or agent_resumed). Every append is compare-and-set on the thread, so a worker that was superseded,
// frozen or cut off cannot write one event. Acks and heartbeats prove nothing: only the log decides.
//
// Key invariants:
//   - Only the holder of the duty wake-up advances a thread; it acks only after a fold that shows the thread at rest.
//   - A tool starts only after its tool_executing is stored; a known result is stored whatever came in between.
//   - Every run ends with exactly one terminal event; half an answer never is agent_completed.
//   - After a conflict the news are folded and everything is decided anew; nothing is repeated blindly.
package agent

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/thread"
	"github.com/netra-systems/switchboard/tool"
)

// Agent answers messages: a model with instructions and tools, one that leads other agents, one elsewhere (its Model is an
// adapter), or a function in Go.
type Agent struct {
	Name         string
	Description  string // for people, and for the agents that lead it
	Model        model.Model
	Instructions string
	Tools        []string // names, or beginnings of names that end in *
	Handoff      []string // agents that it may hand the conversation to
	Ask          []string // agents that it may ask as it calls a tool
	Budget       Budget
	Price        Price
	Gate         Gate // judges answers before they are given; nil: none
}

// Budget bounds a run of an agent; 0 stands for the node's limit, or none.
type Budget struct {
	Steps  int
	Tokens int64 // in and out, of all steps
	Time   time.Duration
	Cost   float64 // in the currency of the Price
}

// Price is what a million tokens cost.
type Price struct{ Input, Output float64 }

// Gate judges an answer. Last says that it will not be written anew.
type Gate func(ctx context.Context, asked, answer string, last bool) (Verdict, error)

// Verdict is what a Gate says. A rejected answer is written anew once if there is Advice, and otherwise fails the run.
type Verdict struct {
	Quality  switchboard.Quality
	Rejected bool
	Advice   string // for the model: what was weak
}

// Wakeups gives the wake-ups of a shard, each to one worker at a time.
type Wakeups interface {
	NextWakeup(ctx context.Context, shard int) (thread.Wakeup, error)
}

// Log is the log that runs are written to.
type Log interface {
	thread.Store
	Erase(ctx context.Context, u switchboard.UserID, t switchboard.ThreadID, tombstone uint64) error
}

// Previews carries what is not stored: deltas, and the open text of a run for those who ask.
type Previews interface {
	PublishDelta(u switchboard.UserID, t switchboard.ThreadID, delta []byte) error
	Offer(u switchboard.UserID, r switchboard.RunID, text func() [][]byte) (end func(), err error)
}

// Config is what a Runner needs.
type Config struct {
	Wakeups  Wakeups
	Log      Log
	Previews Previews
	// Watch calls fn soon after something is added to a thread: a signal that may be late or never come.
	Watch func(u switchboard.UserID, t switchboard.ThreadID, fn func(thread.Entry)) (end func())

	// Held returns how many runs of a user workers hold on all nodes, but in one thread. It may be a moment behind.
	Held func(ctx context.Context, u switchboard.UserID, but switchboard.ThreadID) (int, error)

	Shards   int
	Slots    int           // runs per shard at once. 0: 64
	AckWait  time.Duration // a wake-up without a heartbeat for so long goes to another worker
	Approval time.Duration // how long a person may take to decide. 0: 24 h
	Limits   switchboard.Limits
	Agents   []Agent
	Tools    *tool.Dispatcher
	Worker   string // names this process in the log
	Registry prometheus.Registerer
	Logger   *slog.Logger

	// Break leaves rules of the algorithm out: tests see that the faults which they prevent are caught.
	Break Rule
	// Point, if set, is called at each step boundary: tests freeze workers there, and end them with an error.
	Point func(context.Context, Point) error
}

// Rule is a set of rules of the algorithm; see ARCHITECTURE.md, Running.
type Rule int

// The rules that may be broken.
const (
	RuleDuty  Rule = 1 << iota // only the holder of the duty wake-up advances a thread
	RuleClaim                  // a holder stops that finds a claim by a later delivery
	RuleFence                  // a holder stops that finds a newer claim than its own
)

// Point is a step boundary of a worker: delivered, folded, append, chunk, answered, before-tool, after-tool, ack,
// heartbeat.
type Point struct {
	Name   string
	Wakeup thread.Wakeup // in work
}

func (c *Config) validate() error {
	if c.Slots == 0 {
		c.Slots = 64
	}
	if c.Approval == 0 {
		c.Approval = 24 * time.Hour
	}
	seen := map[string]bool{}
	for _, a := range c.Agents {
		if a.Name == "" || a.Model == nil {
			return fmt.Errorf("an agent needs a name and a model")
		}
		if seen[a.Name] {
			return fmt.Errorf("two agents are called %q", a.Name)
		}
		seen[a.Name] = true
	}
	return nil
}
