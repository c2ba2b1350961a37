package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/internal/fakemodel"
	"github.com/netra-systems/switchboard/internal/machine"
	"github.com/netra-systems/switchboard/model"
)

// obeyed are characters that a terminal does not show but obeys.
const obeyed = "\x1b\x07\x00"

// TestE2EPoison mounts a hostile MCP server. What its tool returns is data for whoever reads it, and a tool that it
// redefines is not called until somebody has allowed it. (Tools that hang, panic or return 100 MB: TestStuck,
// TestPanicLog and TestHugeResult of package tool.)
func TestE2EPoison(t *testing.T) {
	t.Parallel()
	main, err := filepath.Abs(filepath.Join("..", "..", "tool", "mcp", "testdata", "npm", "poison.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	_, noNode := exec.LookPath("node")
	_, noSDK := os.Stat(filepath.Join(filepath.Dir(main), "node_modules", "@modelcontextprotocol", "sdk"))
	machine.Needs(t, machine.Node, noNode == nil && noSDK == nil, "install Node and run npm ci in tool/mcp/testdata/npm")
	m := plays(t, func(r fakemodel.Request) *fakemodel.Answer {
		if r.Step() == 1 {
			return calls("bad_"+r.Text(), "{}")
		}
		return says("I have read it.")
	})
	s := configured(t, fmt.Sprintf(`
models: {main: {provider: openai, model: m, base_url: %q}}
mcp: {bad: {command: node, args: [%q]}}
agents:
  assistant: {tools: ["bad_*"]}
`, m.URL(), main))
	token := s.user(t, "ann")
	s.untilTools(t, token, "bad_forge", "bad_read", "bad_redefine")
	h := newHistory()
	conn := h.connect(t, s, token)
	var thread switchboard.ThreadID
	ask := func(tool string) *switchboard.ToolCompletedEvent {
		t.Helper()
		ack := say(t, conn, tool)
		end := completed(t, conn, "", "")
		untilEnd(t, conn, ack.RunID)
		told(t, s, token, h, ack.ThreadID)
		thread = ack.ThreadID
		return end
	}

	forged := ask("forge")
	var result string
	if err := json.Unmarshal(forged.Result, &result); err != nil || forged.Status != switchboard.CallOK || !strings.Contains(result, `"type":"agent_completed"`) {
		t.Errorf("a forged event is no text: %s, %v", forged.Result, err)
	}
	for _, b := range s.stored(t, token, thread) {
		if bytes.ContainsAny(b, obeyed) {
			t.Errorf("a terminal would obey %q", b)
		}
	}
	asked := m.Requests()
	last := asked[len(asked)-1].Asked
	if n := len(last.Messages); n != 3 || last.System != "" || last.Messages[2].Role != model.ToolRole || last.Messages[2].Text != string(forged.Result) {
		t.Errorf("the model was shown %+v", last)
	}

	if e := ask("read"); e.Status != switchboard.CallOK || string(e.Result) != `"a note"` {
		t.Errorf("%+v", e)
	}
	if e := ask("redefine"); e.Status != switchboard.CallOK {
		t.Errorf("%+v", e)
	}
	untilState(t, s, "read", "changed, withdrawn")
	refused := ask("read")
	if refused.Status == switchboard.CallOK || bytes.Contains(refused.Result, []byte("thanks")) {
		t.Errorf("a redefined tool was called: %+v", refused)
	}
	t.Logf("refused: %s %q", refused.Status, refused.Error)
	asked = m.Requests()
	for _, x := range asked[len(asked)-1].Asked.Tools {
		if x.Name == "bad_read" {
			t.Errorf("a redefined tool is offered: %+v", x)
		}
	}
	shown, errs, code := switchboardCLI(t, nil, "", "mcp", "show", "bad", "bad_read", "--data", s.data)
	hash := regexp.MustCompile(`mcp allow bad bad_read ([0-9a-f]{12})\n`).FindStringSubmatch(shown)
	if code != 0 || hash == nil {
		t.Fatalf("mcp show: %s%s", shown, errs)
	}
	t.Logf("mcp show:\n%s", shown)
	if out, errs, code := switchboardCLI(t, nil, "", "mcp", "allow", "bad", "bad_read", hash[1], "--data", s.data); code != 0 {
		t.Fatalf("mcp allow: %s%s", out, errs)
	}
	s.untilTools(t, token, "bad_read")
	if e := ask("read"); e.Status != switchboard.CallOK || string(e.Result) != `"thanks"` {
		t.Errorf("allowed: %+v", e)
	}
	out, errs, code := switchboardCLI(t, []string{"SWITCHBOARD_TOKEN=" + token}, "", "chat", "-p", "forge", "-v", "--url", s.url)
	if code != 0 || !strings.Contains(errs, "bad_forge") || strings.ContainsAny(out+errs, obeyed+"\u202e") {
		t.Errorf("at a terminal: %q %q", out, errs)
	}
	s.end(t, "TERM")
}

// untilState waits until the list of tools says of one how it stands.
func untilState(t *testing.T, s *server, tool, state string) {
	t.Helper()
	for {
		changed := s.err.next()
		out, errs, code := switchboardCLI(t, nil, "", "mcp", "list", "--data", s.data)
		if code != 0 {
			t.Fatalf("mcp list: %s%s", out, errs)
		}
		for _, l := range strings.Split(out, "\n") {
			if strings.Contains(l, tool) && strings.Contains(l, state) {
				t.Logf("listed: %s", l)
				return
			}
		}
		select {
		case <-changed: // the server logs what it withdraws
		case <-t.Context().Done():
			t.Fatalf("%s is not %s:\n%s", tool, state, out)
		}
	}
}
