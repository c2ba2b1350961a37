package world_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
	"github.com/netra-systems/switchboard/internal/world"
	"github.com/netra-systems/switchboard/journal"
	"github.com/netra-systems/switchboard/thread"
)

// TestStoredIndex: a user with many threads gets the same list from a node that reads it from what was stored and from
// one that reads the log, also when threads have moved since, and when what is stored is of no use.
func TestStoredIndex(t *testing.T) {
	in(t, world.Config{}, func(t *testing.T, ctx context.Context, w *world.World) {
		a := w.Start()
		d := connect(t, ctx, a, "alice")
		user := d.Conn().Established().User.ID
		d.Disconnect()
		a.Stop()
		j := w.Journal()
		for i := range 300 {
			write(t, j, user, fmt.Sprint("t", i), "first")
		}
		// same compares the list that a new node gives with the log, and leaves the node time to store it.
		same := func(what string) {
			t.Helper()
			n := w.Start()
			defer n.Stop()
			heads, err := j.Heads(ctx, user)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := list(t, ctx, n, d), thread.NewIndex(heads).Newest(1000); len(want) != 300 || !slices.Equal(got, want) {
				t.Errorf("%s: %d threads, not %d, or not in order", what, len(got), len(want))
			}
			time.Sleep(5 * time.Second)
		}
		stored := func() (base string, recent int) {
			t.Helper()
			base, _, news, err := j.LoadIndex(ctx, user)
			if err != nil {
				t.Fatal(err)
			}
			return base, len(news)
		}
		same("from the log")
		first, _ := stored()
		if first == "" {
			t.Fatal("a long list is not stored")
		}
		same("as it was stored")
		write(t, j, user, "t7", "moved")
		same("one has moved")
		if base, recent := stored(); base != first || recent == 0 || recent > 500 {
			t.Errorf("one thread moved, and %d bytes were stored on %s", recent, base)
		}
		for i := range 40 {
			write(t, j, user, fmt.Sprint("t", 7*i), "moved while nobody looked")
		}
		same("many have moved")
		if base, _ := stored(); base == first {
			t.Error("what is new is stored again and again")
		}
		if _, err := j.SaveIndex(ctx, user, []byte("not a list")); err != nil {
			t.Fatal(err)
		}
		same("what is stored is not a list")
		foreign := thread.EncodeRows([]*thread.Row{{Seq: 1 << 40, N: 1, Chain: "c"}})
		if _, err := j.SaveIndex(ctx, user, foreign); err != nil {
			t.Fatal(err)
		}
		same("what is stored is of another log")
	})
}

// write adds a finished run to a thread.
func write(t *testing.T, j *journal.Journal, u switchboard.UserID, name, text string) {
	t.Helper()
	st := thread.NewState(u, switchboard.NewThreadID(u, switchboard.FrameID(name)))
	if _, err := st.Advance(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	run := st.Thread.Run(st.N + 1)
	for _, p := range []switchboard.EventPayload{
		&switchboard.UserMessageEvent{ID: client.NewID(), RunID: run, Text: text, Title: name, Agent: "assistant"},
		&switchboard.AgentStartedEvent{Agent: "assistant", Attempt: 1},
		&switchboard.AgentStoppedEvent{Reason: switchboard.StoppedByUser},
	} {
		d := thread.Draft{Event: switchboard.Event{Type: p.EventType(), RunID: run, Time: switchboard.At(time.Now()), Payload: p}}
		if stored, err := st.Put(t.Context(), j, d); err != nil || !stored {
			t.Fatal(stored, err)
		}
	}
}

// list asks a node for all pages of a user's threads.
func list(t *testing.T, ctx context.Context, n *world.Node, d *world.Device) (out []switchboard.ThreadSummary) {
	t.Helper()
	if err := d.Connect(ctx, n); err != nil {
		t.Fatal(err)
	}
	defer d.Disconnect()
	var page switchboard.ThreadList
	for {
		m := switchboard.Message{ID: client.NewID(), Payload: &switchboard.ListThreads{Before: page.Next}}
		page = switchboard.ThreadList{}
		if err := d.Conn().Do(ctx, m, &page); err != nil {
			t.Fatal(err)
		}
		out = append(out, page.Threads...)
		if page.Next == "" {
			return out
		}
	}
}

// TestListHoldsWhatWasAcknowledged: whoever was told that a thread was renamed finds the new name in the list, however late
// the signals are.
func TestListHoldsWhatWasAcknowledged(t *testing.T) {
	in(t, world.Config{Lose: func(int, int, int) bool { return true }}, func(t *testing.T, ctx context.Context, w *world.World) {
		n := w.Start()
		d := connect(t, ctx, n, "alice")
		defer d.Disconnect()
		ack, err := d.Say(ctx, "", "What is 6 * 7?")
		if err != nil {
			t.Fatal(err)
		}
		for _, title := range []string{"a", "b", "c"} {
			if _, err := d.Send(ctx, switchboard.Message{ID: client.NewID(), ThreadID: string(ack.ThreadID), Payload: &switchboard.RenameThread{Title: title}}); err != nil {
				t.Fatal(err)
			}
			other := world.NewDevice(d.Token)
			if got := list(t, ctx, n, other); len(got) != 1 || got[0].Title != title {
				t.Errorf("after %q the list is %+v", title, got)
			}
		}
		if _, err := d.AwaitEnd(ctx, ack.RunID); err != nil {
			t.Fatal(err)
		}
	})
}
