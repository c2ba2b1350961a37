package agent

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/tool"
)

// teller is a tool that tells of its progress.
type teller struct{}

func (teller) Definition() tool.Definition {
	return tool.Definition{Name: "tell", Schema: json.RawMessage(`{"type":"object"}`), ReadOnly: true}
}

func (teller) Call(_ context.Context, in tool.Invocation) (json.RawMessage, error) {
	in.Progress(1, 3, "a third")
	time.Sleep(time.Second)
	in.Progress(2, 0, "")
	time.Sleep(time.Second)
	return json.RawMessage(`"told"`), nil
}

// overheard keeps the deltas of calls' progress on their way.
type overheard struct {
	Previews
	got []string
}

func (o *overheard) PublishDelta(u switchboard.UserID, t switchboard.ThreadID, delta []byte) error {
	var d switchboard.Delta
	if err := json.Unmarshal(delta, &d); err != nil {
		return err
	}
	if d.Payload.Kind == switchboard.DeltaToolProgress {
		o.got = append(o.got, string(delta))
	}
	return o.Previews.PublishDelta(u, t, delta)
}

// TestProgress: what a tool tells of a call goes to the devices as deltas of the call.
func TestProgress(t *testing.T) {
	m := &speaker{say: func(_ context.Context, step int, _ model.Request, yield func(model.Chunk, error) bool) {
		if step == 1 {
			_ = yield(toolCall(0, "tell", `{}`), nil) && yield(model.Chunk{Finish: model.FinishCalls}, nil)
			return
		}
		_ = yield(model.Chunk{Text: "done"}, nil) && yield(model.Chunk{Finish: model.FinishStop}, nil)
	}}
	var heard *overheard
	withRig(t, m, func(c *Config) {
		heard = &overheard{Previews: c.Previews}
		c.Previews = heard
		c.Agents[0].Tools = []string{"te*"}
		var err error
		if c.Tools, err = tool.NewDispatcher(tool.Config{}, teller{}); err != nil {
			t.Fatal(err)
		}
	}, func(ctx context.Context, g *rig) {
		run := g.send(ctx, &switchboard.UserMessage{Text: "tell me"})
		if end, _ := g.end(ctx, run, time.Minute); end.Type != switchboard.AgentCompleted {
			t.Errorf("ended with %+v", end.Payload)
		}
		one, two, three := 1.0, 2.0, 3.0
		var want []string
		for _, p := range []switchboard.DeltaPayload{{Progress: &one, Total: &three, Text: "a third"}, {Progress: &two}} {
			p.Attempt, p.CallID, p.Kind = 1, run.Call(1, 0), switchboard.DeltaToolProgress
			b, err := switchboard.EncodeDelta(switchboard.Delta{ThreadID: run.Thread(), RunID: run, Payload: p})
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, string(b))
		}
		if len(heard.got) != 2 || heard.got[0] != want[0] || heard.got[1] != want[1] {
			t.Errorf("%q, want %q", heard.got, want)
		}
	})
}
