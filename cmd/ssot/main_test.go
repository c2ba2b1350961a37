package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard/internal/ssot"
)

const good = `concepts:
  - name: the greeter
    owner: .Greeter
    instead: use it
    roles: [{named: Greeter$}]
`

// module writes a module and makes its folder, or one below it, the current one.
func module(t *testing.T, config, code, at string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/m\n\ngo 1.24\n", "m.go": "package m\n\ntype Greeter struct{}\n", "sub/sub.go": "package sub\n" + code, ssot.FileName: config,
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(filepath.Join(dir, at))
}

func TestExitCodes(t *testing.T) {
	const second = "\ntype OtherGreeter struct{}\n"
	const text = "the greeter: type OtherGreeter is named like it (Greeter$), but the one place is .Greeter (m.go:3). Instead, use it [ssot.yaml:5]"
	for _, c := range []struct {
		name, config, code, at string
		args                   []string
		exit                   int
		out, errs              string
	}{
		{name: "clean", config: good, errs: "ssot: 0 findings in example.com/m (2 packages, 1 concepts)"},
		{name: "findings", config: good, code: second, exit: found, out: "sub/sub.go:3: " + text, errs: "ssot: 1 findings"},
		{name: "below", config: good, code: second, at: "sub", exit: found, out: "../sub/sub.go:3: " + text},
		{name: "a part", config: good, code: second, args: []string{"."}, errs: "ssot: 0 findings in part of example.com/m (1 packages"},
		{name: "inventory", config: good, args: []string{"--report"}, out: "the greeter\n  owner      .Greeter (m.go:3)\n  roles      1: .Greeter\n"},
		{name: "a mistake", config: strings.Replace(good, "owner", "own", 1), exit: unusable, errs: `ssot.yaml:3: there is no key "own" in concepts: did you mean "owner"?`},
		{name: "no such file", config: good, args: []string{"--config", "none.yaml"}, exit: unusable, errs: "none.yaml"},
		{name: "broken code", config: good, code: "var x int = nil\n", exit: unusable, errs: "sub.go:2"},
		{name: "a flag", config: good, args: []string{"--reprot"}, exit: unusable, errs: "unknown flag --reprot"},
		{name: "help", config: good, args: []string{"--help"}, out: "Exit codes: 0 nothing found, 1 findings, 2"},
		{name: "reference", config: good, args: []string{"--reference"}, out: "| `owner` | string |"},
	} {
		t.Run(c.name, func(t *testing.T) {
			module(t, c.config, c.code, c.at)
			var out, errs bytes.Buffer
			if exit := run(c.args, &out, &errs); exit != c.exit {
				t.Errorf("exit code %d, wanted is %d: %s", exit, c.exit, &errs)
			}
			if !strings.Contains(out.String(), c.out) || !strings.Contains(errs.String(), c.errs) {
				t.Errorf("printed: %s\nand to stderr: %s", &out, &errs)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	module(t, good, "\ntype OtherGreeter struct{}\n", "")
	var out, errs bytes.Buffer
	if exit := run([]string{"--json"}, &out, &errs); exit != found || errs.Len() > 0 {
		t.Errorf("exit code %d, and to stderr: %s", exit, &errs)
	}
	var r ssot.Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	want := ssot.Finding{File: "sub/sub.go", Line: 3, Concept: "the greeter", Rule: "roles", Other: "m.go:3", Text: r.Findings[0].Text}
	if len(r.Findings) != 1 || r.Findings[0] != want || !r.Whole || len(r.Concepts) != 1 {
		t.Errorf("%+v", r)
	}
}

// TestVersion: what go vet asks for depends on the file, and on nothing else that can change.
func TestVersion(t *testing.T) {
	ask := func() string {
		var out, errs bytes.Buffer
		if code := version(&out, &errs); code != clean {
			t.Fatalf("%d: %s", code, &errs)
		}
		return out.String()
	}
	module(t, good, "", "sub")
	first := ask()
	if second := ask(); second != first || !strings.Contains(first, " version devel ") {
		t.Errorf("%s and %s", first, second)
	}
	if err := os.WriteFile("../"+ssot.FileName, []byte(good+"# changed\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if second := ask(); second == first {
		t.Error("a changed file is not seen")
	}
}
