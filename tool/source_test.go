package tool

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/netra-systems/switchboard"
)

// TestReplace: a source's tools come, change and go; a call of one that is gone ends like that of an unknown tool.
func TestReplace(t *testing.T) {
	d := dispatcher(t, Config{Policies: map[string]Policy{"crm_secret": {Denied: true}, "crm_*": {Approval: ApprovalNever}}}, named("clock", nil))
	all := ann.may("*", "crm_write")
	sees := func(want string) {
		t.Helper()
		if got := names(definitions(t, d, all)); got != want {
			t.Errorf("sees %q, want %q", got, want)
		}
	}
	old, write := named("crm_find", nil), writer("crm_write")
	d.Replace("crm", []Tool{old, write, named("crm_secret", nil)})
	sees("clock crm_find crm_write")
	if c := end(t, d, all, Request{Call: ann.call("crm_write", `{}`)}); c.Status != switchboard.CallOK {
		t.Errorf("the policy does not reach a tool of a source: %s %s", c.Status, c.Error)
	}
	newer := named("crm_find", nil)
	d.Replace("crm", []Tool{newer})
	sees("clock crm_find")
	end(t, d, all, Request{Call: ann.call("crm_find", `{}`)})
	if old.calls() != 0 || newer.calls() != 1 {
		t.Errorf("the old one ran %d times, the new one %d times", old.calls(), newer.calls())
	}
	d.Replace("crm", nil)
	sees("clock")
	for _, r := range []Request{{Call: ann.call("crm_find", `{}`)}, {Call: ann.call("nothing", `{}`)}} {
		if c := end(t, d, all, r); c.Status != switchboard.CallError || c.Error != "no such tool" {
			t.Errorf("%s: %s %q", r.Call.Tool, c.Status, c.Error)
		}
	}
}

// TestReplaceLeavesOut: a bad tool is left out with a line, the others stay.
func TestReplaceLeavesOut(t *testing.T) {
	var out bytes.Buffer
	d := dispatcher(t, Config{Log: slog.New(slog.NewTextHandler(&out, nil))}, named("fetch_url", nil))
	bad := named("crm_bad", nil)
	bad.def.Schema = json.RawMessage(`{"type":"object","properties":{"a":{"$ref":"https://example.com/x"}}}`)
	hidden := named("crm_hidden", nil)
	hidden.def.Description, hidden.def.Title = "Finds.\n\x1b[31mRed\u202e "+string([]rune{'a', 0xE0041, 0xE007F, 'b'}), "a\x00b"
	d.Replace("crm", []Tool{named("crm_a", nil), bad, named("crm a", nil), named("crm-a", nil), named("fetchurl", nil), hidden})
	got := definitions(t, d, ann.may("*"))
	if names(got) != "crm_a crm_hidden fetch_url" {
		t.Errorf("sees %s", names(got))
	}
	if got[1].Description != "Finds.\n [31mRed  ab" || got[1].Title != "a b" {
		t.Errorf("%q %q", got[1].Description, got[1].Title)
	}
	if n := strings.Count(out.String(), "a tool is left out"); n != 4 {
		t.Errorf("%d lines: %s", n, &out)
	}
}

// TestSourceTwins: what a name means does not depend on which source came first, and the name with the more special
// owner is its owner's; it goes to the other when the owner has it no more.
func TestSourceTwins(t *testing.T) {
	for _, order := range [][]string{{"git", "git_hub"}, {"git_hub", "git"}} {
		d := dispatcher(t, Config{}, named("git_status", nil))
		tools := map[string][]Tool{
			"git":     {named("git_hub_delete", returns(`"git"`, nil)), named("git-status", returns(`"git"`, nil))},
			"git_hub": {named("git_hub_delete", returns(`"git_hub"`, nil))},
		}
		for _, s := range order {
			d.Replace(s, tools[s])
		}
		ask := func(want string) {
			t.Helper()
			c := end(t, d, ann.may("*"), Request{Call: ann.call("git_hub_delete", `{}`)})
			if string(c.Result) != want {
				t.Errorf("%s: %s, want %s", order, c.Result, want)
			}
		}
		ask(`"git_hub"`)
		if got := names(definitions(t, d, ann.may("*"))); got != "git_hub_delete git_status" {
			t.Errorf("%s: sees %s", order, got)
		}
		d.Replace("git_hub", nil)
		ask(`"git"`)
	}
}

// TestWithdrawnWhileWaiting: a call that waited for its turn does not run a tool that has been withdrawn or changed.
func TestWithdrawnWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		slow := named("slow", func(context.Context, Invocation) (json.RawMessage, error) { <-release; return nil, nil })
		old, newer := named("crm_a", nil), named("crm_a", nil)
		d := dispatcher(t, limits(func(l *switchboard.Limits) { l.ToolCallsPerUser = 1 }), slow)
		d.Replace("crm", []Tool{old})
		var wg sync.WaitGroup
		wg.Go(func() { end(t, d, ann.may("slow"), Request{Call: ann.call("slow", `{}`)}) })
		synctest.Wait()
		wg.Go(func() {
			if c := end(t, d, ann.may("crm_a"), Request{Call: ann.call("crm_a", `{}`)}); c.Error != "no such tool" {
				t.Errorf("%s %q", c.Status, c.Error)
			}
		})
		synctest.Wait()
		d.Replace("crm", []Tool{newer})
		close(release)
		wg.Wait()
		if old.calls()+newer.calls() != 0 {
			t.Error("it ran")
		}
	})
}

// TestSourcesConcurrently: tools come and go while they are listed and called; every call ends.
func TestSourcesConcurrently(t *testing.T) {
	l := limits(func(l *switchboard.Limits) { l.ToolCallsPerMinute = 1 << 30 })
	d := dispatcher(t, l, named("clock", nil))
	var wg sync.WaitGroup
	for s := range 4 {
		wg.Go(func() {
			source := fmt.Sprint("s", s)
			for i := range 200 {
				if i%2 == 0 {
					d.Replace(source, []Tool{named(source+"_a", nil), named("shared", nil)})
				} else {
					d.Replace(source, nil)
				}
			}
		})
		wg.Go(func() {
			for range 200 {
				definitions(t, d, ann.may("*"))
				c := end(t, d, ann.may("*"), Request{Call: ann.call("shared", `{}`)})
				if c.Status != switchboard.CallOK && c.Error != "no such tool" {
					t.Errorf("%s %q", c.Status, c.Error)
				}
			}
		})
	}
	wg.Wait()
	if got := names(definitions(t, d, ann.may("*"))); got != "clock" {
		t.Errorf("in the end: %s", got)
	}
}
