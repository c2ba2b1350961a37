package agent

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/thread"
)

// voice is a model that may be asked by many at once.
type voice func(ctx context.Context, r model.Request, y yields)

func (voice) Name() string { return "voice" }

func (v voice) Stream(ctx context.Context, r model.Request) iter.Seq2[model.Chunk, error] {
	return func(y func(model.Chunk, error) bool) { v(ctx, r, y) }
}

// TestTitlesOfMany: however many threads one user begins, and however long their titles take, only a few workers wait for
// titles: the others are for those who wait for answers.
func TestTitlesOfMany(t *testing.T) {
	var waiting, most atomic.Int64
	m := voice(func(ctx context.Context, r model.Request, y yields) {
		if strings.HasPrefix(r.System, "You name") {
			most.Store(max(most.Load(), waiting.Add(1)))
			<-ctx.Done()
			waiting.Add(-1)
			y(model.Chunk{}, context.Cause(ctx))
			return
		}
		_ = y(model.Chunk{Text: "meow"}, nil) && y(model.Chunk{Finish: model.FinishStop}, nil)
	})
	withRig(t, m, with(Agent{Name: "assistant", Model: m, Titles: true}), func(ctx context.Context, g *rig) {
		for i := range 20 {
			other := *g
			other.st = thread.NewState(alice, switchboard.NewThreadID(alice, switchboard.FrameID(fmt.Sprint("home", i))))
			other.end(ctx, other.send(ctx, &switchboard.UserMessage{Text: "cats?"}), time.Minute)
		}
		if limit := int64(g.cfg.Limits.ActiveRunsPerUser); most.Load() == 0 || most.Load() > limit {
			t.Errorf("%d workers waited for titles, of at most %d", most.Load(), limit)
		}
	})
}
