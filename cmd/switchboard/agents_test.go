package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/internal/fakemodel"
	"github.com/netra-systems/switchboard/model"
)

// plays starts a model server that answers by a script.
func plays(t *testing.T, script func(fakemodel.Request) *fakemodel.Answer) *fakemodel.Server {
	t.Helper()
	m, err := fakemodel.Start(fakemodel.Config{Script: script})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// says is an answer of a model.
func says(text string) *fakemodel.Answer {
	return &fakemodel.Answer{Chunks: append(pieces(text), model.Chunk{Finish: model.FinishStop, Usage: &model.Usage{Input: 10, Output: 5}})}
}

// calls is an answer of a model that calls a tool.
func calls(tool, arguments string) *fakemodel.Answer {
	return &fakemodel.Answer{Chunks: []model.Chunk{
		{Call: &model.CallChunk{ID: "call_" + tool, Tool: tool, Arguments: arguments}}, {Finish: model.FinishCalls, Usage: &model.Usage{Input: 10, Output: 5}},
	}}
}

// configured starts a server of a configuration file.
func configured(t *testing.T, yaml string) *server {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "my.yaml")
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	return serve(t, dir, "--config", path)
}

// told logs the events of a thread, checks that they are what the devices saw, and each run by the grammar; it returns
// them, each as its type and what matters of it.
func told(t *testing.T, s *server, token string, h *history, thread switchboard.ThreadID) (out []string) {
	t.Helper()
	stored := s.stored(t, token, thread)
	var seen [][]byte
	h.mu.Lock()
	for i, e := range h.events {
		if e.ThreadID == thread {
			seen = append(seen, h.raw[i])
		}
	}
	duplicated, bad := h.duplicated, h.bad
	h.mu.Unlock()
	if lost, unexpected := compare(stored, seen); lost+unexpected+duplicated > 0 || bad != nil {
		t.Errorf("%d events lost, %d unexpected, %d duplicated, %v", lost, unexpected, duplicated, bad)
	}
	var list strings.Builder
	grammars := map[switchboard.RunID]*switchboard.Grammar{}
	for _, b := range stored {
		e, err := switchboard.DecodeEvent(b)
		if err != nil {
			t.Fatal(err)
		}
		if grammars[e.RunID] == nil {
			grammars[e.RunID] = new(switchboard.Grammar)
		}
		if err := grammars[e.RunID].Add(e); err != nil {
			t.Errorf("n %d: %v", e.N, err)
		}
		out = append(out, line(e))
		fmt.Fprintf(&list, "\n%.160s", line(e))
	}
	t.Logf("%s:%s", thread, &list)
	return out
}

// line is an event's type and what matters of it.
func line(e switchboard.Event) string {
	what := ""
	switch p := e.Payload.(type) {
	case *switchboard.UserMessageEvent:
		what = p.Text
	case *switchboard.AgentStartedEvent:
		what = p.Agent
	case *switchboard.AgentResumedEvent:
		what = string(p.Reason)
	case *switchboard.AgentMessageEvent:
		what = p.Text
		for _, c := range p.Calls {
			what = strings.TrimSpace(fmt.Sprintf("%s %s(%s)", what, c.Tool, c.Arguments))
		}
	case *switchboard.AgentThinkingEvent:
		what = p.Text
	case *switchboard.AgentHandoffEvent:
		what = p.From + " to " + p.To
	case *switchboard.ToolApprovalRequiredEvent:
		what = p.Tool
	case *switchboard.ToolDecidedEvent:
		what = string(p.Decision)
	case *switchboard.ToolExecutingEvent:
		what = p.Tool
	case *switchboard.ToolCompletedEvent:
		what = fmt.Sprintf("%s %s %.200s%s", p.Tool, p.Status, p.Result, p.Error)
	case *switchboard.AgentCompletedEvent:
		if what = p.Text; p.Quality != nil {
			q, _ := json.Marshal(p.Quality)
			what += " " + string(q)
		}
	case *switchboard.AgentFailedEvent:
		what = string(p.Code)
	case *switchboard.AnswerRatedEvent:
		what = string(p.Rating)
	case *switchboard.ThreadRenamedEvent:
		what = p.Title
	}
	return strings.TrimSpace(string(e.Type) + " " + what)
}

// inOrder reports whether the lines hold these beginnings, one after the other.
func inOrder(t *testing.T, got []string, want ...string) {
	t.Helper()
	rest := got
	for _, w := range want {
		i := slices.IndexFunc(rest, func(l string) bool { return strings.HasPrefix(l, w) })
		if i < 0 {
			t.Errorf("there is no %q where it should be", w)
			return
		}
		rest = rest[i+1:]
	}
}

// TestE2ESupervisor lets an agent ask one agent and hand the conversation over to another one.
func TestE2ESupervisor(t *testing.T) {
	t.Parallel()
	m := plays(t, func(r fakemodel.Request) *fakemodel.Answer {
		switch r.Asked.System + r.Asked.Messages[len(r.Asked.Messages)-1].Text {
		case "You lead.Write about tea.":
			return calls("ask_researcher", `{"task":"When is tea drunk?"}`)
		case `You research.When is tea drunk?`:
			return calls("calculator", `{"expression":"2+2"}`)
		case `You research.{"expression":"2+2","result":"4","exact":true}`:
			return says("At four.")
		case `You lead."At four."`:
			return calls("transfer_to_writer", `{"reason":"it is to be written"}`)
		case `You write."handed over to writer"`:
			return says("Tea is drunk at four.")
		}
		return &fakemodel.Answer{Status: 400}
	})
	s := configured(t, fmt.Sprintf(`
models: {main: {provider: openai, model: m, base_url: %q, retries: 0}}
agents:
  lead: {instructions: You lead., ask: [researcher], handoff: [writer]}
  researcher: {description: Finds things out., instructions: You research., tools: [calculator]}
  writer: {description: Writes well., instructions: You write.}
`, m.URL()))
	token := s.user(t, "ann")
	h := newHistory()
	conn := h.connect(t, s, token)
	ack := say(t, conn, "Write about tea.")
	untilEnd(t, conn, ack.RunID)
	got := told(t, s, token, h, ack.ThreadID)
	inOrder(t, got, "agent_started lead", "agent_message ask_researcher(", "tool_executing ask_researcher", "agent_handoff lead to researcher",
		"agent_message calculator", "tool_completed calculator ok", "agent_message At four.", "agent_handoff researcher to lead",
		`tool_completed ask_researcher ok "At four."`, "agent_message transfer_to_writer", "tool_completed transfer_to_writer ok",
		"agent_handoff lead to writer", "agent_completed Tea is drunk at four.")

	out, errs, code := switchboardCLI(t, []string{"SWITCHBOARD_TOKEN=" + token}, "", "chat", "-p", "Write about tea.", "--json", "--url", s.url)
	if code != 0 {
		t.Fatalf("exit code %d: %s%s", code, out, errs)
	}
	var types []string
	for _, l := range strings.Split(strings.TrimSpace(out), "\n") {
		e, err := switchboard.DecodeEvent([]byte(l))
		if err != nil {
			t.Fatalf("%s: %v", l, err)
		}
		types = append(types, line(e))
	}
	if !slices.Equal(types, got) {
		t.Errorf("at a terminal: %s\nnot %s", strings.Join(types, "\n"), strings.Join(got, "\n"))
	}
	s.end(t, "TERM")
}
