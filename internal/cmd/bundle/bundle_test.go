package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard/internal/machine"
)

const module = "../../.."

func needsNode(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("node")
	_, missing := os.Stat(filepath.Join(module, "web", "node_modules", library))
	machine.Needs(t, machine.Node, err == nil && missing == nil, "install Node and run npm ci in web")
}

// TestWireTypesAreCurrent compares web/src/wire.ts with what the root package says now.
func TestWireTypesAreCurrent(t *testing.T) {
	want, err := wireTypes(module)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(module, "web", "src", wireFile))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("web/src/wire.ts is not what the root package says: go run ./internal/cmd/bundle")
	}
}

func TestWireTypesSayEverything(t *testing.T) {
	types, err := wireTypes(module)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"  user_message: UserMessage;\n", "  user_message: UserMessageEvent;\n", "  agent_completed: AgentCompletedEvent;\n",
		"  caught_up: CaughtUp;\n", "  result?: unknown;\n", "  calls: Call[];\n", "  ids: FrameID[];\n", "  quality?: Quality;\n",
		`export type CallStatus = "ok" | "error" | "denied" | "expired" | "timeout" | "unknown";`,
		`export const terminalEvents: readonly string[] = ["agent_completed", "agent_failed", "agent_stopped"];`,
		`  4501: "unauthenticated",`, "export type DeleteThread = Record<string, never>;", "  payload: EventPayloads[T];",
	} {
		if !strings.Contains(string(types), want) {
			t.Errorf("no %q", want)
		}
	}
}

// TestDistIsCurrent compares web/dist with what web/src bundles to now.
func TestDistIsCurrent(t *testing.T) {
	needsNode(t)
	want, err := bundle(filepath.Join(module, "web"))
	if err != nil {
		t.Fatal(err)
	}
	dist := filepath.Join(module, "web", "dist")
	entries, err := os.ReadDir(dist)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(want) {
		t.Errorf("web/dist has %d files, the sources make %d", len(entries), len(want))
	}
	for name, body := range want {
		if got, err := os.ReadFile(filepath.Join(dist, name)); err != nil || !bytes.Equal(got, body) {
			t.Errorf("web/dist/%s is not what web/src bundles to: go run ./internal/cmd/bundle", name)
		}
	}
	if !bytes.Contains(want["app.js"], []byte("Copyright (c) 2015-present Jason Miller")) {
		t.Error("the bundle does not hold the licence of what it holds")
	}
}

func TestPackagesMissing(t *testing.T) {
	if _, err := bundle(t.TempDir()); !errors.Is(err, errNoPackages) {
		t.Errorf("%v", err)
	}
}

// TestTypes lets TypeScript check the page.
func TestTypes(t *testing.T) {
	needsNode(t)
	cmd := exec.Command("node", "node_modules/typescript/bin/tsc", "-p", ".")
	cmd.Dir = filepath.Join(module, "web")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
