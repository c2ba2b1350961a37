// Package node puts the parts of a Switchboard together: it opens them in order, runs them, and stops them in the
// opposite order. It is the only place that knows them all.
//
// Start: log and records, accounts, delivery's tails, router, servers of tools, runner, transport. Stop: running work is
// handed over, devices are told and leave, servers of tools and the tails end, the log is closed. A node holds no state of its own: any number of them
// may share one log.
package node

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/agent"
	"github.com/netra-systems/switchboard/auth"
	"github.com/netra-systems/switchboard/delivery"
	"github.com/netra-systems/switchboard/journal"
	"github.com/netra-systems/switchboard/quality"
	"github.com/netra-systems/switchboard/router"
	"github.com/netra-systems/switchboard/thread"
	"github.com/netra-systems/switchboard/tool"
	"github.com/netra-systems/switchboard/tool/builtin"
	"github.com/netra-systems/switchboard/tool/mcp"
	"github.com/netra-systems/switchboard/transport"
	"github.com/netra-systems/switchboard/transport/rest"
)

// Config is what a node is made of. Journal.Connect and Agents are needed.
type Config struct {
	Name      string // of the node: in connection_established and, with its start, in the log
	Version   string
	Journal   journal.Config
	Auth      auth.Config
	Transport transport.Config
	Agents    []agent.Agent           // the first answers messages that name none
	Tools     func(*Node) []tool.Tool // nil: BuiltinTools
	Policies  map[string]tool.Policy  // by the name of a tool, or by the beginning of names that ends in *
	MCP       []mcp.Config            // servers whose tools are offered
	Secret    mcp.Secret              // what their settings may name; nil: nothing
	Limits    switchboard.Limits      // the zero value: switchboard.DefaultLimits
	Slots     int                     // runs per shard at once; 0: the runner's default
	Approval  time.Duration           // how long a person may take to decide; 0: the runner's default
	Alerts    quality.Alerts          // when operators are told of bad answers
	Registry  prometheus.Registerer   // of its figures; nil: nobody sees them
	Log       *slog.Logger

	// Check has everything that is stored read once after the start, beside the work: for who has the store to itself.
	Check bool

	// Lose, Point and Break inject faults in tests: lost live signals, step boundaries of the runner, rules left out.
	Lose  func(shard, n int) bool
	Point func(context.Context, agent.Point) error
	Break agent.Rule
}

// Node is an assembled Switchboard.
type Node struct {
	cfg       Config
	log       *slog.Logger
	journal   *journal.Journal
	auth      *auth.Authority
	delivery  *delivery.Broadcaster
	router    *router.Router
	tools     *tool.Dispatcher
	mcp       *mcp.Servers
	runner    *agent.Runner
	transport *transport.Server
	quality   *quality.Service
	began     []uint64 // by shard: what the tails were not shown lies at or below
}

// Open opens the parts; Run runs them, and Close gives back what Open took if Run is not called. Errors:
// *switchboard.Error for the log, else what is wrong with a setting.
func Open(ctx context.Context, cfg Config) (_ *Node, err error) {
	if cfg.Limits == (switchboard.Limits{}) {
		cfg.Limits = switchboard.DefaultLimits()
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Registry == nil {
		cfg.Registry = prometheus.NewRegistry()
	}
	if len(cfg.Agents) == 0 {
		return nil, fmt.Errorf("a node needs an agent")
	}
	n := &Node{cfg: cfg, log: cfg.Log}
	if n.journal, err = journal.Open(ctx, cfg.Journal); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			n.journal.Close()
		}
	}()
	records, err := n.journal.Records(ctx, "auth")
	if err != nil {
		return nil, err
	}
	if n.auth, err = auth.Open(ctx, cfg.Auth, records); err != nil {
		return nil, err
	}
	if err := n.assemble(ctx); err != nil {
		return nil, err
	}
	return n, nil
}

// assemble makes the parts in the order in which data flows, the tails first: nothing may be accepted that no tail
// sees.
func (n *Node) assemble(ctx context.Context) (err error) {
	j, cfg := n.journal, n.cfg
	names := map[string]bool{}
	for _, a := range cfg.Agents {
		names[a.Name] = true
	}
	n.delivery = delivery.New(delivery.Config{
		Journal: j, Follow: n.follow, Shards: j.Shards(), Shard: j.Shard, Epoch: j.Epoch(), Limits: cfg.Limits,
		Observe:  func(e thread.Entry) { n.router.Observe(e); n.quality.Observe(e) },
		Registry: cfg.Registry, Log: n.log,
	})
	n.began = make([]uint64, j.Shards())
	n.quality = quality.New(quality.Config{Past: n.past, Shards: j.Shards(), Notify: n.delivery.Notify, Alerts: cfg.Alerts, Log: n.log})
	n.router = router.New(router.Config{
		Journal: j, Threads: n.delivery, Quality: n.quality, Epoch: j.Epoch(), Registry: cfg.Registry, Log: n.log,
		Rules: thread.Rules{
			Limits: cfg.Limits, DefaultAgent: cfg.Agents[0].Name,
			HasAgent: func(name string) bool { return names[name] },
		},
	})
	tools := n.BuiltinTools
	if cfg.Tools != nil {
		tools = func() []tool.Tool { return cfg.Tools(n) }
	}
	if n.tools, err = tool.NewDispatcher(tool.Config{
		Limits: cfg.Limits, Policies: cfg.Policies, Roles: n.auth.Roles, Log: n.log, Metrics: cfg.Registry,
	}, tools()...); err != nil {
		return err
	}
	if err := n.serversOfTools(ctx); err != nil {
		return err
	}
	if n.runner, err = agent.New(agent.Config{
		Wakeups: j, Log: j, Previews: j, Watch: n.delivery.Watch, Held: n.held,
		Shards: j.Shards(), Slots: cfg.Slots, AckWait: j.AckWait(), Approval: cfg.Approval, Limits: cfg.Limits,
		Agents: cfg.Agents, Tools: n.tools, Worker: cfg.Name, Registry: cfg.Registry, Logger: n.log, Point: cfg.Point, Break: cfg.Break,
	}); err != nil {
		return err
	}
	if err := n.serve(); err != nil {
		return err
	}
	return n.delivery.Start(ctx)
}

// held counts the runs of a user that workers hold, but in one thread.
func (n *Node) held(ctx context.Context, u switchboard.UserID, but switchboard.ThreadID) (held int, err error) {
	err = n.delivery.Index(ctx, u, func(x *thread.Index) error {
		held = x.HeldBeside(but)
		return nil
	})
	return held, err
}

// follow opens the feed of a shard.
func (n *Node) follow(ctx context.Context, shard int) (delivery.Feed, error) {
	f, err := n.journal.Follow(ctx, shard)
	if err != nil {
		return nil, err
	}
	n.began[shard] = f.Position()
	if n.cfg.Lose != nil {
		f.Lose(func(i int) bool { return n.cfg.Lose(shard, i) })
	}
	return f, nil
}

// serve makes the transport.
func (n *Node) serve() (err error) {
	c := n.cfg.Transport
	c.Limits, c.Version, c.Node, c.Log, c.Metrics = n.cfg.Limits, n.cfg.Version, n.cfg.Name, n.log, n.cfg.Registry
	c.Ready = func(ctx context.Context) error {
		if err := n.delivery.Ready(); err != nil {
			return err
		}
		return n.journal.Ready(ctx)
	}
	open := func(ctx context.Context, u switchboard.UserID, c switchboard.Cursor) (transport.Outbox, error) {
		o, err := n.delivery.Open(ctx, u, c)
		if err != nil {
			return nil, err
		}
		return o, nil
	}
	if n.transport, err = transport.New(c, n.auth, n.router, open); err != nil {
		return err
	}
	return rest.Mount(rest.Config{Agents: n.listAgents, Tools: n.listTools, Usage: n.usage}, n.transport, n.auth, n.router)
}

// usage sums up what models have read and written for a user.
func (n *Node) usage(ctx context.Context, u switchboard.UserID) (sum switchboard.Usage, err error) {
	err = n.delivery.Index(ctx, u, func(x *thread.Index) error {
		sum = x.Usage()
		return nil
	})
	return sum, err
}

func (n *Node) listAgents(context.Context, switchboard.UserID) ([]rest.Agent, error) {
	out := []rest.Agent{}
	for _, a := range n.cfg.Agents {
		out = append(out, rest.Agent{Name: a.Name, Description: a.Description, Model: a.ModelName()})
	}
	return out, nil
}

// agentNames returns the names of the agents, the default one first.
func (n *Node) agentNames() (out []string) {
	for _, a := range n.cfg.Agents {
		out = append(out, a.Name)
	}
	return out
}

// listTools tells what a user may have called, by whatever agent.
func (n *Node) listTools(ctx context.Context, u switchboard.UserID) ([]rest.Tool, error) {
	c := tool.Caller{User: u}
	for _, a := range n.cfg.Agents {
		c.Granted = append(c.Granted, a.Tools...)
	}
	definitions, err := n.tools.Definitions(ctx, c)
	if err != nil {
		return nil, err
	}
	out := []rest.Tool{}
	for _, d := range definitions {
		out = append(out, rest.Tool{
			Name: d.Name, Title: d.Title, Description: d.Description, Schema: d.Schema,
			ReadOnly: d.ReadOnly, Destructive: d.Destructive, Idempotent: d.Idempotent, Approval: d.Approval,
		})
	}
	return out, nil
}

// BuiltinTools returns the tools that come with Switchboard and are safe to have.
func (n *Node) BuiltinTools() []tool.Tool {
	return []tool.Tool{builtin.Calculator{}, builtin.Clock{}, builtin.NewSearchThreads(searcher{n})}
}

// Handler serves everything that the node has to say over HTTP.
func (n *Node) Handler() http.Handler { return n.transport.Handler() }

// Accounts administers who may log in.
func (n *Node) Accounts() *auth.Authority { return n.auth }

// drainWait bounds how long devices may take to leave.
const drainWait = 3 * time.Second

// Run runs the node until ctx ends, then stops it part by part, and closes it.
func (n *Node) Run(ctx context.Context) error {
	defer n.Close()
	var stop []func()
	start := func(run func(context.Context) error) {
		part, cancel := context.WithCancel(context.WithoutCancel(ctx))
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := run(part); err != nil && part.Err() == nil {
				n.log.Error("a part of the node has ended", "error", err)
			}
		})
		stop = append(stop, func() { cancel(); wg.Wait() })
	}
	start(n.keep)
	start(n.delivery.Run)
	start(n.auth.Run)
	start(n.quality.Run)
	start(n.mcp.Run)
	start(n.runner.Run)
	<-ctx.Done()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainWait)
	defer cancel()
	last := len(stop) - 1
	stop[last]() // work first: another node goes on at once, and the devices that are still here see it
	if err := n.transport.Drain(drain); err != nil {
		n.log.Warn("some devices did not leave in time", "error", err)
	}
	for last--; last >= 0; last-- {
		stop[last]() // the ledger last
	}
	return nil
}

// checkPace is the pause between batches of a check beside the work.
const checkPace = 5 * time.Millisecond

// keep keeps the ledger and, if wanted, checks the store once.
func (n *Node) keep(ctx context.Context) error {
	var check sync.WaitGroup
	defer check.Wait()
	if n.cfg.Check {
		check.Go(func() { n.check(ctx) })
	}
	return n.journal.Keep(ctx)
}

// check reads everything that is stored. What is damaged makes the node unready until it is accepted.
func (n *Node) check(ctx context.Context) {
	r, err := n.journal.Check(ctx, checkPace)
	if err == nil && len(r.Findings) > 0 {
		n.log.Error("the store is damaged (docs/RUNBOOK.md)", "findings", len(r.Findings), "first", r.Findings[0])
		err = n.journal.Damaged(ctx, r.Findings, false)
	}
	switch {
	case ctx.Err() != nil:
	case err != nil:
		n.log.Error("the store could not be checked", "error", err)
	default:
		n.log.Info("the store has been read whole", "entries", r.Entries, "threads", r.Threads, "findings", len(r.Findings))
	}
}

// Close closes the log.
func (n *Node) Close() { n.journal.Close() }
