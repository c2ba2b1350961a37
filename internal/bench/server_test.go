package bench

import (
	"context"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/agent"
	"github.com/netra-systems/switchboard/journal"
	"github.com/netra-systems/switchboard/journal/embed"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/node"
)

// server is a whole server in this process, as `switchboard serve` assembles it, but for budgets that would stop a
// benchmark.
type server struct {
	addr    string
	engine  *embed.Server
	node    *node.Node
	journal *journal.Journal // beside the node's own, on the same engine
	stop    func()
}

// unlimited are the default limits with budgets that no benchmark reaches.
func unlimited() switchboard.Limits {
	const many = 1_000_000_000
	l := switchboard.DefaultLimits()
	l.MessagesPerMinute, l.MessageBurst, l.RefusalsPerMinute, l.ActiveRunsPerUser = many, many, many, 10_000
	return l
}

// quiet logs only what is wrong.
func quiet() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// serve starts a server on a data folder; it ends with the benchmark or by stop.
func serve(b testing.TB, dir string, m model.Model) *server {
	b.Helper()
	engine, err := embed.Start(embed.Config{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	store := journal.Config{Connect: engine.Connect}
	n, err := node.Open(b.Context(), node.Config{
		Name: "bench", Journal: store, Agents: []agent.Agent{{Name: "assistant", Model: m}}, Limits: unlimited(), Log: quiet(),
	})
	if err != nil {
		b.Fatal(err)
	}
	j, err := journal.Open(b.Context(), store)
	if err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &server{addr: l.Addr().String(), engine: engine, node: n, journal: j}
	ctx, cancel := context.WithCancel(context.Background())
	h := &http.Server{Handler: n.Handler(), ReadHeaderTimeout: 10 * time.Second}
	var parts sync.WaitGroup
	parts.Go(func() { h.Serve(l) })
	parts.Go(func() { n.Run(ctx) })
	s.stop = sync.OnceFunc(func() {
		cancel()
		h.Close()
		parts.Wait()
		j.Close()
		engine.Close()
	})
	b.Cleanup(s.stop)
	return s
}

// token makes an account and a token for it.
func (s *server) token(b testing.TB, name string) (token string, id switchboard.UserID) {
	b.Helper()
	id, token, err := addUser(b, s.node.Accounts(), name)
	if err != nil {
		b.Fatal(err)
	}
	return token, id
}

// sameShard returns a user id, not an account's, whose events live in the same shard.
func (s *server) sameShard(u switchboard.UserID) switchboard.UserID {
	for i := 0; ; i++ {
		other := switchboard.NewUserID("bench", "", string(rune('a'+i)))
		if s.journal.Shard(other) == s.journal.Shard(u) {
			return other
		}
	}
}

// ends returns the last sequence of every shard of the log.
func (s *server) ends(b testing.TB) []uint64 {
	b.Helper()
	var out []uint64
	for shard := range s.journal.Shards() {
		f, err := s.journal.Follow(b.Context(), shard)
		if err != nil {
			b.Fatal(err)
		}
		out = append(out, f.Position())
		f.Close()
	}
	return out
}

// answers is a model that calls a function for each request and gives what it returns as the whole answer.
type answers func(ctx context.Context) string

// Name implements model.Model.
func (answers) Name() string { return "bench" }

// Stream implements model.Model.
func (a answers) Stream(ctx context.Context, _ model.Request) iter.Seq2[model.Chunk, error] {
	return func(yield func(model.Chunk, error) bool) {
		yield(model.Chunk{Text: a(ctx), Finish: model.FinishStop}, nil)
	}
}

// instant answers at once.
var instant answers = func(context.Context) string { return "Done." }
