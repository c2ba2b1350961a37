package config_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/netra-systems/switchboard/config"
)

const canary = "canary-9f3b"

// env is what the tests' files draw on. A variable that is named SECRET… holds the canary.
func env() config.Env {
	vars := map[string]string{
		"OPENAI_API_KEY": "sk-" + canary, "ANTHROPIC_API_KEY": "sk-" + canary, "GRAPH_TOKEN": canary, "TICKETS_TOKEN": canary,
		"SECRET": canary, "SECRET_LINES": canary + "\n" + canary, "SECRET_TEMPLATE": canary + "{{", "EMPTY": "", "NAME": "main",
		"PROVIDER": "scripted", "YAML": "x, provider: scripted",
	}
	return config.Env{
		Lookup: func(name string) (string, bool) { v, ok := vars[name]; return v, ok },
		Tools:  map[string]bool{"calculator": true, "clock": true, "search_threads": true, "fetch_url": false},
	}
}

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Parse("my.yaml", []byte(text), env())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// faults are what is wrong with files: each text has exactly the problems that are listed, in this order.
var faults = []struct {
	kind error
	text string
	want string
}{
	{config.ErrUnknownKey, "agnts: {}", "my.yaml:1:1: unknown key `agnts`, did you mean `agents`?"},
	{config.ErrUnknownKey, "agents:\n  a:\n    instrutions: x", "my.yaml:3:5: agents.a: unknown key `instrutions`, did you mean `instructions`?"},
	{config.ErrUnknownKey, "agents: {a: {Model: x}}", "my.yaml:1:14: agents.a: unknown key `Model`, did you mean `model`?"},
	{config.ErrUnknownKey, "limits: {run_step: 1}", "my.yaml:1:10: limits: unknown key `run_step`, did you mean `run_steps`?"},
	{config.ErrUnknownKey, "zzz: 1", "my.yaml:1:1: unknown key `zzz`"},
	{config.ErrUnknownKey, "\"a\\u001b[31m\": 1", "my.yaml:1:1: unknown key `a\\x1b[31m`"},
	{config.ErrDuplicate, "limits:\n  run_ms: 1000\n  run_ms: 2000", "my.yaml:3:3: limits: the key `run_ms` is there twice, first in line 2"},
	{config.ErrDuplicate, "agents: {a: {tools: [clock, clock]}}", "my.yaml:1:29: agents.a.tools[1]: is there twice"},
	{config.ErrType, "- a", "my.yaml:1:1: must be a section with keys"},
	{config.ErrType, "agents: [a]", "my.yaml:1:9: agents: must be names with sections"},
	{config.ErrType, "agents: {a: x}", "my.yaml:1:13: agents.a: must be a section with keys"},
	{config.ErrType, "agents: {a: {description: 5}}", "my.yaml:1:27: agents.a.description: must be a text; put quotes around it"},
	{config.ErrType, "agents: {a: {description: [5]}}", "my.yaml:1:27: agents.a.description: must be a text"},
	{config.ErrType, "agents: {a: {description: !!binary eA==}}", "my.yaml:1:27: agents.a.description: must be a text; put quotes around it"},
	{config.ErrType, "agents: {a: {description: }}", "my.yaml:1:27: agents.a.description: must be a text"},
	{config.ErrType, "agents: {a: {tools: clock}}", "my.yaml:1:21: agents.a.tools: must be a list of texts"},
	{config.ErrType, "tools: {clock: {roles: user}}", "my.yaml:1:24: tools.clock.roles: must be a list of user, operator or admin"},
	{config.ErrType, "agents: {a: {titles: !!bool x}}", "my.yaml:1:22: agents.a.titles: must be true or false"},
	{config.ErrType, "agents: {a: {titles: yes}}", "my.yaml:1:22: agents.a.titles: must be true or false"},
	{config.ErrType, "agents: {a: {budget: {steps: 1.5}}}", "my.yaml:1:30: agents.a.budget.steps: must be a whole number"},
	{config.ErrType, "agents: {a: {budget: {steps: 0x10}}}", "my.yaml:1:30: agents.a.budget.steps: must be a whole number"},
	{config.ErrType, "agents: {a: {budget: {steps: 010}}}", "my.yaml:1:30: agents.a.budget.steps: must be a whole number"},
	{config.ErrType, "agents: {a: {budget: {tokens: 99999999999999999999}}}", "my.yaml:1:31: agents.a.budget.tokens: must be a whole number"},
	{config.ErrType, "agents: {a: {budget: {cost: .inf}}}", "my.yaml:1:29: agents.a.budget.cost: must be a number"},
	{config.ErrType, "agents: {a: {budget: {cost: \"1\"}}}", "my.yaml:1:29: agents.a.budget.cost: must be a number"},
	{config.ErrType, "approval_timeout: 30", "my.yaml:1:19: approval_timeout: must be a time such as 90s, 10m or 24h"},
	{config.ErrType, "approval_timeout: soon", "my.yaml:1:19: approval_timeout: must be a time such as 90s, 10m or 24h"},
	{config.ErrType, "{? [a] : b}", "my.yaml:1:4: a key must be a plain name"},
	{config.ErrValue, "approval_timeout: -5s", "my.yaml:1:19: approval_timeout: must not be negative"},
	{config.ErrValue, "approval_timeout: 0s", "my.yaml:1:19: approval_timeout: must be more than 0"},
	{config.ErrValue, "tools: {clock: {roles: [root]}}", "my.yaml:1:25: tools.clock.roles[0]: must be user, operator or admin"},
	{config.ErrValue, "limits: {tool_ms: 3000000000}", "my.yaml:1:19: limits.tool_ms: must be at most 2147483647"},
	{config.ErrValue, "agents: {a: {budget: {cost: -0.5}}}", "my.yaml:1:29: agents.a.budget.cost: must not be negative"},
	{config.ErrValue, "limits: {run_ms: 0}", "my.yaml:1:18: limits.run_ms: must be at least 1"},
	{config.ErrValue, "limits: {event_bytes: 1048576}", "my.yaml:1:23: limits.event_bytes: must be at most 524288"},
	{config.ErrValue, "limits: {frame_bytes: 524289}", "my.yaml:1:23: limits.frame_bytes: must not be more than event_bytes: what is accepted must fit into an event"},
	{config.ErrValue, "models: {a: {provider: opnai}}", "my.yaml:1:24: models.a.provider: must be openai, anthropic or scripted"},
	{config.ErrValue, "models: {a: {provider: openai, model: x, retries: 11}}", "my.yaml:1:51: models.a.retries: must be at most 10"},
	{config.ErrValue, "models: {a: {provider: openai, model: x, base_url: ftp://x}}", "my.yaml:1:52: models.a.base_url: must be an http or https URL"},
	{config.ErrValue, "models: {a: {provider: openai, model: x, base_url: \"http://u:p@x\"}}", "my.yaml:1:52: models.a.base_url: must not hold a name or a password; use a header"},
	{config.ErrValue, "models: {a: {provider: openai, model: x, api_key: \"a b\"}}", "my.yaml:1:51: models.a.api_key: holds a character that no key has"},
	{config.ErrValue, "models: {a: {provider: anthropic, model: x, api_key: k, thinking: 8192}}", "my.yaml:1:67: models.a.thinking: must be less than max_tokens"},
	{config.ErrValue, "agents: {\"a b\": {}}", "my.yaml:1:10: agents: `a b` is no name: it has 1 to 64 of A-Z, a-z, 0-9, _ and -"},
	{config.ErrValue, "agents: {" + strings.Repeat("a", 65) + ": {}}", "my.yaml:1:10: agents: `" + strings.Repeat("a", 64) + "…` is no name: it has 1 to 64 of A-Z, a-z, 0-9, _ and -"},
	{config.ErrValue, "agents: {clock*: {}}", "my.yaml:1:10: agents: `clock*` is no name: it has 1 to 64 of A-Z, a-z, 0-9, _ and -"},
	{config.ErrValue, "agents: {a: {tools: [\"*clock\"]}}", "my.yaml:1:22: agents.a.tools[0]: must be the name of a tool, or the beginning of names and a star"},
	{config.ErrValue, "agents: {a: {budget: {steps: 33}}}", "my.yaml:1:30: agents.a.budget.steps: is more than limits.run_steps, 32"},
	{config.ErrValue, "limits: {run_ms: 1000}\nagents: {a: {budget: {time: 2s}}}", "my.yaml:2:29: agents.a.budget.time: is more than limits.run_ms, 1000"},
	{config.ErrValue, "mcp: {a: {url: \"http://x\", headers: {\"a b\": c}}}", "my.yaml:1:45: mcp.a.headers.a b: `a b` is no name of a header"},
	{config.ErrValue, "mcp: {a: {url: \"http://x\", headers: {a: \"{{.User.\"}}}", "my.yaml:1:41: mcp.a.headers.a: is no template (Go text/template)"},
	{config.ErrValue, "mcp: {a: {command: x, env: {\"A=B\": c}}}", "my.yaml:1:36: mcp.a.env.A=B: `A=B` cannot be a variable"},
	{config.ErrValue, "mcp: {search: {command: x}}", "my.yaml:1:7: mcp.search: its tools could be taken for `search_threads`; name it otherwise"},
	{config.ErrValue, "mcp:\n  a: {command: x}\n  a_b: {command: x}", "my.yaml:3:3: mcp.a_b: its tools could be taken for those of `a`; name it otherwise"},
	{config.ErrKeys, "models: {a: {}}", "my.yaml:1:10: models.a: lacks `provider`: openai, anthropic or scripted"},
	{config.ErrKeys, "models: {a: {provider: openai}}", "my.yaml:1:10: models.a: lacks `model`: a text"},
	{config.ErrKeys, "models: {a: {provider: anthropic, model: x}}", "my.yaml:1:10: models.a: lacks `api_key` or `api_key_file`"},
	{config.ErrKeys, "models: {a: {provider: scripted, model: x}}", "my.yaml:1:41: models.a.model: is for provider openai or anthropic"},
	{config.ErrKeys, "models: {a: {provider: openai, model: x, thinking: 5}}", "my.yaml:1:52: models.a.thinking: is for provider anthropic"},
	{config.ErrKeys, "agents: {a: {titles: true, remote: {url: \"http://x\"}}}", "my.yaml:1:22: agents.a.titles: does not go together with `remote`"},
	{config.ErrKeys, "agents: {a: {remote: {}}}", "my.yaml:1:14: agents.a.remote: lacks `url`: an http or https URL"},
	{config.ErrKeys, "agents: {a: {budget: {cost: 1}}}", "my.yaml:1:29: agents.a.budget.cost: needs the price of its model"},
	{config.ErrKeys, "mcp: {a: {}}", "my.yaml:1:7: mcp.a: needs one of command or url"},
	{config.ErrKeys, "mcp: {a: {command: x, url: \"http://x\"}}", "my.yaml:1:7: mcp.a: needs one of command or url"},
	{config.ErrKeys, "mcp: {a: {url: \"http://x\", args: [b]}}", "my.yaml:1:28: mcp.a.args: needs `command` beside it"},
	{config.ErrKeys, "mcp: {a: {command: x}}\ntools: {a_x: {enabled: true}}", "my.yaml:2:24: tools.a_x.enabled: is for tools that come along; others are refused with `denied`"},
	{config.ErrReference, "default_agent: asistant\nagents: {assistant: {}}", "my.yaml:1:16: default_agent: there is no agent `asistant`, did you mean `assistant`?"},
	{config.ErrReference, "agents: {a: {model: gpt}}", "my.yaml:1:21: agents.a.model: there is no model `gpt`"},
	{config.ErrReference, "agents: {a: {quality: {judge: gpt}}}", "my.yaml:1:31: agents.a.quality.judge: there is no model `gpt`"},
	{config.ErrReference, "agents: {a: {handoff: [b]}}", "my.yaml:1:24: agents.a.handoff[0]: there is no agent `b`"},
	{config.ErrReference, "agents: {a: {ask: [a]}}", "my.yaml:1:20: agents.a.ask[0]: an agent cannot turn to itself"},
	{config.ErrReference, "agents:\n  a: {ask: [b]}\n  b: {ask: [c]}\n  c: {ask: [b]}", "my.yaml:4:13: agents.c.ask[0]: would wait for itself: b asks c asks b"},
	{config.ErrReference, "agents: {a: {tools: [calculater]}}", "my.yaml:1:22: agents.a.tools[0]: there is no tool `calculater`, did you mean `calculator`?"},
	{config.ErrReference, "agents: {a: {tools: [\"tickets_*\"]}}", "my.yaml:1:22: agents.a.tools[0]: there is no tool whose name begins so"},
	{config.ErrReference, "agents: {a: {tools: [fetch_url]}}", "my.yaml:1:22: agents.a.tools[0]: the tool is off: set tools.fetch_url.enabled"},
	{config.ErrReference, "tools: {clock: {enabled: false}}\nagents: {a: {tools: [clock]}}", "my.yaml:2:22: agents.a.tools[0]: the tool is off: set tools.clock.enabled"},
	{config.ErrReference, "tools: {clok: {}}", "my.yaml:1:9: tools.clok: there is no tool `clok`, did you mean `clock`?"},
	{config.ErrVariable, "agents: {a: {description: \"${NOPE}\"}}", "my.yaml:1:27: agents.a.description: the variable NOPE is not set"},
	{config.ErrVariable, "agents: {a: {description: \"${NO PE}\"}}", "my.yaml:1:27: agents.a.description: a variable is written ${NAME} or ${NAME:-TEXT}, and a dollar $$"},
	{config.ErrVariable, "agents: {a: {description: \"${NOPE\"}}", "my.yaml:1:27: agents.a.description: a variable is written ${NAME} or ${NAME:-TEXT}, and a dollar $$"},
	{config.ErrVariable, "models: {a: {provider: openai, model: x, api_key_file: nope}}", "my.yaml:1:56: models.a.api_key_file: there is no such file"},
	{config.ErrSyntax, "a: [1\nb: 2", "my.yaml:2:2: is not YAML: did not find expected ',' or ']'"},
	{config.ErrSyntax, "a: \"\n", "my.yaml:2:1: is not YAML: found unexpected end of stream"},
	{config.ErrSyntax, "limits: {}\n---\nlimits: {}", "my.yaml:2:1: has more than one document"},
	{config.ErrAlias, "limits: &x {}\n", "my.yaml:1:9: anchors (&), aliases (*) and merges (<<) are not read"},
	{config.ErrAlias, "limits:\n  <<: {run_ms: 5}", "my.yaml:2:3: anchors (&), aliases (*) and merges (<<) are not read"},
	{config.ErrEncoding, "limits: {}\n# é \xff", "my.yaml:2:5: is not UTF-8"},
	{config.ErrEncoding, "\xff\xfe{\x00}\x00", "my.yaml:1:1: is not UTF-8"},
	{config.ErrTooLarge, "#" + strings.Repeat("x", 1<<20), "my.yaml: is larger than 1 MiB"},

	// What came from a variable is not told.
	{config.ErrReference, "agents: {a: {model: \"${SECRET}\"}}", "my.yaml:1:21: agents.a.model: what the variable holds is no model"},
	{config.ErrReference, "agents: {a: {tools: [\"${SECRET}\"]}}", "my.yaml:1:22: agents.a.tools[0]: what the variable holds is no tool"},
	{config.ErrReference, "agents: {a: {handoff: [\"x${SECRET}\"]}}", "my.yaml:1:24: agents.a.handoff[0]: what the variable holds is no agent"},
	{config.ErrValue, "models: {a: {provider: \"${SECRET}\"}}", "my.yaml:1:24: models.a.provider: must be openai, anthropic or scripted"},
	{config.ErrValue, "models: {a: {provider: openai, model: x, api_key: \"${SECRET_LINES}\"}}", "my.yaml:1:51: models.a.api_key: holds a character that no key has"},
	{config.ErrValue, "models: {a: {provider: openai, model: x, base_url: \"${SECRET}\"}}", "my.yaml:1:52: models.a.base_url: must be an http or https URL"},
	{config.ErrType, "approval_timeout: ${SECRET}", "my.yaml:1:19: approval_timeout: must be a time such as 90s, 10m or 24h"},
	{config.ErrType, "limits: {run_ms: \"${SECRET}\"}", "my.yaml:1:18: limits.run_ms: must be a whole number"},
	{config.ErrValue, "agents: {a: {remote: {url: \"http://x\", headers: {A: \"${SECRET_LINES}\"}}}}", "my.yaml:1:53: agents.a.remote.headers.A: holds a character that no header has"},
	{config.ErrValue, "mcp: {a: {url: \"http://x\", headers: {A: \"${SECRET_TEMPLATE}\"}}}", "my.yaml:1:41: mcp.a.headers.A: is no template (Go text/template)"},
	{config.ErrUnknownKey, "agents: {a: {\"${SECRET}\": x}}", "my.yaml:1:14: agents.a: unknown key `${SECRET}`"},
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, f := range faults {
		_, err := config.Parse("my.yaml", []byte(f.text), env())
		if err == nil || err.Error() != f.want {
			t.Errorf("%.80s\n got %v\nwant %s", f.text, err, f.want)
		}
		if !errors.Is(err, f.kind) {
			t.Errorf("%.80s: %v is not of the kind %v", f.text, err, f.kind)
		}
		if strings.Contains(fmt.Sprintf("%v %+v %q", err, err, err), canary) {
			t.Errorf("%.80s: the error holds a secret", f.text)
		}
	}
}

// TestAllAtOnce: all problems of a file are told, by line.
func TestAllAtOnce(t *testing.T) {
	t.Parallel()
	var text, want []string
	for i := range 40 {
		text = append(text, fmt.Sprintf("  a%d: {ask: [a%d], model: none, budget: {steps: -1}}", i, i))
		for _, message := range []string{"ask[0]: an agent cannot turn to itself", "model: there is no model `none`", "budget.steps: must not be negative"} {
			want = append(want, fmt.Sprintf(".a%d.%s", i, message))
		}
	}
	_, err := config.Parse("my.yaml", []byte("agents:\n"+strings.Join(text, "\n")), env())
	var p config.Problems
	if !errors.As(err, &p) || len(p) != 101 {
		t.Fatalf("%d problems", len(p))
	}
	for i, one := range p[:100] {
		if one.Line != i/3+2 || !strings.HasSuffix(one.String(), want[i]) {
			t.Errorf("problem %d is %s, want %s in line %d", i, one, want[i], i/3+2)
		}
	}
	if p[100].Message != "and 20 problems more" {
		t.Errorf("the last line is %s", p[100])
	}
}

func TestVariables(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"${SECRET}":           canary,
		"a ${SECRET} b":       "a " + canary + " b",
		"${NOPE:-x}":          "x",
		"${EMPTY:-x}":         "x",
		"${EMPTY}":            "",
		"${NOPE:-}":           "",
		"${SECRET:-x}":        canary,
		"${NOPE:-a:-b $x}":    "a:-b $x",
		"$${SECRET}":          "${SECRET}",
		"$$$${SECRET}$$":      "$${SECRET}$",
		"$5 and 5$":           "$5 and 5$",
		"$SECRET":             "$SECRET",
		"${YAML}":             "x, provider: scripted",
		"${NAME}${NAME}":      "mainmain",
		"$$${NAME}":           "$main",
		"costs {{.User.ID}} ": "costs {{.User.ID}} ",
	} {
		c := parse(t, fmt.Sprintf("agents: {a: {description: %q}}", text))
		if got := c.Agents[0].Description; got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	c := parse(t, "models: {main: {provider: \"${PROVIDER}\"}}\nagents: {a: {model: \"${NAME}\", tools: [\"${NOPE:-clock}\"]}}\napproval_timeout: ${NOPE:-90s}")
	if c.Models[0].Provider != "scripted" || c.ModelOf(c.Agents[0]).Name != "main" || c.Agents[0].Tools[0] != "clock" || c.ApprovalTimeout != 90*time.Second {
		t.Errorf("%+v", c)
	}
}

// TestSecrets: nothing that formats a configuration shows what is secret in it.
func TestSecrets(t *testing.T) {
	t.Parallel()
	c, err := config.Load("../examples/full.yaml", env())
	if err != nil {
		t.Fatal(err)
	}
	more := parse(t, `
models: {a: {provider: openai, model: "${SECRET}", base_url: "http://x/${SECRET}"}}
agents: {a: {instructions: "${SECRET}"}, b: {remote: {url: "http://x/${SECRET}"}}}
mcp: {a: {command: x, args: ["${SECRET}"], dir: "${SECRET}"}, b: {url: "http://x/${SECRET}"}}
`)
	if got := string(c.Models[0].APIKey); got != "sk-"+canary {
		t.Fatalf("the key is %q", got)
	}
	if got := string(c.Servers[1].Headers["Authorization"]); got != "Bearer "+canary {
		t.Fatalf("the header is %q", got)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{c.Models, c.Servers, c.Agents[3].Remote, c.Models[0].APIKey, c, more, more.Models, more.Agents, more.Servers, more.Agents[1].Remote} {
			if out := fmt.Sprintf(verb, v); strings.Contains(out, canary) || strings.Contains(out, fmt.Sprintf("%x", canary)) {
				t.Errorf("%s shows a secret: %s", verb, out)
			}
		}
	}
	// The check finds one.
	if out := fmt.Sprintf("%+v", struct{ Key string }{string(c.Models[0].APIKey)}); !strings.Contains(out, canary) {
		t.Errorf("a planted secret is not seen in %s", out)
	}
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "my.yaml")
	text := []byte("models: {a: {provider: openai, model: x, api_key_file: keys/a}}")
	if err := os.Mkdir(filepath.Join(dir, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		key  []byte
		want string
	}{
		{[]byte(canary + "\n"), ""},
		{[]byte(" \n"), "the file is empty"},
		{bytes.Repeat([]byte("x"), 64<<10+1), "the file is too large for a key"},
		{[]byte(canary + "\n" + canary), "holds a character that no key has"},
	} {
		if err := os.WriteFile(filepath.Join(dir, "keys", "a"), c.key, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := config.Parse(path, text, env())
		switch {
		case c.want == "" && (err != nil || string(got.Models[0].APIKey) != canary):
			t.Errorf("%v", err)
		case c.want != "" && (err == nil || !strings.HasSuffix(err.Error(), c.want) || strings.Contains(err.Error(), canary)):
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// TestBomb: a file whose aliases stand for a thousand million words is refused as it stands, and so is one that is deeper
// than the stack.
func TestBomb(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 10; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	if _, err := config.Parse("my.yaml", []byte(b.String()), env()); !errors.Is(err, config.ErrAlias) {
		t.Error(err)
	}
	for _, deep := range []string{strings.Repeat("[", 1<<19), strings.Repeat("{a: ", 1<<17), strings.Repeat("- ", 1<<18)} {
		if _, err := config.Parse("my.yaml", []byte(deep), env()); !errors.Is(err, config.ErrSyntax) {
			t.Errorf("%.10s: %.200v", deep, err)
		}
	}
}

func TestMeaning(t *testing.T) {
	t.Parallel()
	c := parse(t, `
models: {main: {provider: openai, model: x}, other: {provider: anthropic, model: y, api_key: k}}
agents: {a: {}, b: {model: other, quality: }, c: {remote: {url: "http://x"}}}
default_agent: b
mcp: {s: {command: x}}
tools: {"s_*": {approval: always}, "s_read*": {approval: writes}, s_read_all: {denied: true}, clock: {enabled: false}, fetch_url: {enabled: true}}
limits:
`)
	var order []string
	for _, a := range c.Ranked() {
		order = append(order, a.Name)
	}
	if strings.Join(order, " ") != "b a c" || c.Agents[0].Name != "a" {
		t.Errorf("the agents are %v", order)
	}
	if c.ModelOf(c.Agents[0]).Name != "main" || c.ModelOf(c.Agents[1]).Name != "other" || c.ModelOf(c.Agents[2]) != nil {
		t.Error("an agent has the wrong model")
	}
	if m := c.Models[0]; m.IdleTimeout != time.Minute || m.Timeout != 5*time.Minute || m.Retries != 2 || m.MaxTokens != 0 || c.Models[1].MaxTokens != 8192 {
		t.Errorf("%+v", c.Models)
	}
	if q := c.Agents[1].Quality; q == nil || q.ContentType != "general" || q.OnFail != "deliver" || c.Agents[0].Quality != nil {
		t.Errorf("%+v", q)
	}
	if c.Servers[0].Timeout != 30*time.Second || c.Limits != config.Default().Limits {
		t.Errorf("%+v", c)
	}
	for name, want := range map[string]string{"s_write": "s_*", "s_read_one": "s_read*", "s_read_all": "s_read_all", "calculator": ""} {
		got := ""
		if r := c.Rule(name); r != nil {
			got = r.Name
		}
		if got != want {
			t.Errorf("the rule of %s is %q, want %q", name, got, want)
		}
	}
	if c.Enabled("clock", true) || !c.Enabled("fetch_url", false) || !c.Enabled("calculator", true) {
		t.Error("a tool is on or off that should not be")
	}
	if !c.Has("agents.b.quality") || c.Has("agents.a.quality") || !c.Has("models.main") || c.Has("models.main.retries") {
		t.Error("Has tells the wrong keys")
	}
	if got := c.String(); got != "models main, other; agents a, b, c; rules for the tools s_*, s_read*, s_read_all, clock, fetch_url; MCP servers s" {
		t.Error(got)
	}
	if p := c.Problem(config.ErrValue, "agents.c.remote.url.nothing", "x"); p.Line != 3 || p.Column != 65 {
		t.Errorf("%v", p)
	}
}

// FuzzParse: no file ends the process, and no error holds a variable's value.
func FuzzParse(f *testing.F) {
	for _, one := range faults {
		if len(one.text) < 4096 {
			f.Add([]byte(one.text))
		}
	}
	for _, name := range examples(f) {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := config.Parse("my.yaml", b, env())
		if err != nil && strings.Contains(err.Error(), canary) && !bytes.Contains(b, []byte(canary)) {
			t.Errorf("an error holds a secret: %v", err)
		}
		var p config.Problems
		if (err == nil) == (c == nil) || err != nil && (!errors.As(err, &p) || len(p) == 0) {
			t.Errorf("%v and %v", c, err)
		}
	})
}
