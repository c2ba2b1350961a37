package thread_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// TestRows writes rows and reads them; cut bytes are an error or fewer rows, never others.
func TestRows(t *testing.T) {
	rows := []*thread.Row{
		{Seq: 1, N: 1, Deleted: true, Summary: switchboard.ThreadSummary{ThreadID: home, Updated: switchboard.At(noon)}},
		{Seq: 1 << 60, N: 300, Usage: switchboard.Usage{InputTokens: 1 << 40, OutputTokens: 7}, Chain: "c", Attempt: 2, Held: true, Summary: switchboard.ThreadSummary{
			ThreadID: home, Title: "täglich \x00", LastText: "", Created: switchboard.At(noon), Updated: switchboard.At(noon.Add(time.Hour)), ActiveRun: run1}},
	}
	b := thread.EncodeRows(rows)
	got, err := thread.DecodeRows(b)
	if err != nil || !reflect.DeepEqual(got, rows) {
		t.Fatalf("%+v, %v", got, err)
	}
	for i := range b {
		got, err := thread.DecodeRows(b[:i])
		if err == nil && len(got) > 1 || err == nil && len(got) == 1 && !reflect.DeepEqual(got[0], rows[0]) {
			t.Errorf("cut at %d: %+v", i, got)
		}
	}
	if _, err := thread.DecodeRows(append([]byte{99}, b[1:]...)); err == nil {
		t.Error("another version is read")
	}
	if _, err := thread.DecodeRows([]byte{1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}); err == nil {
		t.Error("a number without end is read")
	}
}
