package switchboard

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestAssembly(t *testing.T) {
	type step struct {
		index, count int
		text         string
		want         string
		whole        bool
	}
	for name, steps := range map[string][]step{
		"in order":                {{0, 1, "a", "a", true}, {1, 2, "bc", "abc", true}, {3, 1, "d", "abcd", true}},
		"repeat":                  {{0, 2, "ab", "ab", true}, {0, 2, "ab", "ab", true}, {1, 1, "b", "ab", true}},
		"gap":                     {{0, 1, "a", "a", true}, {2, 1, "c", "a", false}, {3, 1, "d", "a", false}},
		"gap, then all so far":    {{0, 1, "a", "a", true}, {2, 1, "c", "a", false}, {0, 3, "abc", "abc", true}, {3, 1, "d", "abcd", true}},
		"starts in the middle":    {{5, 1, "f", "", false}},
		"joins late":              {{0, 6, "abcdef", "abcdef", true}, {6, 1, "g", "abcdefg", true}},
		"overlap is a gap":        {{0, 2, "ab", "ab", true}, {1, 2, "bc", "ab", false}},
		"longer from the start":   {{0, 2, "ab", "ab", true}, {0, 4, "abcd", "abcd", true}},
		"shorter from the start":  {{0, 3, "abc", "abc", true}, {0, 1, "a", "abc", true}},
		"nothing covers nothing":  {{0, 0, "", "", true}, {0, 1, "a", "a", true}},
		"chunks may have no text": {{0, 1, "", "", true}, {1, 1, "b", "b", true}},
	} {
		t.Run(name, func(t *testing.T) {
			var a Assembly
			for i, s := range steps {
				whole := a.Add(DeltaPayload{Index: s.index, Count: s.count, Text: s.text})
				if whole != s.whole || a.Text != s.want {
					t.Fatalf("step %d: %q, %v; want %q, %v", i, a.Text, whole, s.want, s.whole)
				}
			}
		})
	}
}

// TestAssemblyConverges: whatever is merged, repeated or lost, the text is always a beginning of the whole one, and the
// text so far (which resync_message asks for) makes up for every gap.
func TestAssemblyConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		chunks := rapid.SliceOfN(rapid.StringN(0, 4, -1), 1, 20).Draw(t, "chunks")
		all := strings.Join(chunks, "")
		piece := func(from, to int) DeltaPayload {
			return DeltaPayload{Index: from, Count: to - from, Text: strings.Join(chunks[from:to], "")}
		}
		var a Assembly
		for range rapid.IntRange(0, 30).Draw(t, "frames") {
			from := rapid.IntRange(0, len(chunks)-1).Draw(t, "from")
			a.Add(piece(from, rapid.IntRange(from+1, len(chunks)).Draw(t, "to")))
			if !strings.HasPrefix(all, a.Text) {
				t.Fatalf("%q is no beginning of %q", a.Text, all)
			}
		}
		if !a.Add(piece(0, len(chunks))) || a.Text != all {
			t.Fatalf("%q, want %q", a.Text, all)
		}
	})
}
