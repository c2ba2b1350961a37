package node_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/agent"
	"github.com/netra-systems/switchboard/client"
	"github.com/netra-systems/switchboard/journal"
	"github.com/netra-systems/switchboard/journal/embed"
	"github.com/netra-systems/switchboard/node"
)

// A server with an agent of one's own: everything else is as `switchboard serve` has it.
func ExampleRun() {
	err := node.Run(context.Background(), agent.Agent{Name: "echo", Run: func(ctx context.Context, r *agent.Run) (string, error) {
		return "You said: " + r.Text(), nil
	}})
	fmt.Println(err)
}

// An agent in Go: what it does in a Step is done once, and so it goes on where it was when its server dies.
func ExampleNode() {
	counter := agent.Agent{Name: "counter", Run: func(ctx context.Context, r *agent.Run) (string, error) {
		n, err := agent.Step(ctx, r, "count", func(context.Context) (int, error) { return len(r.Text()), nil })
		return fmt.Sprint(n, " letters"), err
	}}
	if err := answer(counter, "Switchboard"); err != nil {
		fmt.Println(err)
	}
	// Output: 11 letters
}

// answer runs a node in a folder of its own until an agent has answered.
func answer(a agent.Agent, text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "switchboard")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	engine, err := embed.Start(embed.Config{Dir: dir})
	if err != nil {
		return err
	}
	defer engine.Close()
	n, err := node.Open(ctx, node.Config{
		Name: "example", Journal: journal.Config{Connect: engine.Connect}, Agents: []agent.Agent{a}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- n.Run(running) }()
	defer func() { stop(); <-ended }()
	if _, err := n.Accounts().AddAccount(ctx, "ada", "user", "correct horse battery"); err != nil {
		return err
	}
	token, err := n.Accounts().CreateToken(ctx, "ada", time.Hour)
	if err != nil {
		return err
	}
	server := httptest.NewServer(n.Handler())
	defer server.Close()
	c, err := client.Open(ctx, client.Config{URL: server.URL, Token: token})
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Send(ctx, switchboard.UserMessage{Text: text}, ""); err != nil {
		return err
	}
	for u := range c.Updates() {
		if u.Event == nil {
			continue
		}
		switch p := u.Event.Payload.(type) {
		case *switchboard.AgentCompletedEvent:
			fmt.Println(p.Text)
			return nil
		case *switchboard.AgentFailedEvent:
			return fmt.Errorf("%s: %s", p.Code, p.Message)
		}
	}
	return c.Err()
}
