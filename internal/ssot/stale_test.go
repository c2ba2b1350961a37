package ssot

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestStale: what of the file stands for nothing any more is a finding at its line.
func TestStale(t *testing.T) {
	dir := t.TempDir()
	files := unpack(t, dir, "stale.txtar")
	compare(t, whole(t, dir).Findings, wants(files, "want"))
}

// TestPart: of a part of a module, nothing is said about what might be elsewhere, and what is wrong is said all the same.
func TestPart(t *testing.T) {
	dir := t.TempDir()
	unpack(t, dir, "stale.txtar")
	r, err := Whole(Options{Dir: dir, Patterns: []string{"./a"}})
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, f := range r.Findings {
		texts = append(texts, f.Text)
	}
	all := strings.Join(texts, "\n")
	if r.Whole || !strings.Contains(all, "uses strings.Cut") || !strings.Contains(all, "declares no Router") {
		t.Errorf("of a part this is found: %s", all)
	}
	if strings.Contains(all, "guards nothing") || strings.Contains(all, "registered nowhere") {
		t.Errorf("of a part too much is found: %s", all)
	}
}

// TestStrict: a file with a mistake is refused, with its line and what was meant.
func TestStrict(t *testing.T) {
	const good = "concepts:\n  - name: a\n    owner: a.B\n    instead: c\n    calls: [a.C]\n"
	for _, c := range []struct{ name, text, want string }{
		{"good", good, ""},
		{"empty", "", ""},
		{"a key", strings.Replace(good, "calls", "call", 1), `5: there is no key "call" in concepts: did you mean "calls"?`},
		{"a key of the file", "concept: []\n", `1: there is no key "concept" in the file: did you mean "concepts"?`},
		{"a key twice", good + "    calls: [a.D]\n", `6: "calls" is there twice in concepts`},
		{"a list", strings.Replace(good, "[a.C]", "a.C", 1), "5: calls must be a list"},
		{"a string", strings.Replace(good, "owner: a.B", "owner: [a.B]", 1), "3: owner must be a string"},
		{"keys", "concepts: [x]\n", "1: concepts must have keys: name, owner"},
		{"no owner", strings.Replace(good, "    owner: a.B\n", "", 1), "2: concept a needs an owner"},
		{"no name", strings.Replace(good, "name: a\n    ", "", 1), "2: a concept needs a name"},
		{"no advice", strings.Replace(good, "    instead: c\n", "", 1), "2: concept a does not say what to do instead"},
		{"no rule", strings.Replace(good, "    calls: [a.C]\n", "", 1), "2: concept a has no rule"},
		{"twice", good + strings.TrimPrefix(good, "concepts:\n"), "6: concept a is there twice: line 2 has it too"},
		{"a pattern", good + "    roles: [{named: (}]\n", "6: not a regular expression"},
		{"a role", good + "    roles: [{}]\n", "a role of concept a names nothing"},
		{"an interval", good + "    beside: {constants: a.C, with: [4xx]}\n", "6: 4xx is neither a constant"},
		{"an integer", good + "    registers: {calls: [{to: a.C, arg: one}]}\n", "6: arg must be a int"},
		{"an emitter", good + "    emitters: {of: a.C, in: file}\n", "6: emitters are in a function or a package, not in a file"},
		{"YAML", "concepts: [\n", "2: "},
	} {
		file := filepath.Join(t.TempDir(), FileName)
		write(t, file, c.text)
		_, err := Load(file, Module{Path: "m", Dir: filepath.Dir(file)})
		var bad *ConfigError
		if c.want == "" && err != nil || c.want != "" && !errors.As(err, &bad) {
			t.Errorf("%s: %v", c.name, err)
		} else if c.want != "" && !slices.ContainsFunc(bad.Lines, func(l string) bool { return strings.HasPrefix(l, c.want) || strings.Contains(l, c.want) }) {
			t.Errorf("%s: %q, wanted is %q", c.name, bad.Lines, c.want)
		}
	}
}

// TestUnusable: what keeps a module from being looked at is an error and no finding.
func TestUnusable(t *testing.T) {
	dir := t.TempDir()
	unpack(t, dir, "small.txtar")
	file := filepath.Join(dir, FileName)
	if err := os.Rename(file, filepath.Join(dir, "other.yaml")); err != nil {
		t.Fatal(err)
	}
	if _, err := Whole(Options{Dir: dir}); !errors.Is(err, ErrNoFile) {
		t.Errorf("without a file: %v", err)
	}
	if r, err := Whole(Options{Dir: dir, File: filepath.Join(dir, "other.yaml")}); err != nil || len(r.Findings) > 0 {
		t.Errorf("with a file of another name: %v %v", r, err)
	}
	write(t, filepath.Join(dir, "bad.go"), "package small\n\nvar x int = \"\"\n")
	if _, err := Whole(Options{Dir: dir, File: filepath.Join(dir, "other.yaml")}); err == nil || !strings.Contains(err.Error(), "bad.go:3") {
		t.Errorf("with code that does not compile: %v", err)
	}
	if _, err := Whole(Options{Dir: os.TempDir()}); !errors.Is(err, ErrNoModule) {
		t.Errorf("without a module: %v", err)
	}
}
