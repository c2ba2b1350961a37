package tool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netra-systems/switchboard"
)

// writer is a tool that writes.
func writer(name string) *fake {
	f := named(name, nil)
	f.def.ReadOnly = false
	return f
}

func names(ds []Definition) string {
	var out []string
	for _, d := range ds {
		out = append(out, d.Name)
	}
	return strings.Join(out, " ")
}

// end dispatches a call and returns its end.
func end(t testing.TB, d *Dispatcher, c Caller, r Request) *switchboard.ToolCompletedEvent {
	t.Helper()
	var rec tape
	if err := d.Dispatch(t.Context(), c, r, &rec); err != nil {
		t.Fatal(err)
	}
	return rec.events[len(rec.events)-1].(*switchboard.ToolCompletedEvent)
}

// TestApprovalPolicy: a person is asked for what writes unless the operator says otherwise, and nothing that must be
// agreed to runs without it.
func TestApprovalPolicy(t *testing.T) {
	for _, tc := range []struct {
		policy         Approval
		readOnly, asks bool // of the tool
		want           bool
	}{
		{"", true, false, false}, {"", true, true, true}, {"", false, false, true}, {"", false, true, true},
		{ApprovalWrites, true, true, false}, {ApprovalWrites, false, false, true},
		{ApprovalNever, true, true, false}, {ApprovalNever, false, true, false},
		{ApprovalAlways, true, false, true}, {ApprovalAlways, false, false, true},
	} {
		t.Run(fmt.Sprintf("%q %v %v", tc.policy, tc.readOnly, tc.asks), func(t *testing.T) {
			f := named("tool", nil)
			f.def.ReadOnly, f.def.Approval = tc.readOnly, tc.asks
			d := dispatcher(t, Config{Policies: map[string]Policy{"tool": {Approval: tc.policy}}}, f)
			r := Request{Call: ann.call("tool", `{}`)}
			if got := d.NeedsApproval(t.Context(), ann.may("tool"), r.Call); got != tc.want {
				t.Errorf("asked for: %v", got)
			}
			if got := definitions(t, d, ann.may("tool"))[0].Approval; got != tc.want {
				t.Errorf("told: %v", got)
			}
			if c := end(t, d, ann.may("tool"), r); (c.Status == switchboard.CallOK) == tc.want || f.calls() > 0 == tc.want {
				t.Errorf("without a word: %s after %d runs", c.Status, f.calls())
			}
			r.Decision = switchboard.Approve
			if c := end(t, d, ann.may("tool"), r); c.Status != switchboard.CallOK {
				t.Errorf("approved: %s", c.Status)
			}
		})
	}
}

// TestGrants: a beginning of names grants what reads; what writes must be named.
func TestGrants(t *testing.T) {
	d := dispatcher(t, Config{}, named("crm_read", nil), writer("crm_write"), named("crmx", nil), named("other", nil))
	for list, want := range map[string]string{
		"": "", "crm_*": "crm_read", "*": "crm_read crmx other", "crm_write": "crm_write", "crm_* crm_write": "crm_read crm_write",
		"crm*": "crm_read crmx", "crm": "", "crm_write*": "", "CRM_*": "", "?*": "",
	} {
		c := ann.may(strings.Fields(list)...)
		if got := names(definitions(t, d, c)); got != want {
			t.Errorf("%q grants %q, want %q", list, got, want)
		}
		r := Request{Call: ann.call("crm_write", `{}`), Decision: switchboard.Approve}
		if got := end(t, d, c, r); (got.Status == switchboard.CallOK) != strings.Contains(want, "crm_write") {
			t.Errorf("%q: the writing tool %s %s", list, got.Status, got.Error)
		}
	}
}

// TestPolicyOf: a tool's own policy counts, else that of the longest beginning.
func TestPolicyOf(t *testing.T) {
	ps := policies{"*": {Timeout: 1}, "a_*": {Timeout: 2}, "a_b*": {Timeout: 3}, "a_bc": {Timeout: 4}}
	for name, want := range map[string]time.Duration{"z": 1, "a_x": 2, "a_b": 3, "a_bcd": 3, "a_bc": 4} {
		if got := ps.of(name).Timeout; got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	if got := (policies{"a*": {Denied: true}}).of("b"); got.Denied {
		t.Error("a policy for others holds")
	}
	for what, ps := range map[string]policies{
		"approval": {"a": {Approval: "sometimes"}}, "timeout": {"a": {Timeout: -1}}, "roles": {"a": {Roles: []string{""}}},
		"not a tool's name": {"a b": {}}, "the beginning": {"a*b": {}}, `""`: {"": {}},
	} {
		if _, err := NewDispatcher(Config{Policies: ps}); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestDeniedTool: a tool that is taken away is answered like one that does not exist.
func TestDeniedTool(t *testing.T) {
	f := named("tool", nil)
	d := dispatcher(t, Config{Policies: map[string]Policy{"tool": {Denied: true}}}, f)
	if got := definitions(t, d, ann.may("tool")); len(got) != 0 {
		t.Errorf("told: %v", got)
	}
	if c := end(t, d, ann.may("tool"), Request{Call: ann.call("tool", `{}`)}); c.Error != "no such tool" || f.calls() != 0 {
		t.Errorf("%s %q", c.Status, c.Error)
	}
}

// people are the roles of users, which change.
type people struct {
	mu    sync.Mutex // guards what follows
	roles map[switchboard.UserID][]string
	err   error
	asked int
}

func (p *people) of(_ context.Context, u switchboard.UserID) ([]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	if p.err != nil {
		return nil, p.err
	}
	roles, ok := p.roles[u]
	if !ok {
		return nil, switchboard.Errorf(switchboard.NotFound, "no such user")
	}
	return roles, nil
}

func (p *people) set(u switchboard.UserID, roles []string, gone bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
	if p.roles[u] = roles; gone {
		delete(p.roles, u)
	}
}

// TestRoles: a tool for some roles does not exist for others; a role that is lost, and a user who is gone, count within
// five seconds; while it cannot be told, nothing runs.
func TestRoles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id := ann.id()
		p := &people{roles: map[switchboard.UserID][]string{id: {"operator", "user"}}}
		ops, all := named("ops", nil), named("all", nil)
		d := dispatcher(t, Config{Roles: p.of, Policies: map[string]Policy{"ops": {Roles: []string{"admin", "operator"}}}}, ops, all)
		caller := ann.may("ops", "all")
		sees := func(want string) {
			t.Helper()
			got, err := d.Definitions(t.Context(), caller)
			if err != nil || names(got) != want {
				t.Errorf("sees %q, %v, want %q", names(got), err, want)
			}
			for name, f := range map[string]*fake{"ops": ops, "all": all} {
				before := f.calls()
				c := end(t, d, caller, Request{Call: ann.call(name, `{}`)})
				may := strings.Contains(want, name)
				if ran := f.calls() > before; ran != may || (c.Error == "no such tool") == may {
					t.Errorf("%s: ran %v, %s %q", name, ran, c.Status, c.Error)
				}
			}
		}
		sees("all ops")
		if p.asked != 1 {
			t.Errorf("asked %d times within a moment", p.asked)
		}
		p.set(id, []string{"user"}, false, nil)
		time.Sleep(5 * time.Second)
		sees("all")
		p.set(id, nil, true, nil)
		time.Sleep(5 * time.Second)
		sees("")
		if d.NeedsApproval(t.Context(), caller, ann.call("ops", `{}`)) {
			t.Error("somebody who is gone is asked for")
		}
		p.set(id, nil, false, errors.New("10.0.0.7 does not answer"))
		time.Sleep(5 * time.Second)
		if _, err := d.Definitions(t.Context(), caller); err == nil {
			t.Error("told without knowing")
		}
		before := all.calls()
		c := end(t, d, caller, Request{Call: ann.call("all", `{}`)})
		if c.Status != switchboard.CallError || !strings.Contains(c.Error, "try again") || strings.Contains(c.Error, "10.0") || all.calls() != before {
			t.Errorf("%s %q", c.Status, c.Error)
		}
		p.set(id, []string{"user"}, false, nil)
		sees("all") // what could not be told is not remembered
	})
}

// TestGoneWhileWaiting: a call that waited for its turn does not start for a user who is gone by then.
func TestGoneWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &people{roles: map[switchboard.UserID][]string{ann.id(): {"user"}}}
		release := make(chan struct{})
		slow := named("slow", func(context.Context, Invocation) (json.RawMessage, error) { <-release; return nil, nil })
		quick := named("quick", nil)
		c := limits(func(l *switchboard.Limits) { l.ToolCallsPerUser = 1 })
		c.Roles = p.of
		d := dispatcher(t, c, slow, quick)
		var wg sync.WaitGroup
		wg.Go(func() { end(t, d, ann.may("slow"), Request{Call: ann.call("slow", `{}`)}) })
		synctest.Wait()
		wg.Go(func() {
			if c := end(t, d, ann.may("quick"), Request{Call: ann.call("quick", `{}`)}); c.Error != "no such tool" {
				t.Errorf("%s %q", c.Status, c.Error)
			}
		})
		synctest.Wait()
		p.set(ann.id(), nil, true, nil)
		time.Sleep(5 * time.Second)
		close(release)
		wg.Wait()
		if quick.calls() != 0 {
			t.Error("it ran")
		}
	})
}
