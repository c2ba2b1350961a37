package client_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
	"github.com/netra-systems/switchboard/node"
)

// Log in, ask something and print the answer while it is written. The Client would survive a restart of the server in
// between.
func Example() {
	ctx := context.Background()
	url, stop := serveDemo()
	defer stop()

	cfg := client.Config{URL: url}
	session, err := client.Login(ctx, cfg, "admin", "correct horse battery")
	if err != nil {
		log.Fatal(err)
	}
	cfg.Token = session.Token
	c, err := client.Open(ctx, cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	ack, err := c.Send(ctx, switchboard.UserMessage{Text: "What is 6 * 7?"}, "")
	if err != nil {
		log.Fatal(err)
	}
	shown := ""
	for u := range c.Updates() {
		switch {
		case u.Text != nil && u.Text.RunID == ack.RunID && u.Text.Kind == switchboard.DeltaText:
			fmt.Print(u.Text.Text[len(shown):]) // Text is all of it so far
			shown = u.Text.Text
		case u.Event != nil && u.Event.RunID == ack.RunID:
			if p, ok := u.Event.Payload.(*switchboard.AgentCompletedEvent); ok {
				fmt.Println(p.Text[len(shown):]) // deltas may get lost, the event has everything
				return
			}
		}
	}
	// Output: 6 * 7 = 42
}

// A wrong password is an error of the server, with a code.
func ExampleLogin() {
	url, stop := serveDemo()
	defer stop()
	_, err := client.Login(context.Background(), client.Config{URL: url}, "admin", "wrong")
	fmt.Println(switchboard.CodeOf(err))
	// Output: unauthenticated
}

// A program that has saved the cursor of the last update it dealt with goes on from there, whatever happened meanwhile.
func ExampleOpen_cursor() {
	ctx := context.Background()
	url, stop := serveDemo()
	defer stop()
	cfg := loggedIn(ctx, url)
	c, err := client.Open(ctx, cfg)
	if err != nil {
		log.Fatal(err)
	}
	ack, err := c.Send(ctx, switchboard.UserMessage{Text: "What is 1 + 1?"}, "")
	if err != nil {
		log.Fatal(err)
	}
	var saved switchboard.Cursor
	for u := range c.Updates() {
		if u.Cursor != "" {
			saved = u.Cursor
		}
		if u.Event != nil && u.Event.Type == switchboard.AgentStarted {
			break
		}
	}
	c.Close() // the run goes on

	cfg.Cursor = saved
	if c, err = client.Open(ctx, cfg); err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	for u := range c.Updates() {
		if u.Event == nil || u.Event.RunID != ack.RunID {
			continue
		}
		fmt.Println(u.Event.N, u.Event.Type)
		if u.Event.Type.Terminal() {
			break
		}
	}
	// Output:
	// 3 agent_thinking
	// 4 agent_thinking
	// 5 agent_message
	// 6 tool_executing
	// 7 tool_completed
	// 8 agent_thinking
	// 9 agent_thinking
	// 10 agent_completed
}

// A tool with effects waits for a person.
func ExampleClient_Decide() {
	ctx := context.Background()
	url, stop := serveDemo()
	defer stop()
	c, err := client.Open(ctx, loggedIn(ctx, url))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Send(ctx, switchboard.UserMessage{Text: "Please fetch https://example.invalid/"}, ""); err != nil {
		log.Fatal(err)
	}
	for u := range c.Updates() {
		if u.Event == nil {
			continue
		}
		switch p := u.Event.Payload.(type) {
		case *switchboard.ToolApprovalRequiredEvent:
			fmt.Println("asked:", p.Tool)
			// Updates must be read while a method waits for its reply.
			go func() {
				_, err := c.Decide(ctx, switchboard.ToolDecision{CallID: string(p.CallID), Decision: switchboard.Deny, Reason: "not now"})
				if err != nil {
					log.Print(err)
				}
			}()
		case *switchboard.ToolDecidedEvent:
			fmt.Println("decided:", p.Decision, "by", p.By)
		case *switchboard.ToolCompletedEvent:
			fmt.Println("ended:", p.Status)
		case *switchboard.AgentCompletedEvent:
			return
		}
	}
	// Output:
	// asked: fetch_url
	// decided: deny by user
	// ended: denied
}

// The conversations of a user, and the events of one.
func ExampleClient_ListThreads() {
	ctx := context.Background()
	url, stop := serveDemo()
	defer stop()
	c, err := client.Open(ctx, loggedIn(ctx, url))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for u := range c.Updates() {
			if u.Event != nil && u.Event.Type.Terminal() {
				return
			}
		}
	}()
	if _, err := c.Send(ctx, switchboard.UserMessage{Text: "What is 2 + 3?"}, ""); err != nil {
		log.Fatal(err)
	}
	<-ended
	page, err := c.ListThreads(ctx, switchboard.ListThreads{Limit: 10})
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range page.Threads {
		events, next, err := c.GetThread(ctx, t.ThreadID, switchboard.GetThread{Limit: 2})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %s, %s; the next page is after %d\n", t.Title, events[0].Type, events[1].Type, next)
	}
	// Output: What is 2 + 3?: user_message, agent_started; the next page is after 2
}

// One connection without reconnecting: for tools that ask one thing.
func ExampleDial() {
	ctx := context.Background()
	url, stop := serveDemo()
	defer stop()
	conn, err := client.Dial(ctx, loggedIn(ctx, url))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	var pong switchboard.PingResult
	if err := conn.Do(ctx, switchboard.Message{Payload: &switchboard.Ping{}}, &pong); err != nil {
		log.Fatal(err)
	}
	fmt.Println(conn.Established().User.Name, time.Since(pong.Time.Time) < time.Hour)
	// Output: admin true
}

// loggedIn returns what a client of the demo needs.
func loggedIn(ctx context.Context, url string) client.Config {
	session, err := client.Login(ctx, client.Config{URL: url}, "admin", "correct horse battery")
	if err != nil {
		log.Fatal(err)
	}
	return client.Config{URL: url, Token: session.Token}
}

var page = regexp.MustCompile(`  page +(\S+)`)

// serveDemo starts a whole server, as `switchboard serve` does, on a folder and a port of its own.
func serveDemo() (url string, stop func()) {
	dir, err := os.MkdirTemp("", "switchboard-example-")
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	told, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- node.Serve(ctx, node.Settings{
			Listen: "127.0.0.1:0", Data: dir, AdminPassword: "correct horse battery", Model: "demo", FetchURL: true,
			Sync: 100 * time.Millisecond, LogLevel: "error", Name: "demo",
		}, out, io.Discard)
		out.Close()
	}()
	b := make([]byte, 4096)
	n, err := told.Read(b) // it tells all in one
	m := page.FindStringSubmatch(string(b[:n]))
	if err != nil || m == nil {
		log.Fatalf("the server did not start: %v", <-ended)
	}
	return strings.TrimSpace(m[1]), func() {
		cancel()
		if err := <-ended; err != nil {
			log.Print(err)
		}
		os.RemoveAll(dir)
	}
}
