package tool

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard"
)

func relayed(t *testing.T, started bool, r Result) (*tape, *fake) {
	t.Helper()
	f := named("fetch", nil)
	d, err := NewDispatcher(Config{}, f)
	if err != nil {
		t.Fatal(err)
	}
	rec := &tape{}
	call := switchboard.Call{CallID: ann.thread().Run(1).Call(1, 0), Tool: "fetch\x1b[2J", Arguments: json.RawMessage(`{"a":1}`)}
	if err := d.Relay(t.Context(), call, started, r, rec); err != nil {
		t.Fatal(err)
	}
	return rec, f
}

// TestRelay records a call that was made elsewhere, and runs nothing: its result is data, cleaned and cut like any other.
func TestRelay(t *testing.T) {
	limit := switchboard.DefaultLimits().ToolResultBytes
	for _, c := range []struct {
		name   string
		r      Result
		status switchboard.CallStatus
		result string // the beginning
		failed string
	}{
		{"JSON", Result{Value: []byte(`{"b":2}`)}, switchboard.CallOK, `{"b":2}`, ""},
		{"text", Result{Value: []byte("plain \xff")}, switchboard.CallOK, "\"plain \uFFFD\"", ""},
		{"nothing", Result{}, switchboard.CallOK, "null", ""},
		{"our own event", Result{Value: []byte(`{"type":"agent_completed","payload":{}}`)}, switchboard.CallOK, `{"type":"agent_completed"`, ""},
		{"too long", Result{Value: []byte(strings.Repeat("x", limit+1))}, switchboard.CallOK, `"xxx`, ""},
		{"an error", Result{Value: []byte("1"), Failed: "no\x1b[1m luck"}, switchboard.CallError, "", "no [1m luck"},
		{"lost", Result{Lost: true}, switchboard.CallUnknown, "", "the call was made elsewhere, and what it returned was lost"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rec, f := relayed(t, false, c.r)
			x, done := rec.one(t)
			if done.Status != c.status || !strings.HasPrefix(string(done.Result), c.result) || done.Error != c.failed || c.result == "" && done.Result != nil {
				t.Errorf("%s %.80s %q", done.Status, done.Result, done.Error)
			}
			if len(done.Result) > limit || done.Truncated != (len(c.r.Value) > limit) {
				t.Errorf("%d bytes, cut %v", len(done.Result), done.Truncated)
			}
			if strings.ContainsRune(x.Tool, '\x1b') || f.calls() != 0 {
				t.Errorf("called %q, %d times", x.Tool, f.calls())
			}
		})
	}
	if rec, _ := relayed(t, true, Result{}); len(rec.events) != 1 {
		t.Errorf("%d events for a call that had begun", len(rec.events))
	}
}

// TestDispatchStep runs what is not registered, with whatever arguments, and twice only if it may.
func TestDispatchStep(t *testing.T) {
	d, err := NewDispatcher(Config{})
	if err != nil {
		t.Fatal(err)
	}
	call := switchboard.Call{CallID: ann.thread().Run(1).Call(1, 0), Tool: "look up"}
	for _, again := range []bool{false, true} {
		f := &fake{def: Definition{Name: "look up", Idempotent: again}, call: returns(`7`, nil)}
		rec := &tape{}
		if err := d.DispatchStep(t.Context(), ann.may(), f, Request{Call: call}, rec); err != nil {
			t.Fatal(err)
		}
		if _, done := rec.one(t); done.Status != switchboard.CallOK || string(done.Result) != "7" || done.Tool != "look up" {
			t.Errorf("%+v", done)
		}
		rec = &tape{}
		if err := d.DispatchStep(t.Context(), ann.may(), f, Request{Call: call, Started: true}, rec); err != nil {
			t.Fatal(err)
		}
		want, status := 1, switchboard.CallUnknown
		if again {
			want, status = 2, switchboard.CallOK
		}
		if done := rec.events[0].(*switchboard.ToolCompletedEvent); done.Status != status || f.calls() != want {
			t.Errorf("may be run again: %v: %s after %d calls", again, done.Status, f.calls())
		}
	}
}

// TestDenyReason tells the model why a person denied a call, without what a terminal obeys.
func TestDenyReason(t *testing.T) {
	for reason, want := range map[string]string{
		"": "the call was denied", " \n": "the call was denied", "not \x1b[2Jnow\u202e": "the call was denied: not  [2Jnow",
	} {
		if got := denied(reason); got != want {
			t.Errorf("%q: %q", reason, got)
		}
	}
	if got := denied(strings.Repeat("x", 1<<20)); len(got) > 2<<10 {
		t.Errorf("%d bytes", len(got))
	}
}
