package ssot

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the reference in docs/SSOT.md anew")

// TestReference: docs/SSOT.md has the keys that the file may have, and its example is one.
func TestReference(t *testing.T) {
	const file, begin, end = "../../docs/SSOT.md", "<!-- reference -->\n", "<!-- end of the reference -->"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), begin)
	between, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatal("docs/SSOT.md has no place for the reference")
	}
	want := "\n" + Reference()
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if between != want {
		t.Error("the reference in docs/SSOT.md is not what the structs say: go test ./internal/ssot -run Reference -update")
	}
	_, example, _ := strings.Cut(before, "```yaml\n")
	example, _, ok = strings.Cut(example, "```")
	if !ok {
		t.Fatal("docs/SSOT.md has no example")
	}
	at := filepath.Join(t.TempDir(), FileName)
	write(t, at, example)
	c, err := Load(at, Module{Path: "m", Dir: filepath.Dir(at)})
	if err != nil || len(c.Concepts) != 3 {
		t.Errorf("the example of docs/SSOT.md: %v", err)
	}
}

// TestPublicFiles: the files that docs/SSOT.md tells of can be followed.
func TestPublicFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/public/*.yaml")
	if err != nil || len(files) != 3 {
		t.Fatalf("%v %v", files, err)
	}
	for _, f := range files {
		if _, err := Load(f, Module{Path: "m", Dir: t.TempDir()}); err != nil {
			t.Error(err)
		}
	}
}
