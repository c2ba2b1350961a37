package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/journal"
	"github.com/netra-systems/switchboard/journal/journaltest"
	"github.com/netra-systems/switchboard/tool"
)

// patience is how long a test waits for what must come.
const patience = time.Minute

// notice is a writer that remembers all, and wakes who waits for something in it.
type notice struct {
	mu   sync.Mutex // guards what follows
	text bytes.Buffer
	news chan struct{} // closed at the next write
}

func newNotice() *notice { return &notice{news: make(chan struct{})} }

func (s *notice) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.news)
	s.news = make(chan struct{})
	return s.text.Write(b)
}

func (s *notice) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until a text is there n times.
func (s *notice) await(t *testing.T, what string, n int) {
	t.Helper()
	end := time.After(patience)
	for {
		s.mu.Lock()
		got, news := strings.Count(s.text.String(), what), s.news
		s.mu.Unlock()
		if got >= n {
			return
		}
		select {
		case <-news:
		case <-end:
			t.Fatalf("%q is there %d times, not %d:\n%s", what, got, n, s)
		}
	}
}

// rig is MCP servers with the real Dispatcher and real pins.
type rig struct {
	t       *testing.T
	d       *tool.Dispatcher
	servers *Servers
	pins    *journal.Records
	log     *notice
	offers  *notice // a line of all tools, for each offer
	stop    func()
}

var ann, bob = switchboard.NewUserID("test", "", "ann"), switchboard.NewUserID("test", "", "bob")

// program is this program in another role.
func program(name, role string, env ...string) Config {
	c := Config{Name: name, Command: os.Args[0], Env: map[string]string{"ROLE": role}}
	for _, e := range env {
		k, v, _ := strings.Cut(e, "=")
		c.Env[k] = v
	}
	return c
}

func newPins(t *testing.T) *journal.Records {
	t.Helper()
	pins, err := journaltest.Open(t).Records(t.Context(), "pins")
	if err != nil {
		t.Fatal(err)
	}
	return pins
}

func newRig(t *testing.T, pins *journal.Records, servers ...Config) *rig {
	t.Helper()
	g := builtRig(t, pins, servers...)
	g.run()
	return g
}

// builtRig is a rig that does not run.
func builtRig(t *testing.T, pins *journal.Records, servers ...Config) *rig {
	t.Helper()
	g := &rig{t: t, pins: pins, log: newNotice(), offers: newNotice()}
	log := slog.New(slog.NewTextHandler(g.log, nil))
	var err error
	g.d, err = tool.NewDispatcher(tool.Config{Log: log, Policies: map[string]tool.Policy{"*": {Approval: tool.ApprovalNever, Timeout: patience}}})
	if err != nil {
		t.Fatal(err)
	}
	g.servers, err = New(Options{
		Servers: servers, Pins: pins, Version: "test", Log: log, Metrics: prometheus.NewRegistry(),
		Offer: func(source string, tools []tool.Tool) {
			g.d.Replace(source, tools)
			io.WriteString(g.offers, "\n"+source+":")
			for _, x := range tools {
				io.WriteString(g.offers, " "+x.Definition().Name)
			}
			io.WriteString(g.offers, " .")
		},
		Secret: func(name string) (string, error) {
			if name == "missing" {
				return "", errNoSecret
			}
			return "s3cret-" + name, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// run connects the servers until the test ends or stop is called.
func (g *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); g.servers.Run(ctx) }()
	g.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(patience):
			g.t.Error("Run does not return")
		}
	})
	g.t.Cleanup(g.stop)
}

func (g *rig) definitions() []tool.Definition {
	g.t.Helper()
	ds, err := g.d.Definitions(g.t.Context(), g.caller(ann))
	if err != nil {
		g.t.Fatal(err)
	}
	return ds
}

func (g *rig) names() string {
	var out []string
	for _, d := range g.definitions() {
		out = append(out, d.Name)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func (g *rig) caller(u switchboard.UserID) tool.Caller {
	c := tool.Caller{User: u, Thread: switchboard.NewThreadID(u, "first"), Granted: []string{"*"}}
	for _, name := range []string{"die_writing", "redefine", "restore", "spawn", "old", "note", "count"} {
		c.Granted = append(c.Granted, "a_"+name)
	}
	return c
}

// recorder keeps how a call ended, and wakes who waits for it to begin.
type recorder struct {
	end *switchboard.ToolCompletedEvent
}

func (r *recorder) Record(_ context.Context, p switchboard.EventPayload) error {
	if c, ok := p.(*switchboard.ToolCompletedEvent); ok {
		r.end = c
	}
	return nil
}

func (g *rig) call(u switchboard.UserID, name, args string) *switchboard.ToolCompletedEvent {
	g.t.Helper()
	end, err := g.dispatch(g.t.Context(), u, name, args, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	return end
}

func (g *rig) dispatch(ctx context.Context, u switchboard.UserID, name, args string, progress func(tool.Progress)) (*switchboard.ToolCompletedEvent, error) {
	var rec recorder
	c := g.caller(u)
	err := g.d.Dispatch(ctx, c, tool.Request{
		Call: switchboard.Call{CallID: c.Thread.Run(1).Call(1, 0), Tool: name, Arguments: json.RawMessage(args)}, Progress: progress,
	}, &rec)
	return rec.end, err
}

// wants checks how a call ended.
func (g *rig) wants(end *switchboard.ToolCompletedEvent, status switchboard.CallStatus, result, err string) {
	g.t.Helper()
	if end.Status != status || string(end.Result) != result || !strings.Contains(end.Error, err) || (end.Error == "") != (err == "") {
		g.t.Errorf("%s ended as %s %.200s %q, want %s %s %q", end.Tool, end.Status, end.Result, end.Error, status, result, err)
	}
}

// phone is a place where other processes report.
func phone(t *testing.T) (at string, next func() net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String(), func() net.Conn {
		t.Helper()
		l.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(patience))
		t.Cleanup(func() { conn.Close() })
		return conn
	}
}
