package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
	"github.com/netra-systems/switchboard/internal/fakemodel"
	"github.com/netra-systems/switchboard/internal/machine"
)

// npm is where the reference servers of MCP are.
const npm = "../../tool/mcp/testdata/npm/node_modules/@modelcontextprotocol"

// foreignServer returns the main file of a reference server.
func foreignServer(t *testing.T, name string) string {
	t.Helper()
	_, err := exec.LookPath("node")
	main, _ := filepath.Abs(filepath.Join(npm, "server-"+name, "dist", "index.js"))
	_, missing := os.Stat(main)
	machine.Needs(t, machine.Node, err == nil && missing == nil, "install Node and run npm ci in tool/mcp/testdata/npm")
	return main
}

// TestE2EMCP mounts two reference servers by a few lines of YAML and calls their tools in a chat: one call tells its
// progress, one is approved, and one ends as its server is killed; the server comes back, and its tools with it.
func TestE2EMCP(t *testing.T) {
	t.Parallel()
	fm, err := fakemodel.Start(fakemodel.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fm.Close() })
	dir := t.TempDir()
	files, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "my.yaml")
	text := fmt.Sprintf(`
models: {main: {provider: openai, model: m, base_url: %q}}
mcp:
  everything: {command: node, args: [%q, stdio]}
  files: {command: node, args: [%q, %q]}
agents:
  assistant: {tools: ["everything_*", "files_*", files_write_file]}
`, fm.URL(), foreignServer(t, "everything"), foreignServer(t, "filesystem"), files)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, dir, "--config", path)
	token := s.user(t, "ann")
	s.untilTools(t, token, "everything_echo", "files_write_file")
	h := newHistory()
	conn := h.connect(t, s, token)

	t.Run("progress", func(t *testing.T) {
		ack := say(t, conn, `[[fake:tool everything_trigger-long-running-operation {"duration":1,"steps":4}]]`)
		told := until(t, conn, "progress", func(f switchboard.Frame) bool {
			return f.Delta != nil && f.Delta.Payload.Kind == switchboard.DeltaToolProgress
		})
		completed(t, conn, switchboard.CallOK, "")
		untilEnd(t, conn, ack.RunID)
		t.Logf("progress: %+v", told.Delta.Payload)
	})
	t.Run("approval", func(t *testing.T) {
		file := filepath.Join(files, "a.txt")
		ack := say(t, conn, fmt.Sprintf(`[[fake:tool files_write_file {"path":%q,"content":"hello"}]]`, file))
		asked := untilType(t, conn, string(switchboard.ToolApprovalRequired)).Event.Payload.(*switchboard.ToolApprovalRequiredEvent)
		if _, err := os.Stat(file); err == nil {
			t.Error("the file was written before anybody agreed")
		}
		send(t, conn, client.NewID(), "", &switchboard.ToolDecision{CallID: string(asked.CallID), Decision: switchboard.Approve})
		completed(t, conn, switchboard.CallOK, "Successfully wrote")
		untilEnd(t, conn, ack.RunID)
		if b, err := os.ReadFile(file); err != nil || string(b) != "hello" {
			t.Errorf("the file holds %q, %v", b, err)
		}
	})
	t.Run("killed in the middle of a call", func(t *testing.T) {
		ack := say(t, conn, `[[fake:tool everything_trigger-long-running-operation {"duration":60,"steps":60}]]`)
		until(t, conn, "progress", func(f switchboard.Frame) bool {
			return f.Delta != nil && f.Delta.Payload.Kind == switchboard.DeltaToolProgress
		})
		killChildren(t, s, "server-everything")
		end := completed(t, conn, "", "")
		if end.Status == switchboard.CallOK || end.Error == "" {
			t.Errorf("the call ended %s: %s", end.Status, end.Error)
		}
		t.Logf("the call ended %s: %s", end.Status, end.Error)
		untilEnd(t, conn, ack.RunID)
		if s.err.await(connectedAnew, s.ended) == nil {
			t.Fatalf("it is not connected anew:\n%s", s.err.bytes())
		}
		ack = say(t, conn, `[[fake:tool everything_echo {"message":"again"}]]`)
		completed(t, conn, switchboard.CallOK, "Echo: again")
		untilEnd(t, conn, ack.RunID)
	})
	s.end(t, "TERM")
}

var connectedAnew = regexp.MustCompile(`server is away" [^\n]*server=everything (?s:.*)server is connected" [^\n]*server=everything `)

// completed waits for the end of a call and checks it; status "" takes any.
func completed(t *testing.T, conn *client.Conn, status switchboard.CallStatus, result string) *switchboard.ToolCompletedEvent {
	t.Helper()
	end := untilType(t, conn, string(switchboard.ToolCompleted)).Event.Payload.(*switchboard.ToolCompletedEvent)
	if status != "" && (end.Status != status || !strings.Contains(string(end.Result), result)) {
		t.Errorf("%s ended %s: %s %s", end.Tool, end.Status, end.Result, end.Error)
	}
	return end
}

// untilTools waits until a user may call tools of servers that are connected beside the start.
func (s *server) untilTools(t *testing.T, token string, names ...string) {
	t.Helper()
	for _, name := range names {
		for {
			changed := s.err.next()
			var list struct{ Tools []struct{ Name string } }
			a := s.do(t, "GET", "/api/v1/tools", "", "Authorization", "Bearer "+token)
			if err := json.Unmarshal(a.body, &list); err != nil {
				t.Fatalf("tools: %d %s", a.status, a.body)
			}
			if strings.Contains(string(a.body), `"name":"`+name+`"`) {
				break
			}
			select {
			case <-changed: // the server logs when another one is connected
			case <-t.Context().Done():
				t.Fatalf("no tool %s: %s", name, a.body)
			}
		}
	}
}

// killChildren kills the processes that the server has started with such arguments.
func killChildren(t *testing.T, s *server, arguments string) {
	t.Helper()
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", s.cmd.Process.Pid)) // its pattern is one
	killed := 0
	for _, task := range tasks {
		children, _ := os.ReadFile(task) // none, if the thread has ended meanwhile
		for _, field := range strings.Fields(string(children)) {
			line, _ := os.ReadFile("/proc/" + field + "/cmdline")
			pid, err := strconv.Atoi(field)
			if err == nil && strings.Contains(string(line), arguments) && syscall.Kill(pid, syscall.SIGKILL) == nil {
				killed++
			}
		}
	}
	if killed == 0 {
		t.Fatalf("no child of the server runs %s", arguments)
	}
}
