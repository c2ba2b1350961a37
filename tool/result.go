package tool

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	strictjson "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/netra-systems/switchboard"
)

const (
	maxErrorBytes  = 2 << 10
	maxNameBytes   = 64
	minResultBytes = 64
	cutMark        = "… [cut]"

	maxDescriptionBytes = 16 << 10
)

// encodeResult returns what a tool returned as JSON of at most ToolResultBytes, in memory of its own: JSON as it is,
// anything else as a JSON string (nothing at all as null), and what is too long as a JSON string of its beginning.
func encodeResult(b []byte, l switchboard.Limits) (result json.RawMessage, truncated bool) {
	if len(b) > l.ToolResultBytes {
		return quote(b, l.ToolResultBytes)
	}
	// A copy in any case: a small result may be the beginning of a large array.
	v := bytes.ToValidUTF8(bytes.TrimSpace(b), []byte("\uFFFD"))
	if len(v) == 0 {
		return json.RawMessage("null"), false
	}
	if len(v) <= l.ToolResultBytes && readable(v, l.JSONDepth) {
		return v, false
	}
	return quote(b, l.ToolResultBytes)
}

// readable reports whether every device can read a JSON value: also its numbers, which most keep in 64 bits.
func readable(b []byte, depth int) bool {
	var v any
	return checkJSON(b, depth) == nil && strictjson.Unmarshal(b, &v) == nil
}

// recordable returns arguments as JSON that an event can hold, whatever the model wrote.
func (d *Dispatcher) recordable(args []byte) json.RawMessage {
	if len(args) <= maxArguments(d.limits) && readable(args, d.limits.JSONDepth) {
		return bytes.Clone(args)
	}
	s, _ := quote(args, maxArguments(d.limits))
	return s
}

// quote returns a text as a JSON string of at most limit bytes; one that is longer is cut and marked. Bad UTF-8 is
// replaced. It reads no more of the text than it returns.
func quote(b []byte, limit int) (quoted json.RawMessage, cut bool) {
	size, fits, i := 2, 0, 0 // fits: where the text must end to leave room for the mark
	for i < len(b) {
		r, n := utf8.DecodeRune(b[i:])
		size += quotedLen(r)
		if size > limit {
			break
		}
		i += n
		if size <= limit-len(cutMark) {
			fits = i
		}
	}
	text, cut := b[:i], i < len(b)
	if cut {
		text = slices.Concat(b[:fits], []byte(cutMark))
	}
	quoted, _ = jsontext.AppendQuote(nil, text) // the error says that it replaced bad UTF-8
	return quoted, cut
}

// quotedLen is the length of a character in a JSON string (RFC 8259 §7).
func quotedLen(r rune) int {
	switch {
	case r == '"' || r == '\\' || r == '\b' || r == '\f' || r == '\n' || r == '\r' || r == '\t':
		return 2
	case r < ' ':
		return 6
	}
	return utf8.RuneLen(r)
}

// cleanText returns a text of at most limit bytes without control characters, so that no terminal obeys it, and without
// characters that are not seen.
func cleanText(s string, limit int) string { return clean(s, limit, "") }

// cleanLines is cleanText for a text that may have lines.
func cleanLines(s string, limit int) string { return clean(s, limit, "\n\t") }

func clean(s string, limit int, keep string) string {
	cut := len(s) > limit
	if cut {
		end := limit - len(cutMark)
		for end > 0 && !utf8.RuneStart(s[end]) {
			end--
		}
		s = s[:end]
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune(keep, r):
		case unicode.IsControl(r), unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp):
			return ' '
		case r >= tagFirst && r <= tagLast:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if cut {
		s += cutMark
	}
	return s
}

// Tags (Unicode 23.9) are letters that nobody sees and that models read.
const tagFirst, tagLast = '\U000E0000', '\U000E007F'

// cleanName returns the name a model used for a tool as an event can hold it.
func cleanName(s string) string { return cleanText(s, maxNameBytes) }
