package journaltest

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/journal"
	"github.com/netra-systems/switchboard/thread"
)

// window writes a long thread: who knows nothing of it reads its end, what is remembered, and what people wrote, and
// knows as much as who has read all.
func window(t *testing.T, j *journal.Journal) {
	l := newLine(t, j, alice, "a")
	for range 40 {
		l.say(true, strings.Repeat("long ", 3000))
		end := &switchboard.AgentStoppedEvent{Reason: switchboard.StoppedByUser}
		d := thread.Draft{Event: switchboard.Event{Type: end.EventType(), RunID: l.st.Runs[0].ID, Time: switchboard.At(time.Now()), Payload: end}}
		if stored, err := l.st.Put(t.Context(), j, d); err != nil || !stored {
			t.Fatal(stored, err)
		}
	}
	whole := thread.NewState(alice, l.st.Thread)
	if _, err := whole.Advance(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	st, err := thread.Load(t.Context(), j, alice, l.st.Thread)
	if err != nil || st.Position != whole.Position || st.Window != whole.Window || st.Summary != whole.Summary {
		t.Fatalf("%+v, not %+v, %v", st, whole, err)
	}
	if len(st.IDs) > 1 {
		t.Errorf("%d messages were read to know the thread's end", len(st.IDs))
	}
	if err := st.Recall(t.Context(), j); err != nil || !reflect.DeepEqual(st.IDs, whole.IDs) {
		t.Errorf("%d ids, not %d: %v", len(st.IDs), len(whole.IDs), err)
	}
	es, err := st.Remember(t.Context(), j)
	if err != nil || len(es) < 16 || len(es) > 40 || es[0].Header.N != st.Window.Start.N+1 {
		t.Errorf("%d of 80 entries are remembered, %v", len(es), err)
	}
	if _, err := j.People(t.Context(), alice, l.st.Thread, st.Seq, 41); err == nil {
		t.Error("a message is missing, and nobody says so")
	}
	if e, found, err := j.Newest(t.Context(), bob, l.st.Thread); found || err != nil {
		t.Errorf("another user's thread: %+v, %v", e, err)
	}
	if none, err := thread.Load(t.Context(), j, alice, switchboard.NewThreadID(alice, "none")); err != nil || none.N != 0 {
		t.Errorf("a thread that is not there: %+v, %v", none, err)
	}
}
