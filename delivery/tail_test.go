package delivery

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// quiet is a shard in which nothing happens: its feed fails once, then sees that nothing is missing when let go on.
type quiet struct {
	Feed
	failed bool
	well   chan struct{}
}

func (*quiet) Position() uint64 { return 0 }
func (*quiet) Close()           {}

func (q *quiet) Next(ctx context.Context) (*thread.Entry, switchboard.UserID, []byte, error) {
	if !q.failed {
		q.failed = true
		return nil, "", nil, errors.New("no answer")
	}
	select {
	case <-q.well:
		return nil, "", nil, nil
	case <-ctx.Done():
		return nil, "", nil, ctx.Err()
	}
}

// following runs the tail of a broadcaster until the end of the test.
func following(t *testing.T, j Journal, f Feed) (*Broadcaster, *tail) {
	b := New(Config{Journal: j, Log: slog.New(slog.DiscardHandler)})
	b.tails = []*tail{newTail(b, f)}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return b, b.tails[0]
}

// TestTailIsWellAgain: a tail that could not follow the log is ready when the log answers again, though nothing happens.
func TestTailIsWellAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &quiet{well: make(chan struct{})}
		b, _ := following(t, &archive{}, q)
		synctest.Wait()
		if b.Ready() == nil {
			t.Error("ready, and the log does not answer")
		}
		q.well <- struct{}{}
		synctest.Wait()
		if err := b.Ready(); err != nil {
			t.Errorf("the log answers again: %v", err)
		}
	})
}

// stuck is a log whose heads come when they are let go; while they do not, a reader waits until its ctx ends.
type stuck struct {
	*archive
	free chan struct{}
}

func (s stuck) Heads(ctx context.Context, u switchboard.UserID) ([]thread.Entry, error) {
	select {
	case <-s.free:
		return s.archive.Heads(ctx, u)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestLoad: who asks first for a list goes when its ctx ends, and the list is read for those who come later. When the tail
// ends, nothing is read any more.
func TestLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stuck{&archive{since: func() ([]thread.Entry, error) { return nil, nil }}, make(chan struct{})}
		_, tl := following(t, s, &quiet{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := tl.audience(ctx, alice); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		close(s.free)
		a, err := tl.audience(t.Context(), alice)
		if err != nil {
			t.Fatal(err)
		}
		tl.release(a)
		if a.uses != 0 || !tl.idle.Contains(alice) {
			t.Errorf("nobody uses it: %d", a.uses)
		}
		s.free = make(chan struct{})
		tl.b.cfg.Journal = s
		ended := make(chan error, 1)
		go func() { _, err := tl.audience(context.WithoutCancel(t.Context()), bob); ended <- err }()
		synctest.Wait()
		tl.stop()
		if err := <-ended; err == nil {
			t.Error("it was read after the tail's end")
		}
		if _, err := tl.audience(t.Context(), bob); switchboard.CodeOf(err) != switchboard.Unavailable {
			t.Errorf("after the tail's end: %v", err)
		}
	})
}
