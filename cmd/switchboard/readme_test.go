package main

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/netra-systems/switchboard/node"
)

var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// TestReadmeConfigs: the files that the README shows are good.
func TestReadmeConfigs(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := yamlBlock.FindAllSubmatch(text, -1)
	if len(blocks) == 0 {
		t.Fatal("the README shows no configuration")
	}
	for _, b := range blocks {
		path := filepath.Join(t.TempDir(), "readme.yaml")
		if err := os.WriteFile(path, b[1], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := node.CheckConfig(node.Settings{Config: path}); err != nil {
			t.Error(err)
		}
	}
}

// TestE2EReadme runs the commands of the README as they stand there, in an empty folder; only the port is another one,
// `go run` is the program that the test has built, and nobody sits at the chat.
func TestE2EReadme(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not there", program)
		}
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	free.Close()
	var blocks []string
	for _, m := range shellBlock.FindAllStringSubmatch(string(text), -1) {
		s := strings.NewReplacer("go run ./cmd/switchboard chat  ", "true ", "go run ./cmd/switchboard", "switchboard", "127.0.0.1:8080", addr).Replace(m[1])
		blocks = append(blocks, s)
	}
	if len(blocks) < 4 || !strings.Contains(blocks[0], "switchboard serve") || !strings.Contains(blocks[0], "make test") {
		t.Fatalf("the README has %d blocks of commands, the first of them %q", len(blocks), blocks)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-ec", strings.Join(blocks[1:], "\n")+"\necho the end")
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), briskly, "HOME="+cmd.Dir, "SWITCHBOARD_LISTEN="+addr, "SWITCHBOARD_URL=http://"+addr)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the server and the device go with it
	out, errs, ended := new(output), new(output), make(chan struct{})
	cmd.Stdout, cmd.Stderr = out, errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(ended); _ = cmd.Wait() }()
	defer func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		<-ended
	}()
	for _, want := range []string{
		`"type":"ack"|"duplicate":false`, `agent_started`, `tool_completed`, `agent_completed.*100`, // the ack and the device
		`12\.5 \* 8 = 100`, // the answer for scripts
		`200/200|200 of 200`, `the end`,
	} {
		found := out.await(regexp.MustCompile(want), ended)
		for range 4 { // two hundred runs take their time on a slow machine
			if found == nil {
				found = out.await(regexp.MustCompile(want), ended)
			}
		}
		if found == nil {
			t.Fatalf("no %s:\n%s\n%s", want, out.bytes(), errs.bytes())
		}
	}
}
