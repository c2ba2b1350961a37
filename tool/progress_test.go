package tool

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netra-systems/switchboard"
)

// TestProgress: the first is passed on at once, then the newest ten times a second, nothing after the end, and nothing
// that is no JSON or that a terminal would obey.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late func(float64, float64, string)
		f := named("tool", func(_ context.Context, in Invocation) (json.RawMessage, error) {
			late = in.Progress
			in.Progress(math.NaN(), 0, "no number")
			in.Progress(1, math.Inf(1), "no number")
			in.Progress(-1, 0, "less than nothing")
			for i := range 1000 { // for a second
				in.Progress(float64(i), 1000, fmt.Sprintf("step\x1b[31m %d\n", i))
				time.Sleep(time.Millisecond)
			}
			in.Progress(1000, 1000, "never seen")
			return json.RawMessage(`1`), nil
		})
		d := dispatcher(t, Config{}, f)
		var got []Progress
		var rec tape
		r := Request{Call: ann.call("tool", `{}`), Progress: func(p Progress) {
			if len(rec.events) != 1 {
				t.Errorf("told between %d events", len(rec.events))
			}
			got = append(got, p)
		}}
		if err := d.Dispatch(t.Context(), ann.may("tool"), r, &rec); err != nil {
			t.Fatal(err)
		}
		n := len(got)
		late(2000, 0, "late")
		time.Sleep(time.Second)
		synctest.Wait()
		if len(got) != n || n < 9 || n > 11 {
			t.Fatalf("told %d times in a second, %d times in all", n, len(got))
		}
		if got[0] != (Progress{0, 1000, "step [31m 0 "}) {
			t.Errorf("first %+v", got[0])
		}
		for i := 1; i < n; i++ {
			if want := float64(100 * i); math.Abs(got[i].Progress-want) > 1 {
				t.Errorf("%d: %+v is not the newest", i, got[i])
			}
		}
	})
}

// TestProgressToNobody: a tool may tell of its progress though nobody listens.
func TestProgressToNobody(t *testing.T) {
	f := named("tool", func(_ context.Context, in Invocation) (json.RawMessage, error) {
		in.Progress(1, 2, "half")
		return json.RawMessage(`1`), nil
	})
	if c := end(t, dispatcher(t, Config{}, f), ann.may("tool"), Request{Call: ann.call("tool", `{}`)}); c.Status != switchboard.CallOK {
		t.Errorf("%s %s", c.Status, c.Error)
	}
}
