package agent

import (
	"context"
	"io"
	"iter"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/journal"
	"github.com/netra-systems/switchboard/journal/journaltest"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/thread"
	"github.com/netra-systems/switchboard/tool"
	"github.com/netra-systems/switchboard/tool/builtin"
)

func TestMain(m *testing.M) { journaltest.Main(m) }

var alice = switchboard.NewUserID("test", "", "alice")

// speaker is a model that says what a function says; step counts its requests from 1.
type speaker struct {
	say  func(ctx context.Context, step int, r model.Request, yield func(model.Chunk, error) bool)
	step int
}

func (*speaker) Name() string { return "speaker" }

func (s *speaker) Stream(ctx context.Context, r model.Request) iter.Seq2[model.Chunk, error] {
	s.step++
	return func(yield func(model.Chunk, error) bool) { s.say(ctx, s.step, r, yield) }
}

// rig is a runner on a real journal, without devices.
type rig struct {
	t   *testing.T
	j   *journal.Journal
	cfg Config
	st  *thread.State
	ids int
}

// withRig runs a test in a bubble; change may alter the runner's configuration before it starts.
func withRig(t *testing.T, m model.Model, change func(*Config), test func(ctx context.Context, g *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		j := journaltest.Open(t)
		tools, err := tool.NewDispatcher(tool.Config{Log: slog.New(slog.NewTextHandler(io.Discard, nil))}, builtin.Calculator{}, builtin.Clock{})
		if err != nil {
			t.Fatal(err)
		}
		g := &rig{t: t, j: j, st: thread.NewState(alice, switchboard.NewThreadID(alice, "home")), cfg: Config{
			Wakeups: j, Log: j, Previews: j, Shards: j.Shards(), AckWait: j.AckWait(), Limits: switchboard.DefaultLimits(), Tools: tools, Worker: "w",
			Watch:  func(switchboard.UserID, switchboard.ThreadID, func(thread.Entry)) func() { return func() {} }, // a signal that never comes
			Held:   func(context.Context, switchboard.UserID, switchboard.ThreadID) (int, error) { return 0, nil },
			Agents: []Agent{{Name: "assistant", Model: m, Tools: []string{"calculator", "clock"}}}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		}}
		if change != nil {
			change(&g.cfg)
		}
		r, err := New(g.cfg)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { defer close(ended); r.Run(ctx) }()
		test(ctx, g)
		cancel()
		<-ended
	})
}

// send adds a message to the thread, as the router does.
func (g *rig) send(ctx context.Context, p switchboard.MessagePayload) switchboard.RunID {
	g.t.Helper()
	rules := thread.Rules{Limits: g.cfg.Limits, DefaultAgent: "assistant", HasAgent: func(string) bool { return true }}
	g.ids++
	for {
		v, err := g.st.Accept(thread.Request{ID: switchboard.FrameID(rune('a' + g.ids)), Payload: p, Time: time.Now()}, rules)
		if err != nil {
			g.t.Fatal(err)
		}
		if stored, err := g.st.Put(ctx, g.j, *v.Draft); err != nil {
			g.t.Fatal(err)
		} else if stored {
			return v.Ack.RunID
		}
	}
}

func (g *rig) events(ctx context.Context) []switchboard.Event {
	g.t.Helper()
	es, err := g.j.Read(ctx, alice, g.st.Thread, thread.Position{})
	if err != nil {
		g.t.Fatal(err)
	}
	var out []switchboard.Event
	for _, e := range es {
		out = append(out, e.Event)
	}
	return out
}

// end waits for the end of a run, checks its grammar and returns its terminal event and all its events.
func (g *rig) end(ctx context.Context, run switchboard.RunID, within time.Duration) (switchboard.Event, []switchboard.Event) {
	g.t.Helper()
	for begin := time.Now(); time.Since(begin) <= within; time.Sleep(within / 60) {
		var grammar switchboard.Grammar
		var mine []switchboard.Event
		for _, e := range g.events(ctx) {
			if e.RunID != run {
				continue
			}
			if err := grammar.Add(e); err != nil {
				g.t.Error(err)
			}
			mine = append(mine, e)
		}
		if grammar.Ended() != "" {
			for _, e := range mine {
				if e.Type.Terminal() {
					return e, mine
				}
			}
		}
	}
	g.t.Fatalf("the run has not ended after %v", within)
	return switchboard.Event{}, nil
}

func count(es []switchboard.Event, typ switchboard.EventType) (n int) {
	for _, e := range es {
		if e.Type == typ {
			n++
		}
	}
	return n
}

func toolCall(index int, name, args string) model.Chunk {
	return model.Chunk{Call: &model.CallChunk{Index: index, ID: "x", Tool: name, Arguments: args}}
}
