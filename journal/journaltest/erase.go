package journaltest

import (
	"testing"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/journal"
	"github.com/netra-systems/switchboard/thread"
)

// replayErased erases a thread in the middle of its replay, when some of what agents said in it has been read ahead and
// what people said has not: what is given has no hole.
func replayErased(t *testing.T, j *journal.Journal) {
	l := newLine(t, j, alice, "a")
	for i := range 160 {
		l.say(i%4 != 0, "x")
	}
	rows := []*thread.Row{{N: l.st.N, Summary: l.st.Summary}}
	next := j.Replay(alice, rows, l.st.SeqAt(8), l.st.Seq)
	last := uint64(0)
	for taken := 0; ; taken++ {
		e, ok, err := next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return
		}
		if last > 0 && e.Header.N != last+1 {
			t.Fatalf("n = %d after %d", e.Header.N, last)
		}
		if last = e.Header.N; taken == 3 {
			d := thread.Draft{Event: switchboard.Event{Type: switchboard.ThreadDeleted, Payload: &switchboard.ThreadDeletedEvent{ID: "del"}}}
			if stored, err := l.st.Put(t.Context(), j, d); !stored || err != nil {
				t.Fatal(stored, err)
			}
			if err := j.Erase(t.Context(), alice, l.st.Thread, l.st.Seq); err != nil {
				t.Fatal(err)
			}
		}
	}
}
