package scripted

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxDepth bounds the nesting of an expression.
const maxDepth = 64

var (
	// notNumbers are digits that are no operands, whatever stands around them.
	notNumbers = []*regexp.Regexp{
		regexp.MustCompile(`(?i)https?://\S+|\bwww\.\S+|\S+@\S+`),
		regexp.MustCompile(`\b\d{4}-\d{1,2}-\d{1,2}(?:[Tt ]\d{1,2}:\d{2}\S*)?\b`),
		regexp.MustCompile(`\b\d{1,2}[/.]\d{1,2}[/.](?:19|20)\d{2}\b|\b(?:19|20)\d{2}/\d{1,2}/\d{1,2}\b`),
		regexp.MustCompile(`\b\d{1,2}:\d{2}(?::\d{2})?(?:\.\d+)?`),
		regexp.MustCompile(`(?:\+?\d{1,3}[-. ])?\(?\b\d{3}\)?[-. ]\d{3}[-. ]\d{4}\b`),
		regexp.MustCompile(`(?:^|[\s(])\+\d{1,3}[ -]\(?\d+\)?[ -]\d[\d -]{4,}`),
	}
	// notSums are glued expressions that mean something else, unless somebody asks for their value.
	notSums = regexp.MustCompile(`^(?:\d{3}-\d{4}|(?:19|20)\d\d-(?:19|20)\d\d|24/7|9/11|50/50)$`)
	groups  = regexp.MustCompile(`^\d+(?:-\d+){2,}$`)
	span    = regexp.MustCompile(`^(\d+)[-–](\d+)$`)

	asked = regexp.MustCompile(`(?i)(?:\bwhat(?:['’]s| is| are)|\b(?:calculate|compute|evaluate|solve|work out|` +
		`how much is|equals|result of|value of|me|do|and|then|also|please)|=)\s*:?\s*$`)
	goesOn = regexp.MustCompile(`^[ \t]+(\pL+)`)
	word   = regexp.MustCompile(`\pL[ \t]+$`)
	number = regexp.MustCompile(`^(?:\d+(?:[.,]\d+)*|\.\d+)`)
	plain  = regexp.MustCompile(`^(?:0|[1-9]\d*|[1-9]\d{0,2}(?:,\d{3})+)?(?:\.\d+)?$`)

	operators = map[string]string{
		"plus": "+", "minus": "-", "times": "*", "multiplied by": "*", "divided by": "/", "to the power of": "^",
	}
)

// kind is what a token is.
type kind byte

const (
	operand  kind = 'n'
	operator kind = 'o'
	open     kind = '('
	closed   kind = ')'
	other    kind = 'w' // a word, or digits that belong to one
	stop     kind = 's' // ends what stands before it
)

type token struct {
	kind     kind
	from, to int
	text     string // of an operand or operator as the calculator reads it
	glued    bool   // no space before it
}

// sum is an arithmetic expression found in a text.
type sum struct {
	from, to   int
	expression string
}

// findSums returns the expressions of a text, in order. An expression has at least one operator between operands; digits
// inside words, dates, times of day, addresses and phone numbers are no operands, and nothing is taken out of a larger
// expression that is not understood as a whole.
func findSums(text string) []sum {
	for _, re := range notNumbers {
		text = re.ReplaceAllStringFunc(text, func(s string) string {
			return strings.Repeat("w", len(s))
		})
	}
	p := parser(poison(tokens(text)))
	var found []sum
	for i := 0; i < len(p); {
		j, ops, ok := p.sum(i, 0)
		if !ok {
			i++
			continue
		}
		s := sum{p[i].from, p[j-1].to, p.text(i, j)}
		if ops > 0 && p.alone(i, j) && isSum(text, s) {
			found = append(found, s)
		}
		i = j
	}
	return found
}

// isSum tells a sum from a range, score or phone number that looks like one.
func isSum(text string, s sum) bool {
	raw, before, after := text[s.from:s.to], text[max(0, s.from-40):s.from], text[s.to:]
	if asked.MatchString(before) {
		return true
	}
	if notSums.MatchString(raw) || groups.MatchString(raw) && len(raw)-strings.Count(raw, "-") >= 7 {
		return false
	}
	if m := span.FindStringSubmatch(raw); m != nil {
		a, _ := strconv.Atoi(m[1])
		b, _ := strconv.Atoi(m[2])
		next := goesOn.FindStringSubmatch(after)
		if a < b && (word.MatchString(before) || next != nil && !isFiller(next[1])) {
			return false
		}
	}
	return true
}

func isFiller(w string) bool {
	switch strings.ToLower(w) {
	case "and", "or", "then", "please", "is", "equals", "also":
		return true
	}
	return false
}

// tokens splits a text. Line ends are stops.
func tokens(text string) []token {
	var out []token
	glued := false
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		t := token{from: i, to: i + n, glued: glued, kind: stop}
		glued = true
		switch {
		case r == '\n':
		case unicode.IsSpace(r):
			glued = false
			i += n
			continue
		case strings.ContainsRune("$€£", r):
			i += n
			continue
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '_', r == '.' && startsFraction(text, i):
			t.kind, t.text, t.to = lexWord(text, i)
		case r == '(':
			t.kind = open
		case r == ')':
			t.kind = closed
		case strings.ContainsRune("@#%\\~", r), (r == '.' || r == ':') && between(text, i, n):
			t.kind = other
		default:
			t.kind, t.text, t.to = lexOperator(text, i, r, n)
		}
		out = append(out, t)
		i = t.to
	}
	return out
}

func isWordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' || r == '\'' || r == '’'
}

// between says whether the n bytes at i stand between two word characters.
func between(text string, i, n int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:i])
	after, _ := utf8.DecodeRuneInString(text[i+n:])
	return isWordRune(before) && isWordRune(after)
}

func startsFraction(text string, i int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:i])
	return i+1 < len(text) && text[i+1] >= '0' && text[i+1] <= '9' && !isWordRune(before)
}

func lexWord(text string, i int) (kind, string, int) {
	if n := len(number.FindString(text[i:])); n > 0 {
		s := text[i : i+n]
		after, _ := utf8.DecodeRuneInString(text[i+n:])
		if !isWordRune(after) {
			if !plain.MatchString(s) {
				return other, "", i + n
			}
			if s = strings.ReplaceAll(s, ",", ""); s[0] == '.' {
				s = "0" + s
			}
			return operand, s, i + n
		}
	}
	end := len(text)
	if k := strings.IndexFunc(text[i:], func(r rune) bool { return !isWordRune(r) && r != '.' }); k >= 0 {
		end = i + k
	}
	// A full stop belongs to a word only inside it.
	if w := strings.TrimRight(text[i:end], "."); w != "" {
		end = i + len(w)
	}
	w := strings.ToLower(text[i:end])
	if w == "x" && spaced(text, i, end) {
		return operator, "*", end
	}
	for name, op := range operators {
		first, _, _ := strings.Cut(name, " ")
		if w == first && len(text)-i >= len(name) && strings.EqualFold(text[i:i+len(name)], name) {
			return operator, op, i + len(name)
		}
	}
	return other, "", end
}

func spaced(text string, from, to int) bool {
	return from > 0 && to < len(text) && text[from-1] == ' ' && text[to] == ' '
}

func lexOperator(text string, i int, r rune, n int) (kind, string, int) {
	if strings.HasPrefix(text[i:], "**") {
		return operator, "^", i + 2
	}
	switch r {
	case '+', '-', '*', '/', '^':
		return operator, string(r), i + n
	case '×', '·', '⋅':
		return operator, "*", i + n
	case '÷':
		return operator, "/", i + n
	case '−':
		return operator, "-", i + n
	case '–':
		if between(text, i, n) {
			return other, "", i + n
		}
		return operator, "-", i + n
	}
	return stop, "", i + n
}

// poison turns operands that are glued to a word, also through operators, into words: "gpt-4+2" holds no sum.
func poison(ts []token) []token {
	for i := 0; i < len(ts); {
		j, bad := i, false
		for ; j < len(ts) && (j == i || ts[j].glued); j++ {
			if k := ts[j].kind; k != operand && k != operator && k != other {
				break
			}
			bad = bad || ts[j].kind == other
		}
		for k := i; bad && k < j; k++ {
			if ts[k].kind == operand {
				ts[k].kind = other
			}
		}
		i = max(j, i+1)
	}
	return ts
}

// parser reads expressions: operands joined by operators, parentheses, signs glued to their operand, and products of
// things glued to a parenthesis, as in 2(3+4). Precedence is the calculator's business.
type parser []token

func (p parser) is(i int, k kind) bool { return i >= 0 && i < len(p) && p[i].kind == k }

func (p parser) sign(i int) bool {
	return p.is(i, operator) && (p[i].text == "-" || p[i].text == "+") && i+1 < len(p) && p[i+1].glued &&
		(p.is(i+1, operand) || p.is(i+1, open))
}

func (p parser) sum(i, depth int) (end, ops int, ok bool) {
	end, ops, ok = p.primary(i, depth)
	for ok && end < len(p) {
		next := end
		switch {
		case p.is(end, operator):
			next++
		case p.is(end, open) && p[end].glued:
		default:
			return end, ops, true
		}
		e, o, good := p.primary(next, depth)
		if !good {
			break
		}
		end, ops = e, ops+o+1
	}
	return end, ops, ok
}

func (p parser) primary(i, depth int) (end, ops int, ok bool) {
	if p.sign(i) {
		i++
	}
	switch {
	case p.is(i, operand):
		return i + 1, 0, true
	case p.is(i, open) && depth < maxDepth:
		end, ops, ok = p.sum(i+1, depth+1)
		return end + 1, ops, ok && p.is(end, closed)
	}
	return i, 0, false
}

// alone says whether the expression of the tokens [i, j) is no part of a larger one.
func (p parser) alone(i, j int) bool {
	if p.is(i-1, operand) || p.is(j, operand) || p.is(j, other) && p[j].glued {
		return false
	}
	if p.is(i-1, operator) {
		bullet := (i == 1 || p.is(i-2, stop)) && !p[i].glued
		if !bullet && (p[i-1].text != "-" || p[i].glued) {
			return false
		}
	}
	if p.is(j, operator) {
		return p[j].text == "-" && (j+1 == len(p) || !p[j+1].glued || p.is(j+1, stop))
	}
	return true
}

// text writes the tokens [i, j) for the calculator.
func (p parser) text(i, j int) string {
	var b strings.Builder
	for k := i; k < j; k++ {
		t := p[k]
		unary := p.sign(k) && (k == i || p[k-1].kind == operator || p[k-1].kind == open)
		switch {
		case t.kind == operator && !unary:
			b.WriteString(" " + t.text + " ")
		case t.kind == open && k > i && (p[k-1].kind == operand || p[k-1].kind == closed):
			b.WriteString(" * (")
		case t.kind == open || t.kind == closed:
			b.WriteByte(byte(t.kind))
		default:
			b.WriteString(t.text)
		}
	}
	return b.String()
}
