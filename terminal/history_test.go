package terminal

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestHistory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "below", "history")
	h := openHistory(file)
	for _, text := range []string{"one", "two\nlines", "two lines", "", "three\x1b[2J"} {
		h.remember(text)
	}
	want := "[three two lines one]"
	list := func(h *history) string {
		var out []string
		for i := range h.Len() {
			out = append(out, h.At(i))
		}
		return fmt.Sprint(out)
	}
	if got := list(h); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := list(openHistory(file)); got != want {
		t.Errorf("read again: %s, want %s", got, want)
	}
	for path, mode := range map[string]os.FileMode{file: 0o600, filepath.Dir(file): 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v %v", path, info.Mode(), err)
		}
	}
	for i := range historyLines + 10 {
		h.remember(fmt.Sprint("line ", i))
	}
	if h = openHistory(file); h.Len() != historyLines || h.At(0) != fmt.Sprint("line ", historyLines+9) {
		t.Errorf("%d lines, the last is %s", h.Len(), h.At(0))
	}
	b, err := os.ReadFile(file)
	info, _ := os.Stat(file)
	if err != nil || strings.Count(string(b), "\n") != historyLines || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has %d lines, %v, %v", strings.Count(string(b), "\n"), info.Mode(), err)
	}
	// Without a file, or with one that cannot be, there is a history all the same.
	for _, file := range []string{"", "/dev/null/history"} {
		h := openHistory(file)
		if h.remember("x"); list(h) != "[x]" {
			t.Errorf("%q: %s", file, list(h))
		}
	}
}
