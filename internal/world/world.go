// Package world is the test world: nodes of Switchboard on one embedded journal, and devices that reach them over
// net.Pipe. Everything is real but the wires; in a synctest bubble time is too, so that minutes of leases pass in
// milliseconds and a goroutine that is left behind fails the test.
package world

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/agent"
	"github.com/netra-systems/switchboard/client"
	"github.com/netra-systems/switchboard/journal"
	"github.com/netra-systems/switchboard/journal/embed"
	"github.com/netra-systems/switchboard/journal/journaltest"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/model/scripted"
	"github.com/netra-systems/switchboard/node"
	"github.com/netra-systems/switchboard/tool"
)

// Config says what kind of world it is. The zero value is one with two shards and the offline demo model.
type Config struct {
	Shards   int
	AckWait  time.Duration
	Model    model.Model
	Tools    []tool.Tool   // besides the builtin ones
	Agents   []agent.Agent // nil: one called assistant, with the Model and all tools
	Limits   switchboard.Limits
	Lose     func(node, shard, n int) bool
	Point    func(ctx context.Context, node int, p agent.Point) error
	Break    agent.Rule
	Approval time.Duration
	Log      io.Writer
}

// World is a journal and the nodes on it.
type World struct {
	T      testing.TB
	cfg    Config
	engine *embed.Server
	mu     sync.Mutex // guards nodes
	nodes  []*Node
}

// New makes a world; it ends with the test. In a bubble, Close it before the bubble's function returns.
func New(t testing.TB, cfg Config) *World {
	if cfg.Shards == 0 {
		cfg.Shards = 2
	}
	if cfg.Model == nil {
		cfg.Model = scripted.New(scripted.Config{})
	}
	if cfg.Limits == (switchboard.Limits{}) {
		cfg.Limits = switchboard.DefaultLimits()
	}
	if cfg.Log == nil {
		cfg.Log = io.Discard
	}
	return &World{T: t, cfg: cfg, engine: journaltest.Start(t)}
}

// Close stops all nodes that run.
func (w *World) Close() {
	w.mu.Lock()
	nodes := w.nodes
	w.mu.Unlock()
	for _, n := range nodes {
		n.Stop()
	}
}

// Journal opens the log, to look at what is stored.
func (w *World) Journal() *journal.Journal {
	return journaltest.OpenOn(w.T, w.engine, journal.Config{Shards: w.cfg.Shards, AckWait: w.cfg.AckWait})
}

// Node is a running node.
type Node struct {
	*node.Node
	w      *World
	Number int
	stop   context.CancelFunc
	ended  chan struct{}
	server *http.Server
	wires  *wires
	dead   atomic.Bool
}

// Start starts a node.
func (w *World) Start() *Node {
	w.T.Helper()
	w.mu.Lock()
	number := len(w.nodes)
	w.mu.Unlock()
	names := []string{"calculator", "clock", "search_threads"}
	for _, t := range w.cfg.Tools {
		names = append(names, t.Definition().Name)
	}
	cfg := node.Config{
		Name: fmt.Sprint("node", number), Journal: journal.Config{Connect: w.engine.Connect, Shards: w.cfg.Shards, AckWait: w.cfg.AckWait},
		Agents: w.cfg.Agents, Limits: w.cfg.Limits, Approval: w.cfg.Approval,
		Log:   slog.New(slog.NewTextHandler(w.cfg.Log, nil)).With("node", number),
		Tools: func(n *node.Node) []tool.Tool { return append(n.BuiltinTools(), w.cfg.Tools...) },
	}
	if cfg.Agents == nil {
		cfg.Agents = []agent.Agent{{Name: "assistant", Model: w.cfg.Model, Tools: names}}
	}
	cfg.Break = w.cfg.Break
	if w.cfg.Lose != nil {
		cfg.Lose = func(shard, n int) bool { return w.cfg.Lose(number, shard, n) }
	}
	if w.cfg.Point != nil {
		cfg.Point = func(ctx context.Context, p agent.Point) error { return w.cfg.Point(ctx, number, p) }
	}
	inner, err := node.Open(w.T.Context(), cfg)
	if err != nil {
		w.T.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n := &Node{Node: inner, w: w, Number: number, stop: cancel, ended: make(chan struct{}), wires: newWires()}
	n.server = &http.Server{Handler: inner.Handler()}
	go n.server.Serve(n.wires)
	go func() {
		defer close(n.ended)
		inner.Run(ctx)
		n.server.Close()
	}()
	w.mu.Lock()
	w.nodes = append(w.nodes, n)
	w.mu.Unlock()
	return n
}

// Stop stops the node as SIGTERM does, and waits until it has ended.
func (n *Node) Stop() {
	if n.dead.CompareAndSwap(false, true) {
		n.stop()
		<-n.ended
		n.wires.cut()
	}
	<-n.ended
}

// Kill ends the node as kill -9 does: its wires are cut in the middle of whatever it says, and nothing it still tries
// reaches the log.
func (n *Node) Kill() {
	if n.dead.CompareAndSwap(false, true) {
		n.Node.Close()
		n.wires.cut()
		n.server.Close()
		n.stop()
	}
	<-n.ended
}

// Token makes an account if there is none of this name, and a token for it.
func (n *Node) Token(name string) string {
	n.w.T.Helper()
	ctx := n.w.T.Context()
	_, err := n.Accounts().AddAccount(ctx, name, "user", "correct horse battery")
	if err != nil && switchboard.CodeOf(err) != switchboard.Conflict {
		n.w.T.Fatal(err)
	}
	token, err := n.Accounts().CreateToken(ctx, name, time.Hour)
	if err != nil {
		n.w.T.Fatal(err)
	}
	return token
}

// Client is the configuration of a client of this node.
func (n *Node) Client(token string) client.Config {
	return client.Config{URL: "http://localhost", Token: token, HTTPClient: n.HTTP()}
}

// HTTP returns a client whose connections are wires to this node.
func (n *Node) HTTP() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return n.wires.dial(ctx) },
	}}
}
