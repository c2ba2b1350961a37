package builtin

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/tool"
)

// list is a Recorder that keeps everything.
type list []switchboard.EventPayload

func (l *list) Record(_ context.Context, p switchboard.EventPayload) error {
	*l = append(*l, p)
	return nil
}

// TestDispatched: the tools can be registered together, and their schemas refuse what they should.
func TestDispatched(t *testing.T) {
	d, err := tool.NewDispatcher(tool.Config{}, Calculator{}, Clock{}, NewSearchThreads(shelf{}), NewFetchURL(FetchConfig{Resolver: silent(t)}))
	if err != nil {
		t.Fatal(err)
	}
	user := switchboard.NewUserID("test", "", "ann")
	thread := switchboard.NewThreadID(user, "first")
	caller := tool.Caller{User: user, Thread: thread, Granted: []string{"calculator", "clock", "search_threads", "fetch_url"}}
	if all, err := d.Definitions(t.Context(), caller); err != nil || len(all) != 4 {
		t.Errorf("%d definitions, %v", len(all), err)
	}
	for _, tc := range []struct {
		tool, args string
		decision   switchboard.Decision
		status     switchboard.CallStatus
		approval   bool
	}{
		{"calculator", `{"expression":"17*24"}`, "", switchboard.CallOK, false},
		{"calculator", `{"expression":"9^9^9^9"}`, "", switchboard.CallError, false},
		{"calculator", `{"expression":""}`, "", switchboard.CallError, false},
		{"calculator", `{"Expression":"1"}`, "", switchboard.CallError, false},
		{"clock", ``, "", switchboard.CallOK, false},
		{"clock", `{"zone":7}`, "", switchboard.CallError, false},
		{"search_threads", `{"query":"cat","limit":20}`, "", switchboard.CallOK, false},
		{"search_threads", `{"query":"cat","limit":2e0}`, "", switchboard.CallOK, false},
		{"search_threads", `{"query":"cat","limit":21}`, "", switchboard.CallError, false},
		{"search_threads", `{"query":"cat","user":"bob"}`, "", switchboard.CallError, false},
		{"fetch_url", `{"url":"http://127.0.0.1/"}`, "", switchboard.CallError, true},
		{"fetch_url", `{"url":"http://127.0.0.1/"}`, switchboard.Approve, switchboard.CallError, true},
		{"fetch_url", `{"url":"http://127.0.0.1/"}`, switchboard.Deny, switchboard.CallDenied, true},
	} {
		call := switchboard.Call{CallID: thread.Run(1).Call(1, 0), Tool: tc.tool, Arguments: json.RawMessage(tc.args)}
		if got := d.NeedsApproval(t.Context(), caller, call); got != tc.approval {
			t.Errorf("%s %s: needs approval: %v", tc.tool, tc.args, got)
		}
		var rec list
		if err := d.Dispatch(t.Context(), caller, tool.Request{Call: call, Decision: tc.decision}, &rec); err != nil || len(rec) != 2 {
			t.Fatalf("%s %s: %v, %d events", tc.tool, tc.args, err, len(rec))
		}
		if c := rec[1].(*switchboard.ToolCompletedEvent); c.Status != tc.status {
			t.Errorf("%s %s: %s %s %s", tc.tool, tc.args, c.Status, c.Result, c.Error)
		}
	}
}
