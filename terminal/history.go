package terminal

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// historyLines is how many lines are remembered.
const historyLines = 1000

// history is what was typed, the newest last, kept in a file that only its owner reads. A file that cannot be read or
// written is no reason not to chat: then nothing is remembered beyond this time.
type history struct {
	file string

	mu    sync.Mutex // guards lines
	lines []string
}

func openHistory(file string) *history {
	h := &history{file: file}
	b, err := os.ReadFile(file)
	if err != nil {
		return h
	}
	for l := range strings.Lines(string(b)) {
		if l = strings.TrimSuffix(l, "\n"); l != "" {
			h.lines = append(h.lines, l)
		}
	}
	if n := len(h.lines); n > historyLines {
		h.lines = h.lines[n-historyLines:]
		_ = h.rewrite() // a file that is too long is shortened another time
	}
	return h
}

func (h *history) rewrite() error {
	temp := h.file + ".new"
	if err := os.WriteFile(temp, []byte(strings.Join(h.lines, "\n")+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, h.file)
}

// remember adds a message, brought into one line.
func (h *history) remember(text string) {
	text = strings.Join(strings.Fields(Clean(text)), " ")
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.lines); text == "" || n > 0 && h.lines[n-1] == text {
		return
	}
	h.lines = append(h.lines, text)
	if h.file == "" || os.MkdirAll(filepath.Dir(h.file), 0o700) != nil {
		return
	}
	f, err := os.OpenFile(h.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = f.WriteString(text + "\n")
}

// Add implements term.History: lines are added as messages, by remember.
func (h *history) Add(string) {}

// Len implements term.History.
func (h *history) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.lines)
}

// At implements term.History: 0 is the newest.
func (h *history) At(i int) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lines[len(h.lines)-1-i]
}
