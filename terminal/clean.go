package terminal

import (
	"strings"
	"unicode"
)

// longestSequence is how many characters of an escape sequence are held back before it counts as text.
const longestSequence = 1024

// escape says where in an escape sequence a cleaner is (ECMA-48).
type escape int

const (
	none     escape = iota
	begun           // after ESC
	control         // after CSI: parameters up to a final character
	command         // after OSC, DCS, SOS, PM or APC: a string up to ST or BEL
	ending          // after ESC in a string
	charsets        // after ESC and an intermediate character
)

// cleaner takes control characters and escape sequences out of a text that comes in pieces. What it gives for a
// beginning of a text is a beginning of what it gives for the text. The zero value is ready.
type cleaner struct {
	at   escape
	held []rune // of a sequence that has no end yet
}

// write returns what may be shown of the next piece.
func (c *cleaner) write(s string) string {
	var b strings.Builder
	for _, r := range s {
		c.rune(&b, r)
	}
	return b.String()
}

// end returns what was held back: a sequence that never ended is text.
func (c *cleaner) end() string {
	var b strings.Builder
	c.release(&b)
	return b.String()
}

func (c *cleaner) rune(b *strings.Builder, r rune) {
	if c.at != none && (len(c.held) >= longestSequence || r == '\n') {
		c.release(b)
	}
	switch c.at {
	case none:
		c.text(b, r)
		return
	case begun:
		switch {
		case r == '[':
			c.at = control
		case strings.ContainsRune("]PX^_", r):
			c.at = command
		case r >= 0x20 && r <= 0x2f:
			c.at = charsets
		default: // a sequence of two characters
			c.drop()
			return
		}
	case control:
		if r >= 0x40 && r <= 0x7e {
			c.drop()
			return
		}
		if r < 0x20 || r > 0x3f {
			c.release(b)
			c.text(b, r)
			return
		}
	case charsets:
		if r < 0x20 || r > 0x2f {
			c.drop()
			return
		}
	case command:
		switch r {
		case 0x07, 0x9c:
			c.drop()
			return
		case 0x1b:
			c.at = ending
		}
	case ending:
		if r == '\\' {
			c.drop()
			return
		}
		c.at = command
	}
	c.held = append(c.held, r)
}

// text gives a character outside of sequences, or begins one.
func (c *cleaner) text(b *strings.Builder, r rune) {
	switch r {
	case 0x1b:
		c.at = begun
	case 0x9b:
		c.at = control
	case 0x90, 0x98, 0x9d, 0x9e, 0x9f:
		c.at = command
	default:
		if shown(r) {
			b.WriteRune(r)
		}
	}
}

func (c *cleaner) drop() { c.at, c.held = none, c.held[:0] }

func (c *cleaner) release(b *strings.Builder) {
	for _, r := range c.held {
		if shown(r) {
			b.WriteRune(r)
		}
	}
	c.drop()
}

// shown reports whether a character may reach the terminal: no control, nothing that turns the direction of what is
// around it, and none of the invisible tags.
func shown(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return true
	case unicode.IsControl(r):
		return false
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r >= 0xe0000 && r <= 0xe007f, r == 0x2028, r == 0x2029:
		return false
	}
	return true
}

// Clean takes control characters and escape sequences out of a text that is not ours, so that it may be shown.
func Clean(s string) string {
	var c cleaner
	return c.write(s) + c.end()
}

// inLine cleans a text and brings it into one line of at most n characters.
func inLine(s string, n int) string {
	s = strings.Join(strings.Fields(Clean(s)), " ")
	for i := range s {
		if n--; n < 0 {
			return s[:i] + "…"
		}
	}
	return s
}
