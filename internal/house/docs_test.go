package house

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestArchitectureNamesCode: the functions that ARCHITECTURE.md walks through are there.
func TestArchitectureNamesCode(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	units := map[string]bool{}
	for _, f := range sources(t) {
		for name := range f.functions {
			units[name] = true
		}
	}
	named := regexp.MustCompile("`([a-z]+\\.(?:\\(\\*[A-Za-z]+\\)\\.)?[A-Za-z]+)`").FindAllStringSubmatch(string(text), -1)
	if len(named) < 20 {
		t.Fatalf("ARCHITECTURE.md names only %d functions", len(named))
	}
	for _, n := range named {
		if !units[n[1]] && n[1] != "ssot.yaml" {
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
