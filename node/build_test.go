package node

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/netra-systems/switchboard/agent"
	"github.com/netra-systems/switchboard/config"
	"github.com/netra-systems/switchboard/internal/fakemodel"
	"github.com/netra-systems/switchboard/model"
)

// file writes a configuration file and returns settings that name it.
func file(t *testing.T, text string) Settings {
	t.Helper()
	path := filepath.Join(t.TempDir(), "my.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Settings{Config: path}
}

func built(t *testing.T, s Settings) []agent.Agent {
	t.Helper()
	c, err := s.load()
	if err != nil {
		t.Fatal(err)
	}
	made, err := s.build(c)
	if err != nil {
		t.Fatal(err)
	}
	return made.agents
}

// TestUsualAgent: without a file, and with one that says nothing of agents, there is the one agent of the flags.
func TestUsualAgent(t *testing.T) {
	t.Parallel()
	for _, with := range []Settings{{}, file(t, ""), file(t, string(config.PrintDefault()))} {
		for _, fetch := range []bool{false, true} {
			with.FetchURL = fetch
			want := []string{"calculator", "clock", "search_threads"}
			if fetch {
				want = append(want, "fetch_url")
			}
			agents := built(t, with)
			if len(agents) != 1 || agents[0].Name != "assistant" || agents[0].Model.Name() != "offline demo" ||
				agents[0].Instructions != instructions || !reflect.DeepEqual(agents[0].Tools, want) {
				t.Errorf("%+v: %+v", with, agents)
			}
		}
	}
	s := file(t, "tools: {clock: {enabled: false}, fetch_url: {enabled: true}}")
	if got := built(t, s)[0].Tools; !reflect.DeepEqual(got, []string{"calculator", "search_threads", "fetch_url"}) {
		t.Errorf("the tools are %v", got)
	}
	s = file(t, "tools: {fetch_url: {enabled: false}}")
	s.FetchURL = true
	if got := built(t, s)[0].Tools; len(got) != 4 {
		t.Errorf("a flag comes before the file, but the tools are %v", got)
	}
}

// TestBuildAgents: what the file says reaches the agents, the default one first.
func TestBuildAgents(t *testing.T) {
	t.Parallel()
	s := file(t, `
models:
  first: {provider: scripted, price: {input: 1.5, output: 2}}
  other: {provider: openai, model: x, base_url: "http://127.0.0.1:1/v1"}
agents:
  a: {description: A., instructions: Be a., tools: [clock, "c*"], budget: {steps: 3, tokens: 4, time: 5s, cost: 0.5}}
  b: {model: other, handoff: [a], ask: [c]}
  c: {}
default_agent: b
limits: {run_steps: 7}
approval_timeout: 1h
`)
	agents := built(t, s)
	if len(agents) != 3 || agents[0].Name != "b" || agents[1].Name != "a" || agents[2].Name != "c" {
		t.Fatalf("%+v", agents)
	}
	a := agents[1]
	a.Model = nil
	want := agent.Agent{Name: "a", Description: "A.", Instructions: "Be a.", Tools: []string{"clock", "c*"},
		Budget: agent.Budget{Steps: 3, Tokens: 4, Time: 5 * time.Second, Cost: 0.5}, Price: agent.Price{Input: 1.5, Output: 2}}
	if !reflect.DeepEqual(a, want) {
		t.Errorf("%+v\nwant\n%+v", a, want)
	}
	b := agents[0]
	if b.Model.Name() != "x" || agents[2].Model.Name() != "offline demo" || !reflect.DeepEqual(b.Handoff, []string{"a"}) || !reflect.DeepEqual(b.Ask, []string{"c"}) {
		t.Errorf("%+v", b)
	}
}

// TestModelsMeet: the model of the flags answers for agents of a file without models, and is refused beside others.
func TestModelsMeet(t *testing.T) {
	t.Parallel()
	s := file(t, "agents: {a: {}}")
	s.Model = "ollama/x"
	if got := built(t, s)[0].Model.Name(); got != "x" {
		t.Errorf("the model is %s", got)
	}
	s = file(t, "models: {m: {provider: scripted}}")
	if got := built(t, s)[0].Model.Name(); got != "offline demo" {
		t.Errorf("the model is %s", got)
	}
	s.Model = "demo"
	if _, err := CheckConfig(s); !errors.Is(err, ErrSetting) || !strings.Contains(err.Error(), "--model demo: ") || !strings.Contains(err.Error(), "has models of its own") {
		t.Error(err)
	}
	for _, s := range []Settings{{Config: filepath.Join(t.TempDir(), "none")}, {Config: t.TempDir()}} {
		if _, err := CheckConfig(s); !errors.Is(err, ErrSetting) || !strings.Contains(err.Error(), "--config ") {
			t.Error(err)
		}
	}
	for text, want := range map[string]string{
		"models: {m: {provider: openai, model: x}}": "1:10: models.m: needs api_key, base_url, OPENAI_API_KEY or OPENAI_BASE_URL",
		"limits: {tool_result_bytes: 524288}":       "1:29: limits.tool_result_bytes: must be at least",
		"limits: {run_ms: -1}\nagents: {a: {b: 1}}": "2:14: agents.a: unknown key `b`",
	} {
		_, err := CheckConfig(file(t, text))
		if !errors.Is(err, ErrSetting) || !errors.As(err, new(config.Problems)) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestKeysStayAtHome: the key of the environment goes to the server of the environment alone, that of a file to the
// server of the file.
func TestKeysStayAtHome(t *testing.T) {
	t.Parallel()
	home, away := fake(t), fake(t)
	for _, c := range []struct {
		model    string
		at       *fakemodel.Server
		keys     string
		whatever string
	}{
		{"", home, "Bearer of-the-environment", "neither is said"},
		{"api_key: of-the-file", home, "Bearer of-the-file", "a key of its own for the usual server"},
		{"base_url: " + away.URL(), away, "", "another server without a key"},
		{"api_key: of-the-file, base_url: " + away.URL(), away, "Bearer of-the-file", "both are its own"},
	} {
		s := file(t, "models: {m: {provider: openai, model: x, "+c.model+"}}")
		s.OpenAIKey, s.OpenAIURL = "of-the-environment", home.URL()
		before := len(home.Requests()) + len(away.Requests())
		for _, err := range built(t, s)[0].Model.Stream(t.Context(), model.Request{Messages: []model.Message{{Role: model.User, Text: "Hello"}}}) {
			if err != nil {
				t.Fatalf("%s: %v", c.whatever, err)
			}
		}
		asked := c.at.Requests()
		if len(home.Requests())+len(away.Requests()) != before+1 || len(asked) == 0 || asked[len(asked)-1].Header.Get("Authorization") != c.keys {
			t.Errorf("%s: %v", c.whatever, asked)
		}
	}
}

func fake(t *testing.T) *fakemodel.Server {
	t.Helper()
	f, err := fakemodel.Start(fakemodel.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestExamplesBuild: each example can be served, but for what this version says that it cannot do.
func TestExamplesBuild(t *testing.T) {
	for _, name := range []string{"OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GRAPH_TOKEN", "TICKETS_TOKEN"} {
		t.Setenv(name, "a-secret-word")
	}
	names, err := filepath.Glob(filepath.Join("..", "examples", "*.yaml"))
	if err != nil || len(names) < 5 {
		t.Fatalf("%v: %v", names, err)
	}
	for _, name := range names {
		sum, err := CheckConfig(Settings{Config: name, OpenAIKey: "a-secret-word"})
		if strings.Contains(sum, "secret-word") || err != nil && strings.Contains(err.Error(), "secret-word") {
			t.Errorf("%s: a value is told: %s %v", name, sum, err)
		}
		var p config.Problems
		if err != nil && !errors.As(err, &p) {
			t.Errorf("%s: %v", name, err)
		}
		for _, one := range p {
			if one.Kind != errNotYet || one.Line == 0 {
				t.Error(one)
			}
		}
	}
}
