package tool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/netra-systems/switchboard"
)

func limits(change func(*switchboard.Limits)) Config {
	l := switchboard.DefaultLimits()
	change(&l)
	return Config{Limits: l}
}

// TestTimeout: a call ends when its time is up, whether or not the tool heeds its context; what comes later is dropped.
func TestTimeout(t *testing.T) {
	for name, heeds := range map[string]bool{"hangs": true, "ignores cancellation": false} {
		for _, own := range []time.Duration{0, time.Second} {
			t.Run(fmt.Sprintf("%s/%v", name, own), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var cause error
					f := named("tool", func(ctx context.Context, _ Invocation) (json.RawMessage, error) {
						<-ctx.Done()
						cause = context.Cause(ctx)
						if heeds {
							return nil, ctx.Err()
						}
						time.Sleep(time.Hour)
						return json.RawMessage(`"late"`), nil
					})
					f.def.Timeout = own
					reg := prometheus.NewRegistry()
					d := dispatcher(t, Config{Metrics: reg}, f)
					stuck := func() float64 { return gather(t, reg)["switchboard_tool_calls_stuck tool=tool"] }
					var rec tape
					start := time.Now()
					if err := d.Dispatch(t.Context(), ann.may("tool"), Request{Call: ann.call("tool", `{}`)}, &rec); err != nil {
						t.Fatal(err)
					}
					want := 30 * time.Second
					if own > 0 {
						want = own
					}
					_, c := rec.one(t)
					if took := time.Since(start); c.Status != switchboard.CallTimeout || took != want || c.DurationMS != want.Milliseconds() {
						t.Errorf("%s after %v (%d ms)", c.Status, took, c.DurationMS)
					}
					synctest.Wait()
					if cause != errTimeout {
						t.Errorf("the tool saw %v", cause)
					}
					if n := stuck(); (n == 0) != heeds {
						t.Errorf("%v stuck", n)
					}
					time.Sleep(2 * time.Hour)
					if n := stuck(); n != 0 || len(rec.events) != 2 {
						t.Errorf("at last: %v stuck, %d events", n, len(rec.events))
					}
				})
			})
		}
	}
}

// TestResultAtTheEnd: a tool that answers its cancellation with a result has answered.
func TestResultAtTheEnd(t *testing.T) {
	stop := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	d := dispatcher(t, Config{}, named("tool", func(context.Context, Invocation) (json.RawMessage, error) {
		cancel(stop)
		return json.RawMessage(`1`), nil
	}))
	rec := keeper{}
	err := d.Dispatch(ctx, ann.may("tool"), Request{Call: ann.call("tool", `{}`)}, &rec)
	switch {
	case err == nil && len(rec.got) == 2: // the result was there first
	case err == stop && len(rec.got) == 1: // the end of ctx was
	default:
		t.Errorf("%v after %d events", err, len(rec.got))
	}
}

// keeper stores even when ctx has ended.
type keeper struct{ got []switchboard.EventPayload }

func (k *keeper) Record(_ context.Context, p switchboard.EventPayload) error {
	k.got = append(k.got, p)
	return nil
}

// TestStopped: when the run ends under a tool, or under a call that waits for a slot, nothing is said about the call.
func TestStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := errors.New("the worker stops")
		d := dispatcher(t, limits(func(l *switchboard.Limits) { l.ToolCallsPerUser = 1 }), named("tool", hang))
		ctx, cancel := context.WithCancelCause(t.Context())
		var wg sync.WaitGroup
		var recs [2]keeper
		for i := range recs {
			wg.Go(func() {
				err := d.Dispatch(ctx, ann.may("tool"), Request{Call: ann.call("tool", `{}`)}, &recs[i])
				if err != stop {
					t.Errorf("%d: %v", i, err)
				}
			})
		}
		synctest.Wait()
		start := time.Now()
		cancel(stop)
		wg.Wait()
		for i := range recs {
			if n := len(recs[i].got); n != 1 {
				t.Errorf("%d: %d events", i, n)
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("took %v", took)
		}
		var rec tape
		if err := d.Dispatch(ctx, ann.may("tool"), Request{Call: ann.call("tool", `{}`), Started: true, Abandoned: true}, &keeper{}); err != nil {
			t.Errorf("closing the call: %v", err)
		}
		if err := d.Dispatch(ctx, ann.may("tool"), Request{Call: ann.call("tool", `{}`)}, &rec); err != stop {
			t.Errorf("starting after the end: %v", err)
		}
	})
}

func hang(ctx context.Context, _ Invocation) (json.RawMessage, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestSlots: twenty users with ten slots each and fifteen calls: nobody has more than ten at once, nobody waits for
// another, and every call ends well.
func TestSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most := map[switchboard.UserID]int{}, map[switchboard.UserID]int{}
		d := dispatcher(t, Config{}, named("tool", func(_ context.Context, in Invocation) (json.RawMessage, error) {
			mu.Lock()
			now[in.User]++
			most[in.User] = max(most[in.User], now[in.User])
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			now[in.User]--
			mu.Unlock()
			return json.RawMessage(`"` + string(in.User) + `"`), nil
		}))
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 20 {
			w := who(fmt.Sprint("user", i))
			for range 15 {
				wg.Go(func() {
					var rec tape
					if err := d.Dispatch(t.Context(), w.may("tool"), Request{Call: w.call("tool", `{}`)}, &rec); err != nil {
						t.Error(err)
						return
					}
					if _, c := rec.one(t); string(c.Result) != `"`+string(w.id())+`"` {
						t.Errorf("%s %s", c.Status, c.Result)
					}
				})
			}
		}
		wg.Wait()
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("took %v, want two rounds", took)
		}
		if len(most) != 20 {
			t.Errorf("%d users", len(most))
		}
		for id, n := range most {
			if n != 10 {
				t.Errorf("%s had %d at once", id, n)
			}
		}
	})
}

// TestNoSlot: a call waits for a slot as long as its tool may take, then it is refused.
func TestNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, quick := named("slow", hang), named("quick", nil)
		slow.def.Timeout, quick.def.Timeout = time.Minute, 5*time.Second
		d := dispatcher(t, limits(func(l *switchboard.Limits) { l.ToolCallsPerUser = 1 }), slow, quick)
		caller := ann.may("slow", "quick")
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := d.Dispatch(t.Context(), caller, Request{Call: ann.call("slow", `{}`)}, new(tape)); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		var rec tape
		start := time.Now()
		if err := d.Dispatch(t.Context(), caller, Request{Call: ann.call("quick", `{}`)}, &rec); err != nil {
			t.Fatal(err)
		}
		_, c := rec.one(t)
		if c.Status != switchboard.CallError || !strings.Contains(c.Error, "at once") || time.Since(start) != 5*time.Second || quick.calls() != 0 {
			t.Errorf("%s %q after %v", c.Status, c.Error, time.Since(start))
		}
		wg.Wait()
	})
}

// TestStuck: a tool that never returns is called no more for that user; the user's other tools and other users go on.
func TestStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		dead := named("dead", func(context.Context, Invocation) (json.RawMessage, error) { <-release; return nil, nil })
		d := dispatcher(t, limits(func(l *switchboard.Limits) { l.ToolCallsPerUser = 2 }), dead, named("fine", nil))
		ask := func(w who, tool string) (switchboard.CallStatus, string) {
			var rec tape
			if err := d.Dispatch(t.Context(), w.may("dead", "fine"), Request{Call: w.call(tool, `{}`)}, &rec); err != nil {
				t.Fatal(err)
			}
			_, c := rec.one(t)
			return c.Status, c.Error
		}
		for i, want := range []switchboard.CallStatus{switchboard.CallTimeout, switchboard.CallTimeout, switchboard.CallError, switchboard.CallError} {
			if got, err := ask("ann", "dead"); got != want {
				t.Errorf("call %d: %s %q", i, got, err)
			}
		}
		if got, err := ask("ann", "fine"); got != switchboard.CallOK {
			t.Errorf("another tool: %s %q", got, err)
		}
		if got, err := ask("bob", "dead"); got != switchboard.CallTimeout {
			t.Errorf("another user: %s %q", got, err)
		}
		close(release)
		synctest.Wait()
		if got, err := ask("ann", "dead"); got != switchboard.CallOK {
			t.Errorf("healed: %s %q", got, err)
		}
	})
}

// TestRate: calls above the rate are refused until the minute has passed, per user; idle users are forgotten.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := named("tool", nil)
		f.def.Idempotent = true
		d := dispatcher(t, limits(func(l *switchboard.Limits) { l.ToolCallsPerMinute = 6 }), f)
		ask := func(w who, started bool) *switchboard.ToolCompletedEvent {
			var rec tape
			if err := d.Dispatch(t.Context(), w.may("tool"), Request{Call: w.call("tool", `{}`), Started: started}, &rec); err != nil {
				t.Fatal(err)
			}
			return rec.events[len(rec.events)-1].(*switchboard.ToolCompletedEvent)
		}
		for range 6 {
			if c := ask("ann", false); c.Status != switchboard.CallOK {
				t.Fatal(c.Error)
			}
		}
		if c := ask("ann", false); c.Status != switchboard.CallError || !strings.Contains(c.Error, "try again in 10 s") || f.calls() != 6 {
			t.Errorf("%s %q after %d runs", c.Status, c.Error, f.calls())
		}
		if c := ask("ann", true); c.Status != switchboard.CallOK {
			t.Errorf("a takeover: %s %q", c.Status, c.Error)
		}
		if c := ask("bob", false); c.Status != switchboard.CallOK {
			t.Errorf("another user: %s", c.Error)
		}
		time.Sleep(10 * time.Second)
		if c := ask("ann", false); c.Status != switchboard.CallOK {
			t.Errorf("later: %s", c.Error)
		}
		for i := range 1000 {
			ask(who(fmt.Sprint("user", i)), false)
		}
		time.Sleep(2 * time.Minute)
		ask("carol", false)
		if n := len(d.users.known); n != 1 {
			t.Errorf("%d users remembered", n)
		}
	})
}

// TestMetrics: calls are counted by registered tool and status; a name that a model made up is no label.
func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	d := dispatcher(t, Config{Metrics: reg}, named("tool", nil))
	for _, name := range []string{"tool", "made-up", "tool", "other"} {
		if err := d.Dispatch(t.Context(), ann.may(name), Request{Call: ann.call(name, `{}`)}, new(tape)); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]float64{
		"switchboard_tool_calls_total status=error tool=":  2,
		"switchboard_tool_calls_total status=ok tool=tool": 2,
		"switchboard_tool_calls_stuck tool=tool":           0,
	}
	if got := gather(t, reg); !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if _, err := NewDispatcher(Config{Metrics: reg}); err == nil {
		t.Error("registered twice")
	}
}

// gather returns the values of all counters and gauges by name and labels.
func gather(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetName() + "=" + l.GetValue()
			}
			out[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return out
}
