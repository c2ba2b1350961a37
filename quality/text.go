package quality

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// textBytes is how much of a text is measured: what follows changes no score.
const textBytes = 64 << 10

// text is a text cut into clauses of tokens, once and in linear time.
type text struct {
	tokens  []token
	clauses []clause
	whole   bool // it ends as a sentence, a list or a block of code does
}

// token is what stands between white space.
type token struct {
	word    string // in lower case, without punctuation around it; "" if there is none
	stem    string // of a word that carries meaning, else ""
	number  bool
	unit    bool // a number that says of what: 20ms, 5%, 10:00
	code    bool // a name of a program's world: a path, a flag, an identifier
	named   bool // a capital letter in the middle of a clause
	marker  bool // of a list: 1. a) - *
	opening bool // the first of its clause
}

// clause is the range of the tokens of a clause: it ends with punctuation that ends a thought, or with its line.
type clause struct{ from, to int }

// read cuts a text.
func read(s string) *text {
	if len(s) > textBytes {
		s = strings.ToValidUTF8(s[:textBytes], "")
	}
	t := &text{}
	from := 0
	end := func() {
		if len(t.tokens) > from {
			t.clauses = append(t.clauses, clause{from, len(t.tokens)})
			from = len(t.tokens)
		}
	}
	for line := range strings.SplitSeq(s, "\n") {
		for raw := range strings.FieldsSeq(line) {
			n := len(t.tokens) - from
			k := newToken(raw, n == 0 || n == 1 && t.tokens[from].marker)
			t.tokens = append(t.tokens, k)
			if !k.marker && strings.ContainsAny(lastOf(raw), ".!?;:") {
				end()
			}
		}
		end()
	}
	t.whole = strings.ContainsAny(lastOf(strings.TrimRight(s, " \n\t\"'”’)`*_")), ".!?:;") || t.listed() || t.brief()
	return t
}

// lastOf returns the last character of s.
func lastOf(s string) string {
	_, n := utf8.DecodeLastRuneInString(s)
	return s[len(s)-n:]
}

// listed reports whether the last clause is an entry of a list.
func (t *text) listed() bool {
	return len(t.clauses) > 1 && t.tokens[t.clauses[len(t.clauses)-1].from].marker
}

// briefWords is how many words an answer may have that needs no full stop.
const briefWords = 4

func (t *text) brief() bool { return len(t.tokens) > 0 && len(t.tokens) <= briefWords }

const around = ".,;:!?\"'`()[]{}<>*_„“”‘’«»…"

func newToken(raw string, opening bool) token {
	k := token{opening: opening}
	bare := strings.Trim(raw, around)
	k.word = strings.ToLower(bare)
	k.marker = opening && isMarker(raw)
	if k.marker || bare == "" {
		return k
	}
	k.number = strings.ContainsAny(bare, "0123456789")
	k.code = isCode(raw, bare)
	if k.number && !k.code {
		first, _ := utf8.DecodeRuneInString(bare)
		k.unit = strings.ContainsAny(raw, "%€$£°×") || strings.Contains(bare, ":") || !unicode.IsDigit(first) || strings.IndexFunc(bare, unicode.IsLetter) > 0
	}
	first, _ := utf8.DecodeRuneInString(bare)
	k.named = !opening && unicode.IsUpper(first) && k.word != "i"
	if !stopWords[k.word] && !k.number && len(k.word) > 2 {
		k.stem = stem(k.word)
	}
	return k
}

// isMarker reports whether a token begins an entry of a list.
func isMarker(raw string) bool {
	if raw == "-" || raw == "*" || raw == "•" || raw == "–" {
		return true
	}
	head, mark := raw[:len(raw)-1], raw[len(raw)-1]
	return (mark == '.' || mark == ')') && len(head) > 0 && len(head) <= 2 && strings.Trim(head, "0123456789") == ""
}

// isCode reports whether a token is written as programs, files and commands are.
func isCode(raw, bare string) bool {
	if strings.HasPrefix(raw, "`") || strings.HasPrefix(raw, "--") || strings.ContainsAny(bare, "_=/\\(){}<>|@~") && len(bare) > 2 {
		return true
	}
	lower, upper := 0, 0
	for i, r := range bare {
		switch {
		case unicode.IsLower(r):
			lower++
		case unicode.IsUpper(r):
			upper++
			if i > 0 && lower > 0 { // camelCase
				return true
			}
		case r == '.' && i > 0 && i < len(bare)-1 && lower+upper > 0:
			return true // a.b
		}
	}
	return upper > 1 && lower == 0 // an abbreviation or a keyword
}

// stem cuts the commonest endings off a word, so that ship, ships and shipping meet.
func stem(w string) string {
	w = strings.TrimSuffix(strings.TrimSuffix(w, "'s"), "’s")
	for _, end := range []string{"ations", "ation", "ingly", "ings", "ing", "edly", "ies", "ied", "ers", "ed", "er", "es", "ly", "s", "y", "e"} {
		if s, ok := strings.CutSuffix(w, end); ok && len(s) >= 3 {
			w = s
			break
		}
	}
	if n := len(w); n > 3 && w[n-1] == w[n-2] { // shipp, stopp
		w = w[:n-1]
	}
	return w
}

// words counts the tokens that are words or numbers.
func (t *text) words() (n int) {
	for _, k := range t.tokens {
		if k.word != "" && !k.marker {
			n++
		}
	}
	return n
}

// stems counts how often each stem is there, and how many there are in all.
func (t *text) stems() (counts map[string]int, all int) {
	counts = map[string]int{}
	for _, k := range t.tokens {
		if k.stem != "" {
			counts[k.stem]++
			all++
		}
	}
	return counts, all
}
