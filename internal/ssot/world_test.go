package ssot

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// unpack writes the files of archives into a folder, those of later ones over those of earlier ones, and returns their
// contents by name.
func unpack(t *testing.T, dir string, archives ...string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, a := range archives {
		ar, err := txtar.ParseFile(filepath.Join("testdata", a))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range ar.Files {
			files[f.Name] = string(f.Data)
		}
	}
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	return files
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// want is a finding that a comment asks for.
type want struct {
	file string
	line int
	text string // how the finding begins
}

// wants returns what comments ask for: those that begin with one of the marks.
func wants(files map[string]string, marks ...string) []want {
	var out []want
	for name, text := range files {
		for i, line := range strings.Split(text, "\n") {
			sign := "// "
			if strings.HasSuffix(name, ".yaml") {
				sign = "# "
			}
			_, comment, ok := strings.Cut(line, sign)
			if !ok {
				continue
			}
			for _, c := range strings.Split(comment, " "+sign) {
				for _, mark := range marks {
					if rest, ok := strings.CutPrefix(c, mark+" "); ok {
						out = append(out, want{name, i + 1, rest})
						break
					}
				}
			}
		}
	}
	return out
}

// compare holds findings against what is wanted, one to one, and returns how many were both.
func compare(t *testing.T, findings []Finding, wanted []want) (fired int) {
	t.Helper()
	for _, f := range findings {
		at := -1
		for i, w := range wanted {
			if w.file == f.File && w.line == f.Line && strings.HasPrefix(f.Text, w.text) {
				at = i
				break
			}
		}
		if at < 0 {
			t.Errorf("not wanted: %s", f)
			continue
		}
		fired++
		wanted = append(wanted[:at:at], wanted[at+1:]...)
	}
	for _, w := range wanted {
		t.Errorf("not found: %s:%d: %s", w.file, w.line, w.text)
	}
	return fired
}

func whole(t *testing.T, dir string) *Report {
	t.Helper()
	r, err := Whole(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
