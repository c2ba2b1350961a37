package node

import (
	"testing"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// TestSearchStops: a search finds the newest first, leaves out what is being asked, and reads no thread once it has enough.
func TestSearchStops(t *testing.T) {
	u := switchboard.NewUserID("test", "", "ann")
	var rows []switchboard.ThreadSummary
	for _, name := range []switchboard.FrameID{"one", "two", "three", "four"} {
		rows = append(rows, switchboard.ThreadSummary{ThreadID: switchboard.NewThreadID(u, name), Title: string(name)})
	}
	rows[0].ActiveRun = rows[0].ThreadID.Run(2)
	reads := 0
	read := func(id switchboard.ThreadID) (out []thread.Entry, err error) {
		reads++
		for n, text := range []string{"A red lamp", "A lamp, red?"} {
			out = append(out, thread.Entry{Event: switchboard.Event{
				ThreadID: id, N: uint64(n + 1), RunID: id.Run(uint64(n + 1)), Payload: &switchboard.UserMessageEvent{Text: text},
			}})
		}
		return out, nil
	}
	hits, err := found(rows, "RED lamp", 3, read)
	if err != nil || len(hits) != 3 || reads != 2 {
		t.Fatalf("%d reads, %v, %+v", reads, err, hits)
	}
	for i, want := range []string{"one A red lamp", "two A lamp, red?", "two A red lamp"} {
		if got := hits[i].Title + " " + hits[i].Text; got != want {
			t.Errorf("hit %d is %q, not %q", i, got, want)
		}
	}
	if hits, err = found(rows, "green lamp", 3, read); err != nil || len(hits) > 0 || reads != 2+len(rows) {
		t.Errorf("%d reads, %v, %+v", reads, err, hits)
	}
}
