package house

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard/internal/ssot"
)

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

// TestPlanted plants a violation of every rule and sees each found, with the other place, and nothing else.
func TestPlanted(t *testing.T) {
	all := plants(t)
	files := map[string][]byte{}
	for _, p := range all {
		at, err := filepath.Abs(filepath.Join(root, p.file))
		if err != nil {
			t.Fatal(err)
		}
		if files[at] != nil {
			t.Fatalf("two files are planted at %s", p.file)
		}
		files[at] = p.body
	}
	report := look(t, files)
	for _, p := range all {
		t.Run(filepath.Base(filepath.Dir(p.source)), func(t *testing.T) {
			want := slices.Clone(p.want)
			for _, f := range report.Findings {
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
	for _, k := range report.Concepts {
		if !slices.ContainsFunc(report.Findings, func(f ssot.Finding) bool { return f.Concept == k.Name }) {
			t.Errorf("no violation of %q is planted", k.Name)
		}
	}
}
