package agent

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
	"github.com/netra-systems/switchboard/tool"
)

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
	Depth    int           // how many agents may be at work or wait for one another in a run. 0: 4
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
	if c.Depth == 0 {
		c.Depth = 4
	}
	seen := map[string]bool{}
	for _, a := range c.Agents {
		if a.Name == "" || (a.Model == nil) == (a.Run == nil) {
			return fmt.Errorf("an agent needs a name and either a model or a function")
		}
		if seen[a.Name] {
			return fmt.Errorf("two agents are called %q", a.Name)
		}
		seen[a.Name] = true
	}
	for _, a := range c.Agents {
		if err := c.validateRoutes(a, seen); err != nil {
			return err
		}
	}
	return nil
}

// validateRoutes checks that the other agents exist, and that the tools which reach them can be told from real ones.
func (c *Config) validateRoutes(a Agent, known map[string]bool) error {
	for _, r := range a.routes() {
		switch {
		case !known[r.to]:
			return fmt.Errorf("agent %q leads to %q, which does not exist", a.Name, r.to)
		case r.to == a.Name:
			return fmt.Errorf("agent %q leads to itself", a.Name)
		case !routeName.MatchString(r.tool()):
			return fmt.Errorf("agent %q cannot be led to: its name must be 1 to 48 of [A-Za-z0-9_-]", r.to)
		case c.Tools.Has(r.tool()):
			return fmt.Errorf("a tool is called %s, as what leads to agent %q", r.tool(), r.to)
		}
	}
	return nil
}
