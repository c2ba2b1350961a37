package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// archive is a log of one user with many threads, and what is stored of the list.
type archive struct {
	Journal
	heads []thread.Entry
	since func() ([]thread.Entry, error)
	saved []byte
}

func (l *archive) LoadIndex(context.Context, switchboard.UserID) (string, []byte, []byte, error) {
	return "", nil, nil, nil
}

func (l *archive) Heads(context.Context, switchboard.UserID) ([]thread.Entry, error) {
	return l.heads, nil
}

func (l *archive) Since(context.Context, switchboard.UserID, uint64) ([]thread.Entry, error) {
	return l.since()
}

func (l *archive) SaveIndex(_ context.Context, _ switchboard.UserID, list []byte) (string, error) {
	l.saved = list
	return "base", nil
}

// head is the newest entry of a thread of alice.
func head(i int, seq uint64) thread.Entry {
	id := switchboard.NewThreadID(alice, switchboard.FrameID(fmt.Sprint("t", i)))
	s := switchboard.ThreadSummary{ThreadID: id, Created: switchboard.At(time.Unix(1, 0))}
	return thread.Entry{User: alice, Seq: seq, Event: switchboard.Event{ThreadID: id}, Header: thread.Header{N: seq, Chain: fmt.Sprint(seq), Summary: s}}
}

// TestStoreWhole: a list is not stored while it has a hole: what the tail gave while it was being read is in it, and what
// came just before is not yet. Nobody would read the hole again, for its newest entry is in the log.
func TestStoreWhole(t *testing.T) {
	for _, broken := range []error{nil, errors.New("the store cannot be read")} {
		l := &archive{}
		for i := range storeFrom {
			l.heads = append(l.heads, head(i, uint64(i)+1))
		}
		tl := newTail(New(Config{Journal: l, Log: slog.New(slog.DiscardHandler)}), still{})
		missed, live := head(1, 900), head(2, 1001)
		l.since = func() ([]thread.Entry, error) {
			tl.entry(live)
			tl.saveAll(t.Context())
			if broken != nil {
				return nil, broken
			}
			return []thread.Entry{missed, live}, nil
		}
		a, err := tl.audience(t.Context(), alice)
		if !errors.Is(err, broken) {
			t.Fatal(err)
		}
		tl.saveAll(t.Context())
		rows, err := thread.DecodeRows(l.saved)
		if broken != nil {
			if l.saved != nil {
				t.Errorf("a list that was not read whole is stored: %d rows", len(rows))
			}
			continue
		}
		if err != nil || len(rows) != storeFrom || rows[len(rows)-2].Seq != missed.Seq {
			t.Errorf("stored without what came while it was read: %v, %v", rows[len(rows)-2], err)
		}
		tl.release(a)
	}
}
