package house

import (
	"bytes"
	"go/ast"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/tools/go/packages"
)

const root = "../.."

var load = sync.OnceValues(func() (*Tree, error) { return Load(root) })

func tree(t *testing.T) *Tree {
	t.Helper()
	// Looking at every folder makes a kept result of this test void when a file or a package is added.
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root {
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	tr, err := load()
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestHouse(t *testing.T) {
	for _, f := range tree(t).Check() {
		t.Error(f)
	}
}

// plant is a file that breaks a rule. It names its place in the module and what must be found in it.
type plant struct {
	source string // below testdata/planted
	file   string
	body   []byte
	want   []string
}

func plants(t *testing.T) []plant {
	t.Helper()
	files, err := filepath.Glob("testdata/planted/*/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("nothing is planted", err)
	}
	var out []plant
	for _, f := range files {
		p := plant{source: f}
		if p.body, err = os.ReadFile(f); err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(p.body) {
			s := strings.TrimSpace(string(line))
			if at, ok := strings.CutPrefix(s, "// plant: "); ok {
				p.file = at
			} else if text, ok := strings.CutPrefix(s, "// want: "); ok {
				p.want = append(p.want, text)
			} else {
				break
			}
		}
		if p.file == "" || len(p.want) == 0 {
			t.Fatalf("%s says neither where it is planted nor what is wanted", f)
		}
		out = append(out, p)
	}
	return out
}

// TestPlanted plants a violation of every rule and sees each found, and nothing else.
func TestPlanted(t *testing.T) {
	all := plants(t)
	files := map[string][]byte{}
	for _, p := range all {
		if files[p.file] != nil {
			t.Fatalf("two files are planted at %s", p.file)
		}
		files[p.file] = p.body
	}
	planted, err := tree(t).Plant(files)
	if err != nil {
		t.Fatal(err)
	}
	findings := planted.Check()
	for _, p := range all {
		t.Run(filepath.Base(filepath.Dir(p.source)), func(t *testing.T) {
			want := slices.Clone(p.want)
			for _, f := range findings {
				if f.File != p.file {
					continue
				}
				i := slices.IndexFunc(want, func(w string) bool { return strings.HasPrefix(f.Text, w) })
				if i < 0 {
					t.Errorf("not wanted: %s", f)
					continue
				}
				want = slices.Delete(want, i, i+1)
			}
			for _, w := range want {
				t.Errorf("not found: %s", w)
			}
		})
	}
	for _, r := range rules {
		if !slices.ContainsFunc(all, func(p plant) bool {
			return slices.ContainsFunc(p.want, func(w string) bool { return strings.HasPrefix(w, r.name) })
		}) {
			t.Errorf("no violation of %q is planted", r.name)
		}
	}
}

// TestTablesCannotRot gives the engine tables with entries that nothing needs, and without one that something does.
func TestTablesCannotRot(t *testing.T) {
	tr := tree(t)
	rows := func(change func(map[string][]string)) map[string][]string {
		out := map[string][]string{}
		for k, v := range allowed {
			out[k] = slices.Clone(v)
		}
		change(out)
		return out
	}
	has := func(findings []Finding, text string) {
		t.Helper()
		if !slices.ContainsFunc(findings, func(f Finding) bool { return strings.Contains(f.String(), text) }) {
			t.Errorf("not found: %s", text)
		}
	}
	has(tr.checkImports(rows(func(r map[string][]string) { r["rooms"] = nil }), fences), "there is no package rooms")
	has(tr.checkImports(rows(func(r map[string][]string) { r["thread"] = []string{"tool"} }), fences), "nothing in thread imports tool")
	has(tr.checkImports(rows(func(r map[string][]string) { r["router"] = nil }), fences), "router may not import thread")
	has(tr.checkImports(rows(func(r map[string][]string) { delete(r, "router") }), fences), "package router is not in the table")
	has(tr.checkImports(allowed, map[string][]string{"github.com/nats-io/": {"journal/...", "store"}}), "there is no package store")
	has(tr.checkRule(rule{"one fold", uses("thread", "State", "Put"), []string{"router", "agent", "journal/journaltest", "probe"}, ""}), "names probe, where nothing is found")
	has(tr.checkRule(rule{"one fold", uses("thread", "State", "Store"), nil, ""}), "no method Store")
	has(tr.checkRule(rule{"one fold", uses("thread", "Fold", "Put"), nil, ""}), "no type thread.Fold")
	has(tr.checkRule(rule{"one ack", builds("Receipt"), nil, ""}), "no type Receipt in the root")
	if n := len(allowed); n > 25 {
		t.Errorf("the table of imports has %d rows, at most 25 are wanted", n)
	}
}

// TestArchitectureNamesCode: the functions that ARCHITECTURE.md walks through are there.
func TestArchitectureNamesCode(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	units := map[string]bool{}
	for _, s := range tree(t).inspect(func(_ *packages.Package, n ast.Node, _ []ast.Node) bool {
		_, ok := n.(*ast.FuncDecl)
		return ok
	}) {
		units[s.unit] = true
	}
	named := regexp.MustCompile("`([a-z]+\\.(?:\\(\\*[A-Za-z]+\\)\\.)?[A-Za-z]+)`").FindAllStringSubmatch(string(text), -1)
	if len(named) < 20 {
		t.Fatalf("ARCHITECTURE.md names only %d functions", len(named))
	}
	for _, n := range named {
		if !units[n[1]] {
			t.Errorf("ARCHITECTURE.md names %s, which is not there", n[1])
		}
	}
}

var testName = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z]\\w*)")

// TestReliabilityNamesTests: a promise in docs/RELIABILITY.md has a test that is there.
func TestReliabilityNamesTests(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "RELIABILITY.md"))
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	err = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			b, rerr := os.ReadFile(path)
			all, err = append(all, b...), rerr
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	names := testName.FindAllSubmatch(text, -1)
	for _, m := range names {
		if !bytes.Contains(all, []byte("\nfunc "+string(m[1])+"(")) {
			t.Errorf("docs/RELIABILITY.md names %s, which is not there", m[1])
		}
	}
	if len(names) < 15 {
		t.Errorf("docs/RELIABILITY.md names %d tests", len(names))
	}
}
