package router

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/journal/journaltest"
	"github.com/netra-systems/switchboard/thread"
)

type noThreads struct{}

func (noThreads) Index(_ context.Context, _ switchboard.UserID, fn func(*thread.Index) error) error {
	return fn(thread.NewIndex(nil))
}

func (noThreads) CatchUp(context.Context, switchboard.UserID) error { return nil }

// stalled is a store whose writes hang, as a full or frozen disk's do.
type stalled struct {
	Journal
	stuck bool
}

func (s *stalled) Append(ctx context.Context, u switchboard.UserID, d thread.Draft, at thread.Position) (thread.Entry, error) {
	if s.stuck {
		<-ctx.Done()
		return thread.Entry{}, thread.ErrUnknown
	}
	return s.Journal.Append(ctx, u, d, at)
}

func withRouter(t *testing.T, l switchboard.Limits, test func(r *Router, s *stalled)) {
	synctest.Test(t, func(t *testing.T) {
		s := &stalled{Journal: journaltest.Open(t)}
		test(New(Config{Journal: s, Threads: noThreads{}, Epoch: "e", Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
			Rules: thread.Rules{Limits: l, DefaultAgent: "a", HasAgent: func(string) bool { return true }}}), s)
	})
}

func ask(r *Router, id switchboard.FrameID, t switchboard.ThreadID, p switchboard.MessagePayload) (any, error) {
	return r.Do(context.Background(), Caller{User: switchboard.User{ID: alice}}, switchboard.Message{ID: id, ThreadID: string(t), Payload: p})
}

// get_thread before a number beyond the end gives nothing instead of the last events.
func TestBeforeBeyondEnd(t *testing.T) {
	withRouter(t, switchboard.DefaultLimits(), func(r *Router, _ *stalled) {
		ack, err := ask(r, "m1", "", &switchboard.UserMessage{Text: "x"})
		if err != nil {
			t.Fatal(err)
		}
		id := ack.(switchboard.Ack).ThreadID
		page, err := ask(r, "q", id, &switchboard.GetThread{Before: 1000, Limit: 3})
		if err != nil || len(page.(switchboard.EventPage).Events) != 1 {
			t.Errorf("%+v %v", page, err)
		}
	})
}

// a repeated message is refused for the budget of new ones: duplicates have their own.
func TestDuplicateOfBudget(t *testing.T) {
	l := switchboard.DefaultLimits()
	l.MessageBurst, l.MessagesPerMinute = 1, 1
	withRouter(t, l, func(r *Router, _ *stalled) {
		if _, err := ask(r, "m1", "", &switchboard.UserMessage{Text: "x"}); err != nil {
			t.Fatal(err)
		}
		if ack, err := ask(r, "m1", "", &switchboard.UserMessage{Text: "x"}); err != nil || !ack.(switchboard.Ack).Duplicate {
			t.Errorf("%+v %v", ack, err)
		}
	})
}

// a refund turns the limiter's clock back: the time since is credited twice.
func TestRefundTurnsClockBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudgets(switchboard.Limits{MessagesPerMinute: 60, MessageBurst: 10, RefusalsPerMinute: 60})
		var refunds []func()
		for range 5 {
			refund, _ := b.reserve(alice)
			refunds = append(refunds, refund)
		}
		time.Sleep(4 * time.Second) // decided while the thread was busy
		accepted := 0
		for range 9 { // 5 left + 4 s
			if _, err := b.reserve(alice); err == nil {
				accepted++
			}
		}
		refunds[0]()
		for range 20 { // one was given back
			if _, err := b.reserve(alice); err == nil {
				accepted++
			}
		}
		if accepted != 10 {
			t.Errorf("%d accepted, not 10", accepted)
		}
	})
}

// a page of a thread that was deleted, on a node whose fold missed it, shows the tombstone.
func TestPageOfDeleted(t *testing.T) {
	withRouter(t, switchboard.DefaultLimits(), func(r *Router, s *stalled) {
		ack, _ := ask(r, "m1", "", &switchboard.UserMessage{Text: "x"})
		id := ack.(switchboard.Ack).ThreadID
		other := New(r.cfg) // another node
		if _, err := ask(other, "del", id, &switchboard.DeleteThread{}); err != nil {
			t.Fatal(err)
		}
		if page, err := ask(r, "q", id, &switchboard.GetThread{}); switchboard.CodeOf(err) != switchboard.NotFound {
			t.Errorf("acked as deleted elsewhere, here: %s %v", page.(switchboard.EventPage).Events, err)
		}
	})
}

// A message that the kept fold would refuse is decided on by the log: the run it stops was asked for on another node.
func TestRefusedByTheLogAlone(t *testing.T) {
	withRouter(t, switchboard.DefaultLimits(), func(r *Router, s *stalled) {
		ack, _ := ask(r, "m1", "", &switchboard.UserMessage{Text: "x"})
		id := ack.(switchboard.Ack).ThreadID
		other, err := ask(New(r.cfg), "m2", id, &switchboard.UserMessage{Text: "y"})
		if err != nil {
			t.Fatal(err)
		}
		stop := &switchboard.StopAgent{RunID: string(other.(switchboard.Ack).RunID)}
		if _, err := ask(r, "stop", id, stop); err != nil {
			t.Errorf("a run that the log has: %v", err)
		}
		if _, err := ask(r, "stop2", id, &switchboard.StopAgent{RunID: string(id.Run(99))}); switchboard.CodeOf(err) != switchboard.NotFound {
			t.Errorf("a run that the log has not: %v", err)
		}
	})
}
