package node

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/agent"
	"github.com/netra-systems/switchboard/auth"
	"github.com/netra-systems/switchboard/auth/control"
	"github.com/netra-systems/switchboard/journal"
	"github.com/netra-systems/switchboard/journal/journaltest"
	"github.com/netra-systems/switchboard/model/scripted"
	"github.com/netra-systems/switchboard/tool"
	"github.com/netra-systems/switchboard/tool/mcp"
)

// TestMain runs this very program as an MCP server when the environment says so.
func TestMain(m *testing.M) {
	if about, ok := os.LookupEnv("ABOUT"); ok {
		speak(about)
		return
	}
	journaltest.Main(m)
}

// speak is a server with one tool that reads and one that writes.
func speak(about string) {
	results := map[string]string{
		"initialize": `{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"notes","version":"1"}}`,
		"tools/list": fmt.Sprintf(`{"tools":[{"name":"read","description":%q,"inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}},`+
			`{"name":"write","description":"writes","inputSchema":{"type":"object"}}]}`, about),
		"tools/call": `{"content":[{"type":"text","text":"it says hello"}]}`,
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var q struct {
			ID     json.RawMessage
			Method string
		}
		if json.Unmarshal(in.Bytes(), &q) != nil || q.ID == nil {
			continue
		}
		if r := results[q.Method]; r != "" {
			fmt.Printf(`{"jsonrpc":"2.0","id":%s,"result":%s}`+"\n", q.ID, r)
		} else {
			fmt.Printf(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no such method"}}`+"\n", q.ID)
		}
	}
}

// readTo reads a log until a line holds a text.
func readTo(t *testing.T, in *bufio.Scanner, text string) {
	t.Helper()
	for in.Scan() {
		if strings.Contains(in.Text(), text) {
			return
		}
	}
	t.Fatalf("the log ends without %q", text)
}

// TestMCP: the tools of a node's MCP server are offered by the node's policies, a changed one is listed as such and
// used once it is allowed, and nothing of the server is left when the node has stopped.
func TestMCP(t *testing.T) {
	engine := journaltest.Start(t)
	// run runs a node with a server until test returns.
	run := func(about string, test func(ctx context.Context, n *Node, await func(string))) {
		r, w := io.Pipe()
		in := bufio.NewScanner(r)
		n, err := Open(t.Context(), Config{
			Name: "n", Journal: journal.Config{Connect: engine.Connect, Shards: 1}, Log: slog.New(slog.NewTextHandler(w, nil)),
			Agents:   []agent.Agent{{Name: "assistant", Model: scripted.New(scripted.Config{}), Tools: []string{"notes_*", "notes_write"}}},
			MCP:      []mcp.Config{{Name: "notes", Command: os.Args[0], Env: map[string]string{"ABOUT": about}}},
			Policies: map[string]tool.Policy{"notes_write": {Roles: []string{"admin"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- n.Run(ctx); w.Close() }()
		test(ctx, n, func(text string) { readTo(t, in, text) })
		cancel()
		go io.Copy(io.Discard, r)
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(time.Minute):
			t.Fatal("the node does not stop")
		}
	}
	sees := func(ctx context.Context, n *Node, u switchboard.UserID, want string) {
		t.Helper()
		tools, err := n.listTools(ctx, u)
		var got []string
		for _, x := range tools {
			got = append(got, fmt.Sprintf("%s(%v,%v)", x.Name, x.ReadOnly, x.Approval))
		}
		if s := strings.Join(got, " "); err != nil || s != want {
			t.Errorf("sees %q, %v, want %q", s, err, want)
		}
	}
	var admin, member switchboard.UserID
	run("reads", func(ctx context.Context, n *Node, await func(string)) {
		for name, role := range map[string]*switchboard.UserID{"admin": &admin, "user": &member} {
			acc, err := n.Accounts().AddAccount(ctx, "the-"+name, auth.Role(name), "correct horse")
			if err != nil {
				t.Fatal(err)
			}
			*role = acc.ID
		}
		await("is connected")
		sees(ctx, n, admin, "notes_read(true,false) notes_write(false,true)")
		sees(ctx, n, member, "notes_read(true,false)")
		sees(ctx, n, "nobody", "")
	})
	run("reads, and tells everybody", func(ctx context.Context, n *Node, await func(string)) {
		await("is withdrawn")
		await("is connected")
		sees(ctx, n, member, "")
		var local control.Local = n.Local()
		pins, err := local.PinnedTools(ctx)
		changed, hash := 0, ""
		for _, p := range pins {
			if p.Changed && p.Server == "notes" && p.Tool == "notes_read" {
				changed, hash = changed+1, p.Hash
			}
		}
		if err != nil || len(pins) != 2 || changed != 1 {
			t.Errorf("%+v, %v", pins, err)
		}
		if err := local.AllowTool(ctx, "notes", "notes_read", hash); err != nil {
			t.Fatal(err)
		}
	})
	run("reads, and tells everybody", func(ctx context.Context, n *Node, await func(string)) {
		await("is connected")
		sees(ctx, n, member, "notes_read(true,false)")
	})
}
