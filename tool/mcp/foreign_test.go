package mcp

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/internal/machine"
	"github.com/netra-systems/switchboard/tool"
)

// foreign returns how to run a server of somebody else.
func foreign(t *testing.T, name string, args ...string) Config {
	t.Helper()
	node, err := exec.LookPath("node")
	main, _ := filepath.Abs(filepath.Join("testdata", "npm", "node_modules", "@modelcontextprotocol", "server-"+name, "dist", "index.js"))
	_, missing := os.Stat(main)
	machine.Needs(t, machine.Node, err == nil && missing == nil, "install Node and run npm ci in tool/mcp/testdata/npm")
	return Config{Name: "a", Command: node, Args: append([]string{main}, args...)}
}

// TestForeignProgram speaks with the reference server of the protocol as a program.
func TestForeignProgram(t *testing.T) {
	g := newRig(t, newPins(t), foreign(t, "everything", "stdio"))
	g.log.await(t, "is connected", 1)
	everything(g)
}

// everything tries what the reference server has.
func everything(g *rig) {
	g.t.Helper()
	g.t.Log(g.names())
	g.wants(g.call(ann, "a_echo", `{"message":"hello"}`), switchboard.CallOK, `"Echo: hello"`, "")
	g.wants(g.call(ann, "a_get-sum", `{"a":2,"b":3}`), switchboard.CallOK, `"The sum of 2 and 3 is 5."`, "")
	g.wants(g.call(ann, "a_get-sum", `{"a":"2","b":3}`), switchboard.CallError, "", "a: type")
	if end := g.call(ann, "a_get-tiny-image", `{}`); !strings.Contains(string(end.Result), "[image image/png, ") {
		g.t.Errorf("%s %.200s %s", end.Status, end.Result, end.Error)
	}
	if end := g.call(ann, "a_get-structured-content", `{"location":"New York"}`); !strings.HasPrefix(string(end.Result), `{"`) {
		g.t.Errorf("%s %.200s %s", end.Status, end.Result, end.Error)
	}
	var told []tool.Progress
	end, err := g.dispatch(g.t.Context(), ann, "a_trigger-long-running-operation", `{"duration":1,"steps":4}`, func(p tool.Progress) { told = append(told, p) })
	if err != nil || end.Status != switchboard.CallOK || len(told) < 3 || told[0].Total != 4 {
		g.t.Errorf("%v, %+v, told %v", err, end, told)
	}
}

// TestForeignFiles lets a file server write only what was agreed to, and read only what it was given.
func TestForeignFiles(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	g := newRig(t, newPins(t), foreign(t, "filesystem", dir))
	g.log.await(t, "is connected", 1)
	for _, d := range g.definitions() {
		if writes := strings.Contains("a_write_file a_edit_file a_move_file a_create_directory", d.Name); writes {
			t.Errorf("%s writes, and is granted by a beginning", d.Name)
		}
	}
	file := filepath.Join(dir, "a.txt")
	write := fmt.Sprintf(`{"path":%q,"content":"hello"}`, file)
	g.wants(g.call(ann, "a_write_file", write), switchboard.CallError, "", "no such tool")
	if err := os.WriteFile(file, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	if end := g.call(ann, "a_read_text_file", fmt.Sprintf(`{"path":%q}`, file)); !strings.Contains(string(end.Result), "hello") {
		t.Errorf("%s %s %s", end.Status, end.Result, end.Error)
	}
	g.wants(g.call(ann, "a_read_text_file", `{"path":"/etc/passwd"}`), switchboard.CallError, "", "Access denied")
}

// TestForeignHTTP speaks with the reference server by HTTP, and goes on after it was killed and started again.
func TestForeignHTTP(t *testing.T) {
	c := foreign(t, "everything", "streamableHttp")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	start := func() (kill func()) {
		t.Helper()
		cmd := exec.Command(c.Command, c.Args...)
		cmd.Env = append(os.Environ(), "PORT="+port)
		out, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		listening := make(chan bool, 1)
		go func() {
			for in := bufio.NewScanner(out); in.Scan(); {
				if strings.Contains(in.Text(), "listening on port") {
					listening <- true
				}
			}
			close(listening)
		}()
		kill = func() { cmd.Process.Kill(); cmd.Wait() }
		t.Cleanup(kill)
		if !<-listening {
			t.Fatal("it does not listen")
		}
		return kill
	}
	kill := start()
	g := newRig(t, newPins(t), Config{Name: "a", URL: "http://127.0.0.1:" + port + "/mcp"})
	g.log.await(t, "is connected", 1)
	everything(g)
	kill()
	g.call(ann, "a_echo", `{"message":"nobody is there"}`)
	start()
	g.log.await(t, "is connected", 2)
	g.wants(g.call(ann, "a_echo", `{"message":"again"}`), switchboard.CallOK, `"Echo: again"`, "")
}
