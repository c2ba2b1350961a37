package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard/internal/fakemodel"
)

// TestE2EConfig serves two agents of a file, each with instructions of its own on a real model server: a message names
// the one that answers it, and one that names none gets the default agent.
func TestE2EConfig(t *testing.T) {
	t.Parallel()
	const key = "sk-the-key-of-the-file"
	f, err := fakemodel.Start(fakemodel.Config{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	dir := t.TempDir()
	path := filepath.Join(dir, "my.yaml")
	text := `
models: {main: {provider: openai, model: "${MODEL:-small}", base_url: "${URL_OF_MODEL}", api_key_file: key}}
agents:
  pirate: {description: Talks like one., instructions: You are a pirate., tools: [calculator]}
  poet: {instructions: You are a poet.}
limits: {queued_runs_per_user: 7}
`
	for name, content := range map[string]string{path: text, filepath.Join(dir, "key"): key + "\n"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := serveWith(t, []string{"SWITCHBOARD_CONFIG=" + path, "URL_OF_MODEL=" + f.URL()}, dir)
	s.secret(key)
	token := s.user(t, "ann")
	a := s.do(t, "GET", "/api/v1/agents", "", "Authorization", "Bearer "+token)
	want := `{"agents":[{"name":"pirate","description":"Talks like one.","model":"small"},{"name":"poet","model":"small"}]}`
	if got := strings.TrimSpace(string(a.body)); a.status != 200 || !sameJSON(t, got, want) {
		t.Errorf("GET agents: %d %s", a.status, got)
	}
	for _, c := range []struct{ agent, system string }{{"", "You are a pirate."}, {"poet", "You are a poet."}, {"pirate", "You are a pirate."}} {
		args := []string{"chat", "-p", "Hello", "--url", s.url}
		if c.agent != "" {
			args = append(args, "--agent", c.agent)
		}
		out, errs, code := switchboardCLI(t, []string{"SWITCHBOARD_TOKEN=" + token}, "", args...)
		asked := f.Requests()
		if code != 0 || out == "" || len(asked) == 0 || asked[len(asked)-1].Asked.System != c.system {
			t.Errorf("agent %q: exit code %d, %s%s", c.agent, code, out, errs)
			continue
		}
		if tools := len(asked[len(asked)-1].Asked.Tools); (tools == 1) != (c.agent != "poet") {
			t.Errorf("agent %q was given %d tools", c.agent, tools)
		}
	}
	s.end(t, "TERM")
}

// sameJSON compares two documents, whatever else an object has.
func sameJSON(t *testing.T, got, want string) bool {
	t.Helper()
	var a, b struct{ Agents []map[string]any }
	if json.Unmarshal([]byte(got), &a) != nil || json.Unmarshal([]byte(want), &b) != nil || len(a.Agents) != len(b.Agents) {
		return false
	}
	for i := range b.Agents {
		if len(a.Agents[i]) != len(b.Agents[i]) {
			return false
		}
		for k, v := range b.Agents[i] {
			if a.Agents[i][k] != v {
				return false
			}
		}
	}
	return true
}
