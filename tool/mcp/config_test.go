package mcp

import (
	"context"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/netra-systems/switchboard/tool"
)

func TestConfigValidate(t *testing.T) {
	h := func(name, value string) map[string]string { return map[string]string{name: value} }
	for what, c := range map[string]Config{
		"name must":                   {Command: "x"},
		"name must be":                {Name: "a b", Command: "x"},
		"name must be 1":              {Name: strings.Repeat("a", 25), Command: "x"},
		"either":                      {Name: "a"},
		"either command":              {Name: "a", Command: "x", URL: "http://x"},
		"timeout":                     {Name: "a", Command: "x", Timeout: -1},
		"start_timeout":               {Name: "a", Command: "x", StartTimeout: -1},
		"sessions":                    {Name: "a", Command: "x", Sessions: -1},
		"headers belong":              {Name: "a", Command: "x", Headers: h("A", "b")},
		"dir must":                    {Name: "a", Command: "x", Dir: "relative"},
		"env":                         {Name: "a", Command: "x", Env: h("A=", "b")},
		"env A":                       {Name: "a", Command: "x", Env: h("A", "{{.User.ID}}")},
		"env A:":                      {Name: "a", Command: "x", Env: h("A", "{{secret}}")},
		"args, env":                   {Name: "a", URL: "http://x", Args: []string{"a"}},
		"url must":                    {Name: "a", URL: "ftp://x"},
		"url must be":                 {Name: "a", URL: "http://ann:pw@x"},
		"headers: \"A b\"":            {Name: "a", URL: "http://x", Headers: h("A b", "b")},
		"headers: \"mcp-session-id\"": {Name: "a", URL: "http://x", Headers: h("mcp-session-id", "b")},
		"headers: \"Host\"":           {Name: "a", URL: "http://x", Headers: h("Host", "b")},
		"headers A":                   {Name: "a", URL: "http://x", Headers: h("A", "{{.Thread}}")},
		"headers A:":                  {Name: "a", URL: "http://x", Headers: h("A", "a\r\nB: c")},
		"list_headers A":              {Name: "a", URL: "http://x", ListHeaders: h("A", "{{.User.ID}}")},
	} {
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, c := range []Config{
		{Name: "a", Command: "x", Args: []string{"y"}, Env: h("A", `{{secret "b"}}`), Dir: "/tmp"},
		{Name: "git-hub_2", URL: "https://x:8443/mcp?a=b", Headers: h("Authorization", `Bearer {{secret (printf "a-%s" .User.ID)}}`)},
	} {
		if err := c.Validate(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	offer := func(string, []tool.Tool) {}
	if _, err := New(Options{Servers: []Config{{Name: "git-hub", Command: "x"}, {Name: "GitHub", Command: "x"}}, Offer: offer}); err == nil {
		t.Error("twins accepted")
	}
}

// TestValue: only a value that names the user is told who it is, and none may hold a line of its own.
func TestValue(t *testing.T) {
	secret := func(name string) (string, error) {
		if name == "lines" {
			return "a\r\nX-Admin: yes", nil
		}
		return "<" + name + ">", nil
	}
	for text, want := range map[string]string{
		`plain`: "plain", `{{.User.ID}}`: "ann", `{{secret "a"}}&amp;`: "<a>&amp;", `{{printf "%v" .}}`: "<nil>",
	} {
		v, err := parseValue(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got, err := v.eval("ann", secret); err != nil || got != want {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	v, err := parseValue(`{{secret "lines"}}`)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := v.eval("ann", secret); err != errValue {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := v.eval("ann", nil); err != errValue {
		t.Errorf("%q, %v", got, err)
	}
}

// TestDefinition: hints count as the protocol says, absent ones as the worst; or not at all, if the operator says so.
func TestDefinition(t *testing.T) {
	yes, no := true, false
	for name, tc := range map[string]struct {
		hints                             *sdk.ToolAnnotations
		ignore                            bool
		readOnly, destructive, idempotent bool
	}{
		"none":        {destructive: true},
		"empty":       {hints: &sdk.ToolAnnotations{}, destructive: true},
		"reads":       {hints: &sdk.ToolAnnotations{ReadOnlyHint: true, DestructiveHint: &yes}, readOnly: true, idempotent: true},
		"adds":        {hints: &sdk.ToolAnnotations{DestructiveHint: &no}},
		"sets":        {hints: &sdk.ToolAnnotations{DestructiveHint: &yes, IdempotentHint: true}, destructive: true, idempotent: true},
		"not trusted": {hints: &sdk.ToolAnnotations{ReadOnlyHint: true, IdempotentHint: true, DestructiveHint: &no}, ignore: true, destructive: true},
	} {
		s := &server{cfg: Config{Name: "a", IgnoreHints: tc.ignore}}
		r, err := newRemote(s, &sdk.Tool{Name: "do it/now", Annotations: tc.hints, InputSchema: map[string]any{"type": "object"}}, "")
		if err != nil {
			t.Fatal(err)
		}
		d := r.Definition()
		if d.ReadOnly != tc.readOnly || d.Destructive != tc.destructive || d.Idempotent != tc.idempotent || d.Name != "a_do_it_now" {
			t.Errorf("%s: %+v", name, d)
		}
	}
	if n := len(toolName("server", strings.Repeat("é", 200))); n != maxToolName {
		t.Errorf("a name of %d bytes", n)
	}
}

// TestHash: everything that models and people go by is in the hash.
func TestHash(t *testing.T) {
	seen := map[string]int{}
	for i, x := range []*sdk.Tool{
		{}, {Name: "a"}, {Title: "a"}, {Description: "a"}, {InputSchema: map[string]any{"type": "object"}},
		{InputSchema: map[string]any{"type": "object", "title": "a"}}, {Annotations: &sdk.ToolAnnotations{}}, {Annotations: &sdk.ToolAnnotations{ReadOnlyHint: true}},
	} {
		definition, err := definitionOf(x)
		h := hashOf(definition)
		if other, known := seen[h]; err != nil || known {
			t.Errorf("%d is as %d: %v", i, other, err)
		}
		seen[h] = i
	}
}

// TestPinRace: two nodes that see a tool for the first time, with two definitions, believe one of them.
func TestPinRace(t *testing.T) {
	pins := newPins(t)
	believed := make(chan bool, 2)
	for _, definition := range []string{`{"name":"a"}`, `{"name":"b"}`} {
		go func() {
			ok, _, err := pin(context.Background(), pins, "s.tool", []byte(definition), true)
			if err != nil {
				t.Error(err)
			}
			believed <- ok
		}()
	}
	if a, b := <-believed, <-believed; a == b {
		t.Errorf("believed: %v, %v", a, b)
	}
	if ok, first, err := pin(t.Context(), pins, "s.other", []byte(`{"name":"a"}`), false); ok || first || err != nil {
		t.Errorf("without room: %v, %v, %v", ok, first, err)
	}
	if all, err := List(t.Context(), pins); len(all) != 1 || err != nil {
		t.Errorf("%v, %v", all, err)
	}
}
