package thread_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// head is the newest entry of a thread.
func head(name string, n, seq uint64, run switchboard.RunID, deleted bool) thread.Entry {
	id := switchboard.NewThreadID(alice, switchboard.FrameID(name))
	s := switchboard.ThreadSummary{ThreadID: id, Title: name, Created: switchboard.At(noon), ActiveRun: run}
	if deleted {
		s.Created = switchboard.Time{}
	}
	return thread.Entry{User: alice, Seq: seq, Event: switchboard.Event{ThreadID: id}, Header: thread.Header{N: n, Chain: fmt.Sprint("c", seq), Summary: s, Attempt: 2}}
}

func titles(rows []switchboard.ThreadSummary) (out []string) {
	for _, r := range rows {
		out = append(out, r.Title)
	}
	return out
}

func TestIndex(t *testing.T) {
	x := thread.NewIndex([]thread.Entry{head("a", 1, 10, "", false), head("b", 4, 20, "", false), head("c", 2, 30, "run", false)})
	for _, e := range []thread.Entry{
		head("b", 4, 20, "", false), // known
		head("a", 5, 40, "", false), // newest
		head("a", 3, 25, "", false), // older than what is known
		head("d", 1, 5, "", false),  // came late
		head("b", 5, 50, "", true),  // deleted
		head("c", 3, 35, "other", false),
	} {
		x.Apply(e)
	}
	if got := titles(x.Newest(9)); !slices.Equal(got, []string{"a", "c", "d"}) {
		t.Errorf("newest: %v", got)
	}
	if got := titles(x.Newest(1)); !slices.Equal(got, []string{"a"}) {
		t.Errorf("the newest: %v", got)
	}
	if seq, chain := x.Last(); seq != 50 || chain != "c50" {
		t.Errorf("last: %d %s", seq, chain)
	}
	if seq, chain := thread.NewIndex(nil).Last(); seq != 0 || chain != "" {
		t.Errorf("last of none: %d %s", seq, chain)
	}
	for after, want := range map[uint64]int{0: 4, 4: 4, 5: 3, 34: 3, 35: 2, 49: 1, 50: 0} {
		if got := len(x.Rows(after)); got != want {
			t.Errorf("moved after %d: %d, not %d", after, got, want)
		}
	}
	if a := x.Active(); len(a) != 1 || a["other"] != 2 || x.Busy() != 1 {
		t.Errorf("active: %v, busy %d", a, x.Busy())
	}
	if !x.ErasedAfter(49) || x.ErasedAfter(50) {
		t.Error("the deletion lies at 50")
	}
	if x.Row(switchboard.NewThreadID(alice, "b")) != nil || x.Row(switchboard.NewThreadID(alice, "never")) != nil {
		t.Error("a row of a deleted or unknown thread")
	}
	if r := x.Row(switchboard.NewThreadID(alice, "a")); r == nil || r.Seq != 40 || r.N != 5 {
		t.Errorf("row: %+v", r)
	}
}

// TestList reads pages of every size while threads move and are deleted between them: each thread that does not move
// comes once.
func TestList(t *testing.T) {
	for limit := 1; limit <= 12; limit++ {
		var heads []thread.Entry
		for i := range 10 {
			heads = append(heads, head(fmt.Sprint("t", i), 1, uint64(10*i+10), "", i == 4))
		}
		x := thread.NewIndex(heads)
		var got []string
		before := ""
		for pages := 0; ; pages++ {
			page, err := x.List(switchboard.ListThreads{Before: before, Limit: limit}, switchboard.DefaultLimits())
			if err != nil || len(page.Threads) > limit || pages > 10 {
				t.Fatalf("limit %d: %+v, %v", limit, page, err)
			}
			got = append(got, titles(page.Threads)...)
			if page.Next == "" {
				break
			}
			before = page.Next
			moved := got[len(got)-1] // the place of the next page moves
			x.Apply(head(moved, uint64(2+pages), uint64(1000+pages), "", false))
		}
		want := []string{"t9", "t8", "t7", "t6", "t5", "t3", "t2", "t1", "t0"}
		if !slices.Equal(got, want) {
			t.Errorf("limit %d: %v", limit, got)
		}
	}
	for _, before := range []string{"x", "-1", "0", "99999999999999999999", "1.5"} {
		_, err := thread.NewIndex(nil).List(switchboard.ListThreads{Before: before}, switchboard.DefaultLimits())
		if e := switchboard.AsError(err); err == nil || e.Code != switchboard.Invalid || e.Field != "payload.before" {
			t.Errorf("before %q: %v", before, err)
		}
	}
}
