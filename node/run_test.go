package node_test

import (
	"bufio"
	"context"
	"os"
	"regexp"
	"testing"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/agent"
	"github.com/netra-systems/switchboard/client"
	"github.com/netra-systems/switchboard/node"
)

// TestRun serves an agent in Go as a program of somebody else would, and asks it; the usual assistant is there too.
func TestRun(t *testing.T) {
	t.Setenv("SWITCHBOARD_DATA", t.TempDir())
	t.Setenv("SWITCHBOARD_LISTEN", "127.0.0.1:0")
	t.Setenv("SWITCHBOARD_ADMIN_PASSWORD", "correct horse battery")
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = in
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- node.Run(ctx, agent.Agent{Name: "echo", Run: func(_ context.Context, r *agent.Run) (string, error) { return "You said: " + r.Text(), nil }})
		in.Close()
	}()
	defer func() { os.Stdout = stdout }()
	defer out.Close()
	url := ""
	for lines := bufio.NewScanner(out); url == "" && lines.Scan(); {
		url = regexp.MustCompile(`http://\S+`).FindString(lines.Text())
	}
	if url == "" {
		t.Fatalf("it does not serve: %v", <-ended)
	}
	cfg := client.Config{URL: url}
	session, err := client.Login(t.Context(), cfg, "admin", "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Token = session.Token
	c, err := client.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if agents, err := c.Agents(t.Context()); err != nil || len(agents) != 2 || agents[0].Name != "echo" || agents[1].Name != "assistant" {
		t.Errorf("agents %+v, %v", agents, err)
	}
	if _, err := c.Send(t.Context(), switchboard.UserMessage{Text: "hello"}, ""); err != nil {
		t.Fatal(err)
	}
	for u := range c.Updates() {
		if u.Event == nil {
			continue
		}
		if p, ok := u.Event.Payload.(*switchboard.AgentCompletedEvent); ok {
			if p.Text != "You said: hello" {
				t.Errorf("the answer is %q", p.Text)
			}
			break
		}
	}
	c.Close()
	stop()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}
