package journaltest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/netra-systems/switchboard/journal"
	"github.com/netra-systems/switchboard/thread"
)

// recent reads a shard from an instant on, up to a sequence, over several batches.
func recent(t *testing.T, j *journal.Journal) {
	shard := j.Shard(alice)
	read := func(since time.Time, upTo uint64) (es []thread.Entry) {
		t.Helper()
		if err := j.Recent(t.Context(), shard, since, upTo, 0, func(e thread.Entry) { es = append(es, e) }); err != nil {
			t.Fatal(err)
		}
		return es
	}
	if es := read(time.Now().Add(-time.Hour), 1<<62); len(es) != 0 {
		t.Errorf("an empty log has %d entries", len(es))
	}
	a, b := newLine(t, j, alice, "a"), newLine(t, j, alice, "b")
	for i := range 300 {
		a.say(i == 0, fmt.Sprint("early ", i))
	}
	between := time.Now()
	for i := range 300 {
		b.say(i == 0, fmt.Sprint("late ", i))
	}
	all := read(between.Add(-time.Hour), 1<<62)
	if len(all) != 600 || all[0].User != alice || all[599].Header.N != 300 {
		t.Fatalf("%d entries", len(all))
	}
	for i := range all[1:] {
		if all[i+1].Seq <= all[i].Seq {
			t.Fatalf("entry %d comes after %d", all[i+1].Seq, all[i].Seq)
		}
	}
	if late := read(between, 1<<62); len(late) != 300 || late[0].Event.ThreadID != b.st.Thread {
		t.Errorf("%d entries since an instant", len(late))
	}
	if some := read(between.Add(-time.Hour), all[399].Seq); len(some) != 400 {
		t.Errorf("%d entries up to the 400th", len(some))
	}
	if none := read(time.Now().Add(time.Hour), 1<<62); len(none) != 0 {
		t.Errorf("%d entries of the future", len(none))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.Recent(ctx, shard, between, 1<<62, time.Hour, func(thread.Entry) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("a reader that has gone: %v", err)
	}
}
