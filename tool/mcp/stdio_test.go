package mcp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/tool"
)

const offeredAll = "a: a_big a_die a_die_writing a_echo a_env a_fail a_mixed a_redefine a_refuse a_restore a_slow a_spawn a_structured ."

// TestProgram: a program's tools are offered, with its hints; results are what it says; its environment is what its
// settings say and nothing else.
func TestProgram(t *testing.T) {
	t.Setenv("CANARY", "of the node")
	g := newRig(t, newPins(t), program("a", "server", `TOKEN={{secret "token"}}`))
	g.offers.await(t, offeredAll, 1)
	for _, d := range g.definitions() {
		reads := d.Name != "a_die_writing" && d.Name != "a_redefine" && d.Name != "a_restore" && d.Name != "a_spawn"
		if d.ReadOnly != reads || d.Destructive == reads || d.Idempotent != reads || !strings.HasPrefix(d.Description, "The tool ") {
			t.Errorf("%+v", d)
		}
	}
	g.wants(g.call(ann, "a_echo", `{"a":[1,2]}`), switchboard.CallOK, `{"a":[1,2]}`, "")
	g.wants(g.call(ann, "a_mixed", `{}`), switchboard.CallOK, `"one\n[image image/png, 5 bytes]\n[resource file:///a text/plain]\ntwo"`, "")
	g.wants(g.call(ann, "a_structured", `{}`), switchboard.CallOK, `{"id":9007199254740993}`, "")
	g.wants(g.call(ann, "a_fail", `{}`), switchboard.CallError, "", "no  [31mluck")
	g.wants(g.call(ann, "a_refuse", `{}`), switchboard.CallError, "", "not today")
	g.wants(g.call(ann, "a_echo", `[]`), switchboard.CallError, "", "must be a JSON object")
	want := fmt.Sprintf(`"PATH=%s\nHOME=%s\nROLE=server\nTOKEN=s3cret-token"`, os.Getenv("PATH"), os.Getenv("HOME"))
	g.wants(g.call(ann, "a_env", `{}`), switchboard.CallOK, want, "")
	if big := g.call(ann, "a_big", `{"bytes":1000000}`); big.Status != switchboard.CallOK || !big.Truncated || len(big.Result) > switchboard.DefaultLimits().ToolResultBytes {
		t.Errorf("%s, truncated %v, %d bytes", big.Status, big.Truncated, len(big.Result))
	}
	if log := g.log.String(); strings.Contains(log, "s3cret") {
		t.Errorf("a secret is in the log: %s", log)
	}
}

// TestCrash: a program that dies under a call is started again; the call ends as an error, or as unknown if it may have
// done something; it is not sent again.
func TestCrash(t *testing.T) {
	g := newRig(t, newPins(t), program("a", "server"))
	g.log.await(t, "is connected", 1)
	g.wants(g.call(ann, "a_die", `{}`), switchboard.CallError, "", "connection to the tool's server was lost")
	g.wants(g.call(ann, "a_echo", `{"a":1}`), switchboard.CallOK, `{"a":1}`, "") // it waits for the new one
	g.wants(g.call(ann, "a_die_writing", `{}`), switchboard.CallUnknown, "", "may have taken effect")
	g.wants(g.call(ann, "a_echo", `{"a":2}`), switchboard.CallOK, `{"a":2}`, "")
	if n := strings.Count(g.log.String(), "is connected"); n != 3 {
		t.Errorf("connected %d times: %s", n, g.log)
	}
	if n := strings.Count(g.offers.String(), "a:"); n != 1 {
		t.Errorf("the same tools were offered %d times", n)
	}
}

// TestTooLong: a message that is longer than any is taken costs the server its session, and nobody else anything.
func TestTooLong(t *testing.T) {
	g := newRig(t, newPins(t), program("a", "server"))
	g.log.await(t, "is connected", 1)
	g.wants(g.call(ann, "a_big", fmt.Sprintf(`{"bytes":%d}`, 17<<20)), switchboard.CallError, "", "connection to the tool's server was lost")
	g.wants(g.call(ann, "a_echo", `{}`), switchboard.CallOK, `{}`, "")
}

// TestBadPrograms: those that say nothing, say rubbish, or die at once are tried again with growing waits, and the node
// and the good ones go on. What they say on their error output is in the log, cut and cleaned.
func TestBadPrograms(t *testing.T) {
	deaf := program("deaf", "deaf")
	deaf.StartTimeout = time.Second
	g := newRig(t, newPins(t), deaf, program("garbage", "garbage"), program("crash", "crash"), Config{Name: "missing", Command: "/no/such/program"}, program("a", "server"))
	g.offers.await(t, offeredAll, 1)
	g.wants(g.call(ann, "a_echo", `{}`), switchboard.CallOK, `{}`, "")
	for _, name := range []string{"deaf", "garbage", "crash", "missing"} {
		g.log.await(t, fmt.Sprintf(`msg="an MCP server is away" server=%s`, name), 2)
	}
	g.log.await(t, "I die  [31malways ", 2)
	for line := range strings.Lines(g.log.String()) {
		if len(line) > 2000 || strings.ContainsAny(strings.TrimSuffix(line, "\n"), "\x00\x1b\n") {
			t.Errorf("line of %d bytes: %.100q", len(line), line)
		}
	}
	g.wants(g.call(ann, "crash_x", `{}`), switchboard.CallError, "", "no such tool")
	g.stop() // Run returns though one of them does not listen
}

// TestLegacy: a server that does not answer the newer greeting at all is greeted in the older way.
func TestLegacy(t *testing.T) {
	c := program("a", "legacy")
	c.StartTimeout = 2 * time.Second
	g := newRig(t, newPins(t), c)
	g.offers.await(t, "a: a_old .", 1)
}

// TestHangs: a program that hangs for good at a call is started again once the call's time is up.
func TestHangs(t *testing.T) {
	c := program("a", "legacy")
	c.StartTimeout, c.Timeout = 2*time.Second, time.Second
	g := newRig(t, newPins(t), c)
	g.log.await(t, "is connected", 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if end, err := g.dispatch(ctx, ann, "a_old", `{}`, nil); err != context.DeadlineExceeded {
		t.Errorf("%+v, %v", end, err)
	}
	g.log.await(t, "is connected", 2)
}

// TestGroup: when the node stops, and when a program dies, nothing is left of what it started.
func TestGroup(t *testing.T) {
	at, next := phone(t)
	g := newRig(t, newPins(t), program("a", "server"))
	g.log.await(t, "is connected", 1)
	gone := func(conn io.Reader, when string) {
		t.Helper()
		if b, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) || len(b) > 0 {
			t.Errorf("%s it lives: %q %v", when, b, err)
		}
	}
	g.wants(g.call(ann, "a_spawn", fmt.Sprintf(`{"at":%q}`, at)), switchboard.CallOK, `"started"`, "")
	first := next()
	g.call(ann, "a_die", `{}`)
	gone(first, "when its parent has died")
	g.wants(g.call(ann, "a_spawn", fmt.Sprintf(`{"at":%q}`, at)), switchboard.CallOK, `"started"`, "")
	second := next()
	g.stop()
	gone(second, "when the node has stopped")
}

// TestProgressAndCancel: what a server tells of its progress is passed on; a call that is stopped is cancelled there.
func TestProgressAndCancel(t *testing.T) {
	at, next := phone(t)
	g := newRig(t, newPins(t), program("a", "server"))
	g.log.await(t, "is connected", 1)
	stop := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	told := make(chan tool.Progress, 1)
	ended := make(chan error, 1)
	go func() {
		_, err := g.dispatch(ctx, ann, "a_slow", fmt.Sprintf(`{"at":%q}`, at), func(p tool.Progress) { told <- p })
		ended <- err
	}()
	conn := next()
	if p := <-told; p != (tool.Progress{Progress: 1, Total: 3, Text: "a  [31mthird"}) && p != (tool.Progress{Progress: 1, Total: 3, Text: "a [31mthird"}) {
		t.Errorf("told %+v", p)
	}
	cancel(stop)
	if err := <-ended; err != stop {
		t.Errorf("ended with %v", err)
	}
	if b, err := io.ReadAll(conn); err != nil || string(b) != "cancelled" {
		t.Errorf("the server was told %q, %v", b, err)
	}
	g.wants(g.call(ann, "a_echo", `{}`), switchboard.CallOK, `{}`, "") // the session is as good as before
	if n := strings.Count(g.log.String(), "is connected"); n != 1 {
		t.Errorf("connected %d times", n)
	}
}

// TestRedefined: a tool that changes under its name is withdrawn until it is allowed, comes back by itself if it goes
// back, and is remembered by other nodes and after a restart.
func TestRedefined(t *testing.T) {
	pins := newPins(t)
	g := newRig(t, pins, program("a", "server"))
	g.offers.await(t, offeredAll, 1)
	without := strings.Replace(offeredAll, "a_echo ", "", 1)
	g.call(ann, "a_redefine", `{}`)
	g.offers.await(t, without, 1)
	g.log.await(t, "is withdrawn", 1)
	g.wants(g.call(ann, "a_echo", `{}`), switchboard.CallError, "", "no such tool")
	g.call(ann, "a_restore", `{}`)
	g.offers.await(t, offeredAll, 2)
	g.wants(g.call(ann, "a_echo", `{}`), switchboard.CallOK, `{}`, "")
	if err := Allow(t.Context(), pins, "a", "a_echo", strings.Repeat("0", 12)); switchboard.CodeOf(err) != switchboard.Conflict {
		t.Errorf("allowed though nothing has changed: %v", err)
	}
	g.call(ann, "a_redefine", `{}`)
	g.offers.await(t, without, 2)
	all, err := List(t.Context(), pins)
	changed, hash := "", ""
	for _, p := range all {
		if p.Changed {
			changed += p.Server + "/" + p.Tool
			hash = p.Hash
			if p.Known == p.Offered || !strings.Contains(p.Known, `"name":"echo"`) || !strings.Contains(p.Offered, `"name":"echo"`) {
				t.Errorf("known %s, offered %s", p.Known, p.Offered)
			}
		}
	}
	if err != nil || len(all) != 13 || changed != "a/a_echo" {
		t.Errorf("%d pins, changed %q, %v", len(all), changed, err)
	}
	if err := Allow(t.Context(), pins, "a", "a_nothing", hash); switchboard.CodeOf(err) != switchboard.NotFound {
		t.Errorf("allowed what nobody has seen: %v", err)
	}
	for other, code := range map[string]switchboard.Code{"": switchboard.Invalid, hash[:8]: switchboard.Invalid, strings.Repeat("0", 64): switchboard.Conflict} {
		if err := Allow(t.Context(), pins, "a", "a_echo", other); switchboard.CodeOf(err) != code || switchboard.AsError(err).Field != "hash" {
			t.Errorf("allowed as %q: %v", other, err)
		}
	}
	if err := Allow(t.Context(), pins, "a", "a_echo", hash[:12]); err != nil {
		t.Fatal(err)
	}
	g.servers.Recheck()
	g.offers.await(t, offeredAll, 3)
	g.wants(g.call(ann, "a_echo", `{}`), switchboard.CallOK, `"thanks"`, "")
	g.stop()
	again := newRig(t, pins, program("a", "server")) // which defines it as at first: that is a change now
	again.offers.await(t, without, 1)
	again.log.await(t, "is withdrawn", 1)
}
