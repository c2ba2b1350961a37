package world_test

import (
	"context"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
	"github.com/netra-systems/switchboard/internal/world"
	"github.com/netra-systems/switchboard/thread"
)

// TestDeleteDamaged: a conversation with a gap is refused, and its user can delete it.
func TestDeleteDamaged(t *testing.T) {
	in(t, world.Config{}, func(t *testing.T, ctx context.Context, w *world.World) {
		a := w.Start()
		d := connect(t, ctx, a, "alice")
		user := d.Conn().Established().User.ID
		ack, err := d.Say(ctx, "", "What is 6 * 7?")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.AwaitEnd(ctx, ack.RunID); err != nil {
			t.Fatal(err)
		}
		d.Disconnect()
		a.Stop()
		j := w.Journal()
		es, err := j.Read(ctx, user, ack.ThreadID, thread.Position{})
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Erase(ctx, user, ack.ThreadID, es[len(es)-1].Seq); err != nil { // nobody deleted it: that is damage
			t.Fatal(err)
		}
		other := connect(t, ctx, w.Start(), "alice")
		defer other.Disconnect()
		do := func(p switchboard.MessagePayload) error {
			return other.Conn().Do(ctx, switchboard.Message{ID: client.NewID(), ThreadID: string(ack.ThreadID), Payload: p}, nil)
		}
		if err := do(&switchboard.RenameThread{Title: "x"}); switchboard.CodeOf(err) != switchboard.Internal {
			t.Errorf("renamed: %v", err)
		}
		if err := do(&switchboard.DeleteThread{}); err != nil {
			t.Errorf("deleted: %v", err)
		}
		time.Sleep(time.Second)
		if err := do(&switchboard.RenameThread{Title: "x"}); switchboard.CodeOf(err) != switchboard.NotFound {
			t.Errorf("renamed: %v", err)
		}
		if es, err := j.Read(ctx, user, ack.ThreadID, thread.Position{}); err != nil || len(es) != 1 || es[0].Event.Type != switchboard.ThreadDeleted {
			t.Errorf("left: %v, %v", es, err)
		}
	})
}
