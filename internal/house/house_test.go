package house

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard/internal/ssot"
)

const root = "../.."

// look runs the analyzer over the module, with files planted by their absolute paths.
func look(t *testing.T, planted map[string][]byte) *ssot.Report {
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
	r, err := ssot.Whole(ssot.Options{Dir: root, Overlay: planted})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestHouse: the module is as ssot.yaml says.
func TestHouse(t *testing.T) {
	r := look(t, nil)
	for _, f := range r.Findings {
		t.Error(f)
	}
	if len(r.Concepts) < 20 {
		t.Errorf("ssot.yaml has only %d concepts", len(r.Concepts))
	}
}

// TestImportsStayFew: the table of imports is one that a person can read.
func TestImportsStayFew(t *testing.T) {
	m, err := ssot.FindModule(root)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ssot.Load(filepath.Join(root, ssot.FileName), m)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(c.Packages); n == 0 || n > 25 {
		t.Errorf("the table of imports has %d rows, 1 to 25 are wanted", n)
	}
}
