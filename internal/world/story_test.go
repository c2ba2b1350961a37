package world_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/agent"
	"github.com/netra-systems/switchboard/client"
	"github.com/netra-systems/switchboard/internal/world"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/tool"
)

// speaks is a model that says what a function makes of the request.
type speaks func(r model.Request) []model.Chunk

func (speaks) Name() string { return "speaks" }

func (s speaks) Stream(_ context.Context, r model.Request) iter.Seq2[model.Chunk, error] {
	return func(yield func(model.Chunk, error) bool) {
		for _, c := range s(r) {
			time.Sleep(10 * time.Millisecond)
			if !yield(c, nil) {
				return
			}
		}
	}
}

// says is a whole answer in two pieces.
func says(text string) []model.Chunk {
	i := len(text) / 2
	return []model.Chunk{{Text: text[:i]}, {Text: text[i:]}, {Finish: model.FinishStop, Usage: &model.Usage{Input: 10, Output: 5}}}
}

// calls is an answer that calls tools, given as names and arguments.
func calls(text string, namesAndArguments ...string) []model.Chunk {
	out := []model.Chunk{{Text: text}}
	for i := 0; i < len(namesAndArguments); i += 2 {
		out = append(out, model.Chunk{Call: &model.CallChunk{Index: i / 2, ID: fmt.Sprint("c", i), Tool: namesAndArguments[i], Arguments: namesAndArguments[i+1]}})
	}
	return append(out, model.Chunk{Finish: model.FinishCalls, Usage: &model.Usage{Input: 10, Output: 5}})
}

// last returns the text of the newest message, "" if it is not of the role.
func last(r model.Request, role model.Role) string {
	if m := r.Messages[len(r.Messages)-1]; m.Role == role {
		return m.Text
	}
	return ""
}

// once kills the first worker that comes to the n-th boundary of any kind.
type once struct {
	killer
	at    int64
	armed atomic.Bool
}

func (o *once) point(_ context.Context, node int, p agent.Point) error {
	if !o.armed.Load() || p.Name == "heartbeat" || o.seen.Add(1) != o.at {
		return nil
	}
	o.hit.Store(true)
	o.mu.Lock()
	n := o.nodes[node]
	o.mu.Unlock()
	o.wg.Go(n.Kill)
	return errKilled
}

// story is a message, and what must be true of its run wherever its worker is killed.
type story struct {
	agents []agent.Agent
	tools  func(*effects) []tool.Tool
	before []string // messages that are answered before, without a fault
	text   string
	judge  func(t *testing.T, end switchboard.Event, run []switchboard.Event)
}

// tell lets the story happen without a fault, then once for each boundary with the worker killed there.
func (s story) tell(t *testing.T) {
	stride := int64(1)
	if testing.Short() {
		stride = 4
	}
	for at := int64(0); ; at += stride {
		k := &once{at: at}
		t.Run(fmt.Sprint("killed at ", at), func(t *testing.T) { s.once(t, k) })
		if at > 0 && !k.hit.Load() {
			t.Logf("killed at boundaries up to %d", at-stride)
			if at < 10 {
				t.Error("hardly a story")
			}
			return
		}
	}
}

func (s story) once(t *testing.T, k *once) {
	fx := &effects{n: map[switchboard.CallID]int{}}
	cfg := world.Config{Shards: 1, Agents: s.agents, Point: k.point}
	if s.tools != nil {
		cfg.Tools = s.tools(fx)
	}
	in(t, cfg, func(t *testing.T, ctx context.Context, w *world.World) {
		for range 2 {
			k.nodes = append(k.nodes, w.Start()) // there is no work yet
		}
		token := k.nodes[0].Token("alice")
		var thread switchboard.ThreadID
		for _, text := range s.before {
			ack, err := send(ctx, k.nodes, token, switchboard.Message{ID: client.NewID(), ThreadID: string(thread), Payload: &switchboard.UserMessage{Text: text}})
			if err != nil {
				t.Fatal(err)
			}
			thread = ack.ThreadID
			time.Sleep(10 * time.Second)
		}
		k.armed.Store(true)
		m := switchboard.Message{ID: client.NewID(), ThreadID: string(thread), Payload: &switchboard.UserMessage{Text: s.text}}
		ack, err := send(ctx, k.nodes, token, m)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		k.wg.Wait()
		d := world.NewDevice(token)
		d.Cursor = switchboard.Place{Epoch: w.Journal().Epoch()}.Cursor()
		if err := d.Connect(ctx, w.Start()); err != nil {
			t.Fatal(err)
		}
		end, err := d.AwaitEnd(ctx, ack.RunID)
		if err != nil {
			t.Fatal(err)
		}
		check(t, d)
		var run []switchboard.Event
		for _, e := range d.List() {
			if e.RunID == ack.RunID {
				run = append(run, e)
			}
		}
		s.judge(t, end, run)
		for c, n := range fx.n {
			if n > 1 {
				t.Errorf("the effect of %s came %d times", c, n)
			}
		}
		if t.Failed() {
			for _, e := range run {
				b, _ := json.Marshal(e.Payload)
				t.Logf("%s %.200s", e.Type, b)
			}
		}
		d.Disconnect()
	})
}

// send sends a message until a node that lives has taken it.
func send(ctx context.Context, nodes []*world.Node, token string, m switchboard.Message) (ack switchboard.Ack, err error) {
	for try := range 10 {
		conn, dialErr := client.Dial(ctx, nodes[try%len(nodes)].Client(token))
		if err = dialErr; err == nil {
			err = conn.Do(ctx, m, &ack)
			conn.Close()
		}
		if err == nil {
			return ack, nil
		}
	}
	return ack, err
}

// payloads returns what a run has of one type.
func payloads[T switchboard.EventPayload](run []switchboard.Event) (out []T) {
	for _, e := range run {
		if p, ok := e.Payload.(T); ok {
			out = append(out, p)
		}
	}
	return out
}

// ways tells the handing over of a run: from>to, in order.
func ways(run []switchboard.Event) (out []string) {
	for _, p := range payloads[*switchboard.AgentHandoffEvent](run) {
		out = append(out, p.From+">"+p.To)
	}
	return out
}

func completed(t *testing.T, end switchboard.Event, want string) {
	t.Helper()
	if p, ok := end.Payload.(*switchboard.AgentCompletedEvent); !ok || !strings.Contains(p.Text, want) {
		t.Errorf("ended with %s %+v, not %q", end.Type, end.Payload, want)
	}
}
