package terminal

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext\n":                           "plain\ttext\n",
		"a\x1b[31mred\x1b[0m b":                   "ared b",
		"\x1b]0;title\x07x":                       "x",
		"\x1b]8;;https://evil\x1b\\link":          "link",
		"\x1b]52;c;cm0gLXJm\x07done":              "done",
		"\x1bPq#0;2;0;0;0\x1b\\six":               "six",
		"\x1b_app\x1b\\\x1b^pm\x1b\\\x1bXs\x1b\\": "",
		"\x1bc reset":                             " reset",
		"\x1b(0line":                              "line",
		"\u009b2Jx":                               "x",
		"\u009d0;t\u009cx":                        "x",
		"over\rwritten\b\b\x7f":                   "overwritten",
		"\x00\x07\x0e\x85":                        "",
		"\x1b[6n\x1b[c\x1b[?1049h":                "",
		"\x1b]0;never ends":                       "]0;never ends",
		"\x1b]0;ends with the line\nnext":         "]0;ends with the line\nnext",
		"\x1b[":                                   "[",
		"a\u202eb\u2066c":                         "abc",
		"a\U000e0041b":                            "ab",
		"👩\u200d🚀 日本語 é":                          "👩\u200d🚀 日本語 é",
		"\x1b[38;5;\x01196mx":                     "[38;5;196mx",
	} {
		if strings.Contains(in, "\x85") {
			in = strings.ToValidUTF8(in, "")
		}
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
	if got := Clean("\x1b]" + strings.Repeat("x", 5000)); strings.Count(got, "x") != 5000 {
		t.Errorf("a sequence without end took text along: %d are left", len(got))
	}
	if got := inLine("two\nlines \x1b[1mof  text\x1b[0m", 12); got != "two lines of…" {
		t.Errorf("inLine: %q", got)
	}
}

// FuzzClean: nothing that a terminal obeys comes through, and what is shown of a beginning stays.
func FuzzClean(f *testing.F) {
	f.Add("a\x1b[31mred\x1b[0m", 3)
	f.Add("\x1b]0;title\x07x", 5)
	f.Add("\x1bP\x1b\x1b\\\u009b1m\u202e", 2)
	f.Fuzz(func(t *testing.T, s string, cut int) {
		if !utf8.ValidString(s) {
			return
		}
		for cut = max(0, min(cut, len(s))); cut < len(s) && !utf8.RuneStart(s[cut]); cut++ {
		}
		whole := Clean(s)
		for _, r := range whole {
			if !shown(r) {
				t.Fatalf("%q gives %q", s, whole)
			}
		}
		if Clean(whole) != whole {
			t.Fatalf("%q is cleaned again to %q", whole, Clean(whole))
		}
		var c cleaner
		if begin := c.write(s[:cut]); begin+c.write(s[cut:])+c.end() != whole || !strings.HasPrefix(whole, begin) {
			t.Fatalf("%q in pieces, cut at %d, is not %q", s, cut, whole)
		}
	})
}
