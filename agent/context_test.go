package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/tool"
)

// bulk is a tool that returns more than a window holds.
type bulk struct{}

func (bulk) Definition() tool.Definition {
	return tool.Definition{Name: "bulk", Description: "Returns much.", Schema: json.RawMessage(`{"type":"object"}`), ReadOnly: true}
}

func (bulk) Call(_ context.Context, in tool.Invocation) (json.RawMessage, error) {
	return json.Marshal(strings.Repeat("ä", 15_000) + string(in.CallID[len(in.CallID)-3:]))
}

// requested is how much a request holds, in bytes.
func requested(r model.Request) int {
	n := len(r.System)
	for _, m := range r.Messages {
		n += size(m)
	}
	for _, t := range r.Tools {
		n += len(t.Name) + len(t.Description) + len(t.Schema)
	}
	return n
}

// TestWindowWithinARun: results that do not fit into the window are cut, the oldest first, and marked; the model is never
// sent more.
func TestWindowWithinARun(t *testing.T) {
	const window = 12_000
	var last model.Request
	m := replies(func(_ int, r model.Request) []model.Chunk {
		if n := requested(r); n > window*bytesPerToken {
			t.Errorf("sent %d bytes", n)
		}
		if last = r; len(r.Messages) < 7 {
			return []model.Chunk{toolCall(0, "bulk", "{}"), {Finish: model.FinishCalls}}
		}
		return stop("done", 1, 1)
	})
	change := func(c *Config) {
		var err error
		if c.Tools, err = tool.NewDispatcher(tool.Config{Log: slog.New(slog.NewTextHandler(io.Discard, nil))}, bulk{}); err != nil {
			t.Fatal(err)
		}
		c.Agents = []Agent{{Name: "assistant", Model: m, Tools: []string{"bulk"}, Context: Context{Tokens: window}}}
	}
	withRig(t, m, change, func(ctx context.Context, g *rig) {
		end, _ := g.end(ctx, g.send(ctx, &switchboard.UserMessage{Text: "much"}), time.Minute)
		if p, ok := end.Payload.(*switchboard.AgentCompletedEvent); !ok || p.Text != "done" {
			t.Fatalf("ended with %+v", end.Payload)
		}
	})
	var results []string
	for _, r := range last.Messages {
		if r.Role == model.ToolRole {
			results = append(results, r.Text)
		}
	}
	if len(results) != 3 || !strings.HasSuffix(results[0], cutMark) || len(results[0]) > 300 || len(results[2]) != 30_005 {
		t.Errorf("%d results, of %d, %d and %d bytes", len(results), len(results[0]), len(results[1]), len(results[2]))
	}
}

// TestSummaryOfLongTurns: the running summary is what the next one is made of, however long the turns are, and neither the
// request for it nor what comes of it is larger than the window.
func TestSummaryOfLongTurns(t *testing.T) {
	const window = 1000
	sums := 0
	m := replies(func(_ int, r model.Request) []model.Chunk {
		if n := requested(r); n > window*bytesPerToken {
			t.Errorf("sent %d bytes: %.40s", n, r.System)
		}
		if !strings.HasPrefix(r.System, "You sum up") {
			return stop(strings.Repeat("ä answer ", 150), 1, 1)
		}
		if sums > 0 && !strings.Contains(r.Messages[0].Text, fmt.Sprintf("SUM%d", sums)) {
			t.Errorf("summary %d is not made of the one before: %.100s", sums+1, r.Messages[0].Text)
		}
		sums++
		return stop(fmt.Sprintf("SUM%d", sums)+strings.Repeat(" and so on", 500), 1, 1)
	})
	a := Agent{Name: "assistant", Model: m, Context: Context{Tokens: window, Summary: true}}
	withRig(t, m, with(a), func(ctx context.Context, g *rig) {
		for i := range 6 {
			g.end(ctx, g.send(ctx, &switchboard.UserMessage{Text: fmt.Sprint(i, strings.Repeat(" why?", 200))}), time.Minute)
		}
	})
	if sums < 3 {
		t.Errorf("summed up %d times", sums)
	}
}
