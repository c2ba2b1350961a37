package terminal

import (
	"errors"
	"io"
	"strings"

	"golang.org/x/term"
)

// The styles of text.
const (
	plain  = ""
	dim    = "\x1b[2m"
	bold   = "\x1b[1m"
	normal = "\x1b[0m"

	eraseLine = "\r\x1b[K"
)

const (
	prompt     = "> "
	morePrompt = "… "
)

// entered is a line that was typed or pasted, or why there are no more.
type entered struct {
	text string
	more bool // it was pasted, and the message goes on
	err  error
}

// screen is a terminal in raw mode: text that scrolls, and below it a prompt while one is open. An untouched prompt makes
// way for text; once something was typed, text comes in whole lines above it, and the rest waits. All methods belong to
// one goroutine.
type screen struct {
	out     io.Writer
	keys    *keyboard
	lines   chan entered
	history term.History
	plain   bool // no styles
	size    func() (width, height int)

	term  *term.Terminal
	begun bool   // the line at the end has text
	open  bool   // a prompt is there
	held  string // text that waits for the prompt to close
}

func newScreen(in io.Reader, out io.Writer, history term.History, plain bool, size func() (int, int)) *screen {
	s := &screen{out: out, keys: newKeyboard(), lines: make(chan entered), history: history, plain: plain, size: size}
	s.renew()
	go s.keys.listen(in) // ends with the input
	return s
}

// renew makes a new line editor.
func (s *screen) renew() {
	s.term = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{s.keys, s.out}, prompt)
	s.term.History = s.history
	s.resize()
}

// resize tells the line editor how large the window is.
func (s *screen) resize() {
	if w, h := s.size(); w > 0 && h > 0 {
		_ = s.term.SetSize(w, h) // it repaints the prompt, and the next write would tell of an error too
	}
}

// bracketed asks the terminal to say what is pasted.
func (s *screen) bracketed(on bool) {
	if !s.plain {
		s.term.SetBracketedPasteMode(on)
	}
}

// prompt opens a prompt, at the beginning of a line, unless one is there.
func (s *screen) prompt(more bool) {
	if s.open {
		return
	}
	s.fresh()
	s.term.SetPrompt(prompt)
	if more {
		s.term.SetPrompt(morePrompt)
	}
	s.resize()
	s.open = true
	s.keys.opened()
	go func(t *term.Terminal) {
		text, err := t.ReadLine()
		pasted := errors.Is(err, term.ErrPasteIndicator)
		if pasted {
			err = nil
		}
		s.lines <- entered{text, pasted, err}
	}(s.term)
}

// closed must be told when a line was entered: what had to wait is written.
func (s *screen) closed() {
	s.open = false
	s.keys.closed()
	held := s.held
	s.held = ""
	s.write(held)
}

// putAway takes an untouched prompt off the screen, and reports whether none is there now.
func (s *screen) putAway() bool {
	if !s.open {
		return true
	}
	if !s.keys.putAway() {
		return false
	}
	<-s.lines
	s.open = false
	s.keys.closed()
	io.WriteString(s.out, eraseLine)
	s.renew() // the old one believes its prompt to be there
	return true
}

// write writes text, which must be clean.
func (s *screen) write(text string) {
	if text == "" {
		return
	}
	if s.putAway() {
		s.begun = !strings.HasSuffix(text, "\n")
		io.WriteString(s.out, strings.ReplaceAll(text, "\n", "\r\n"))
		return
	}
	s.held += text
	if i := strings.LastIndexByte(s.held, '\n') + 1; i > 0 {
		s.term.Write([]byte(s.held[:i]))
		s.held = s.held[i:]
	}
}

// styled writes text in a style. Each piece ends it, so that whatever comes between has its own.
func (s *screen) styled(style, text string) {
	body := strings.TrimRight(text, "\n")
	if body != "" && style != plain && !s.plain {
		text = style + body + normal + text[len(body):]
	}
	s.write(text)
}

// fresh begins a new line unless the last one is empty.
func (s *screen) fresh() {
	switch {
	case s.open && s.held != "":
		s.write("\n")
	case !s.open && s.begun:
		s.write("\n")
	}
}

// line writes a line of its own.
func (s *screen) line(style, text string) {
	s.fresh()
	s.styled(style, text)
	s.write("\n")
}
