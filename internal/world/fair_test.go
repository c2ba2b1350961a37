package world_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/internal/world"
)

// TestActiveRuns: a user has no more runs at work than allowed on all nodes together, another user is not kept waiting by
// them, and all of them end.
func TestActiveRuns(t *testing.T) {
	in(t, world.Config{}, func(t *testing.T, ctx context.Context, w *world.World) {
		a, b := w.Start(), w.Start()
		flood, other := connect(t, ctx, a, "alice"), connect(t, ctx, b, "bob")
		var acks []switchboard.Ack
		for i := range 12 {
			ack, err := flood.Say(ctx, "", fmt.Sprintf("Tell me a story of 30%d words", i%10))
			if err != nil {
				t.Fatal(err)
			}
			acks = append(acks, ack)
			time.Sleep(50 * time.Millisecond)
		}
		time.Sleep(time.Second)
		if n, most := atWork(flood.List()); n != 4 || most != 4 {
			t.Errorf("%d runs at work, %d at most", n, most)
		}
		begin := time.Now()
		ack, err := other.Say(ctx, "", "What is 6 * 7?")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.AwaitEnd(ctx, ack.RunID); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("another user waited for %v", took)
		}
		for _, ack := range acks {
			if end, err := flood.AwaitEnd(ctx, ack.RunID); err != nil || end.Type != switchboard.AgentCompleted {
				t.Errorf("%s ended with %s, %v", ack.RunID, end.Type, err)
			}
		}
		if _, most := atWork(flood.List()); most > 5 {
			t.Errorf("%d runs were at work at once", most)
		}
		check(t, flood, other)
		flood.Disconnect()
		other.Disconnect()
	})
}

// atWork counts the runs that have begun and not ended, after all events and at most.
func atWork(es []switchboard.Event) (n, most int) {
	for _, e := range es {
		switch {
		case e.Type == switchboard.AgentStarted:
			n++
		case e.Type.Terminal():
			n--
		}
		most = max(most, n)
	}
	return n, most
}
