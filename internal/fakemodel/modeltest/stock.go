package modeltest

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard/internal/machine"
)

// StockAgent runs the agent that is made with the stock AG-UI SDK until the test ends, and returns its URL. dir is where
// model/agui/testdata/npm is, seen from the test.
func StockAgent(t *testing.T, dir string) string {
	t.Helper()
	_, err := exec.LookPath("node")
	_, missing := os.Stat(filepath.Join(dir, "node_modules", "@ag-ui", "core"))
	machine.Needs(t, machine.Node, err == nil && missing == nil, "install Node and run npm ci in model/agui/testdata/npm")
	cmd := exec.Command("node", "agent.mjs")
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return "http://127.0.0.1:" + strings.TrimSpace(port) + "/"
}
