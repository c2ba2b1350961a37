package switchboard

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCursorRoundTrip(t *testing.T) {
	word := rapid.StringMatching(`[a-z0-9]{1,16}`)
	rapid.Check(t, func(t *rapid.T) {
		p := Place{
			Epoch: word.Draw(t, "epoch"), Seq: rapid.Uint64Range(0, 1e19-1).Draw(t, "seq"),
			Check: rapid.OneOf(word, rapid.Just("")).Draw(t, "check"),
		}
		c := p.Cursor()
		if len(c) > 64 || strings.Trim(string(c), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "" {
			t.Fatalf("%q is not 64 of [A-Za-z0-9._-]", c)
		}
		got, err := ParseCursor(c)
		if err != nil || got != p {
			t.Fatalf("%q came back as %+v, %v; want %+v", c, got, err, p)
		}
	})
}

func TestBadCursors(t *testing.T) {
	for _, c := range []Cursor{
		"", ".", "..", "e", "e.1", "e.1.a.b", ".1.a", "e..a", "e.-1.a", "e.+1.a", "e.01.a", "e.00.a", "e.1x.a", "e.1.A", "E.1.a",
		"e.1.a ", " e.1.a", "e.1.a\n", "e.1.*", "e.99999999999999999999.a", "e.1.\x00", "ä.1.a", Cursor(strings.Repeat("e", 64) + ".1.a"),
		Place{Epoch: "e", Seq: math.MaxUint64, Check: "a"}.Cursor(),
	} {
		p, err := ParseCursor(c)
		if err == nil {
			t.Errorf("%q was taken as %+v", c, p)
			continue
		}
		checkError(t, err, Invalid, "cursor")
		if len(c) > 2 && strings.Contains(err.Error(), string(c)) {
			t.Errorf("the error echoes the cursor: %v", err)
		}
	}
}

func FuzzParseCursor(f *testing.F) {
	for _, c := range []string{"e3a.1842.9f", "a.0.", "a.0.b", "..", "e.01.a", ""} {
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParseCursor(Cursor(s))
		if err == nil && p.Cursor() != Cursor(s) {
			t.Fatalf("%q is also written %q", s, p.Cursor())
		}
	})
}
