package world_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
	"github.com/netra-systems/switchboard/internal/world"
	"github.com/netra-systems/switchboard/thread"
)

var threadStart = thread.Position{}

// canary is a word that only one user says.
func canary(i int) string { return fmt.Sprintf("canary%04dx", i*7919%10000) }

// hits counts the words of others in what each device received.
func hits(ds []*world.Device) (found, scanned int) {
	for i, d := range ds {
		for k := range ds {
			if k != i {
				found += bytes.Count(d.Received(), []byte(canary(k)))
			}
		}
		scanned += len(d.Received())
	}
	return found, scanned
}

// TestIsolation lets twenty users talk at once, each with a word of its own in everything said, and scans every byte
// that every device received. Then a leak is planted, and the same scan must find it.
func TestIsolation(t *testing.T) {
	const users = 20
	in(t, world.Config{}, func(t *testing.T, ctx context.Context, w *world.World) {
		nodes := []*world.Node{w.Start(), w.Start()}
		var ds []*world.Device
		var runs []switchboard.Ack
		for i := range users {
			d := world.NewDevice(nodes[0].Token(fmt.Sprint("user", i)))
			if err := d.Connect(ctx, nodes[i%2]); err != nil {
				t.Fatal(err)
			}
			ds = append(ds, d)
		}
		for i, d := range ds {
			ack, err := d.Say(ctx, "", fmt.Sprintf("%s: what is %d * 7? And tell me a story of 30 words.", canary(i), i))
			if err != nil {
				t.Fatal(err)
			}
			runs = append(runs, ack)
		}
		for i, d := range ds {
			foreign := runs[(i+1)%users]
			for _, m := range []switchboard.Message{
				{ThreadID: string(foreign.ThreadID), Payload: &switchboard.GetThread{}},
				{ThreadID: string(foreign.ThreadID), Payload: &switchboard.UserMessage{Text: canary(i)}},
				{ThreadID: string(foreign.ThreadID), Payload: &switchboard.RenameThread{Title: canary(i)}},
				{ThreadID: string(foreign.ThreadID), Payload: &switchboard.DeleteThread{}},
				{Payload: &switchboard.StopAgent{RunID: string(foreign.RunID)}},
				{Payload: &switchboard.RateAnswer{RunID: string(foreign.RunID), Rating: switchboard.RatedUp, Comment: canary(i)}},
				{Payload: &switchboard.ResyncMessage{RunID: string(foreign.RunID)}},
				{Payload: &switchboard.ToolDecision{CallID: string(foreign.RunID.Call(1, 0)), Decision: switchboard.Approve}},
			} {
				m.ID = client.NewID()
				if err := d.Conn().Do(ctx, m, nil); switchboard.CodeOf(err) != switchboard.NotFound {
					t.Errorf("%s of a foreign id: %v", m.Payload.MessageType(), err)
				}
			}
			if _, err := d.AwaitEnd(ctx, runs[i].RunID); err != nil {
				t.Fatal(err)
			}
			var list switchboard.ThreadList
			if err := d.Conn().Do(ctx, switchboard.Message{ID: client.NewID(), Payload: &switchboard.ListThreads{}}, &list); err != nil || len(list.Threads) != 1 {
				t.Errorf("the list: %v %v", list, err)
			}
		}
		check(t, ds...)
		found, scanned := hits(ds)
		t.Logf("%d users, %d bytes scanned, %d hits", users, scanned, found)
		if found > 0 {
			t.Errorf("%d words of other users", found)
		}
		for i, d := range ds {
			if !bytes.Contains(d.Received(), []byte(canary(i))) {
				t.Fatal("the canary is not in its own user's bytes: the scan proves nothing")
			}
		}

		// the planted leak: a worker that writes one user's text into another's thread
		j := w.Journal()
		victim := ds[1].Conn().Established().User.ID
		st := thread.NewState(victim, runs[1].ThreadID)
		if _, err := st.Advance(ctx, j); err != nil {
			t.Fatal(err)
		}
		leak := &switchboard.ThreadRenamedEvent{ID: "leak", Title: canary(0)}
		if stored, err := st.Put(ctx, j, thread.Draft{Event: switchboard.Event{Type: leak.EventType(), Time: switchboard.At(time.Now()), Payload: leak}}); !stored || err != nil {
			t.Fatal(stored, err)
		}
		time.Sleep(5 * time.Second)
		if found, _ := hits(ds); found != 1 {
			t.Errorf("the scan found %d leaks where one was planted", found)
		}
		for _, d := range ds {
			d.Disconnect()
		}
	})
}
