package ssot

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// tool builds the command once for all tests of this process.
var tool = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "ssot")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "ssot")
	out, err := exec.Command("go", "build", "-o", bin, "../../cmd/ssot").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return bin, nil
})

// TestMain removes what was built.
func TestMain(m *testing.M) {
	code := m.Run()
	if bin, err := tool(); err == nil {
		os.RemoveAll(filepath.Dir(bin))
	}
	os.Exit(code)
}

var printed = regexp.MustCompile(`(?m)^(?:vet: )?(\S+?):(\d+)(?::\d+)?: (.*)$`)

// vet runs the command below go vet in a module, and returns what it printed as findings, and as it is.
func vet(t *testing.T, dir string, packages ...string) ([]Finding, string) {
	t.Helper()
	bin, err := tool()
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) == 0 {
		packages = []string{"./..."}
	}
	cmd := exec.Command("go", append([]string{"vet", "-vettool=" + bin}, packages...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var found []Finding
	for _, m := range printed.FindAllStringSubmatch(string(out), -1) {
		line, _ := strconv.Atoi(m[2])
		file := strings.TrimPrefix(m[1], "./")
		if rel, err := filepath.Rel(dir, file); err == nil && filepath.IsAbs(file) {
			file = rel
		}
		found = append(found, Finding{File: filepath.ToSlash(file), Line: line, Text: m[3]})
	}
	if (err != nil) != (len(found) > 0) {
		t.Errorf("go vet ended with %v and printed %s", err, out)
	}
	return found, string(bytes.TrimSpace(out))
}

// TestVet: package by package, with facts alone, the same is found; what takes two packages, where they come together.
func TestVet(t *testing.T) {
	dir := t.TempDir()
	files := unpack(t, dir, "consolidated.txtar", "fragmented.txtar")
	found, _ := vet(t, dir)
	wanted := wants(files, "want vet", "joined vet")
	t.Logf("go vet: %d detections fired of %d expected", compare(t, found, wanted), len(wanted))
	again, _ := vet(t, dir)
	if len(again) != len(found) {
		t.Errorf("a second run finds %d, the first %d", len(again), len(found))
	}
}

// TestVetSeesChanges: results are kept while nothing changes, and a changed file makes them void, whatever of it changes.
func TestVetSeesChanges(t *testing.T) {
	dir := t.TempDir()
	files := unpack(t, dir, "small.txtar")
	if found, out := vet(t, dir); len(found) > 0 {
		t.Fatalf("not wanted: %s", out)
	}
	file := filepath.Join(dir, FileName)
	for _, c := range []struct{ name, from, to, want string }{
		{"an owner", "owner: tool.(*Dispatcher).run", "owner: tool.(*Dispatcher).Dispatch", "the one place is tool.(*Dispatcher).Dispatch"},
		{"what to do", "owner: tool.(*Dispatcher).run\n    instead: call", "owner: tool.(*Dispatcher).Dispatch\n    instead: please call", "Instead, please call"},
		{"nothing", "", "", ""},
		{"a name that is gone", "owner: tool.Dispatcher", "owner: tool.Dispitcher", "stands for nothing: package tool declares no Dispitcher"},
		{"a package that is gone", "owner: tool.Dispatcher", "owner: tools.Dispatcher", "stands for nothing: there is no package tools"},
		{"a key", "    instead: call", "    insted: call", `there is no key "insted" in concepts: did you mean "instead"?`},
		{"nothing again", "", "", ""},
	} {
		write(t, file, strings.Replace(files[FileName], c.from, c.to, 1))
		found, out := vet(t, dir)
		if c.want == "" && len(found) > 0 || !strings.Contains(out, c.want) {
			t.Errorf("%s has changed, and go vet says %q; wanted is %q", c.name, out, c.want)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if found, out := vet(t, dir); len(found) > 0 {
		t.Errorf("without a file: %s", out)
	}
}

// TestVetOfAWorkspace: each module of a workspace follows its own file, and a change of either is seen.
func TestVetOfAWorkspace(t *testing.T) {
	dir := t.TempDir()
	const file = "concepts:\n  - {name: printing, owner: %, instead: leave it, strings: [x-]}\n"
	write(t, filepath.Join(dir, "go.work"), "go 1.24\n\nuse ./a\n\nuse ./b\n")
	for _, m := range []string{"a", "b"} {
		write(t, filepath.Join(dir, m, "go.mod"), "module example.com/"+m+"\n\ngo 1.24\n")
		write(t, filepath.Join(dir, m, "m.go"), "package m\n\nconst One = \"x-1\"\n\nconst Two = \"y-2\"\n")
		write(t, filepath.Join(dir, m, FileName), strings.ReplaceAll(file, "%", ".One"))
	}
	if found, out := vet(t, dir, "./a/...", "./b/..."); len(found) > 0 {
		t.Fatalf("not wanted: %s", out)
	}
	write(t, filepath.Join(dir, "b", FileName), strings.ReplaceAll(file, "%", ".Two"))
	found, out := vet(t, dir, "./a/...", "./b/...")
	if len(found) != 1 || found[0].File != "b/m.go" || found[0].Line != 3 {
		t.Errorf("b's file has changed, and go vet says %q", out)
	}
}
