package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// The kinds of problems, for errors.Is.
var (
	ErrTooLarge   = errors.New("the file is too large")
	ErrEncoding   = errors.New("the file is not UTF-8")
	ErrSyntax     = errors.New("the file is not YAML")
	ErrAlias      = errors.New("the file has anchors or aliases")
	ErrUnknownKey = errors.New("unknown key")
	ErrDuplicate  = errors.New("a key is there twice")
	ErrType       = errors.New("wrong type")
	ErrValue      = errors.New("bad value")
	ErrKeys       = errors.New("keys that do not belong together")
	ErrReference  = errors.New("a name of nothing")
	ErrVariable   = errors.New("a variable or file that cannot be used")
)

// Problem is one thing that is wrong with a file.
type Problem struct {
	File         string
	Line, Column int    // from 1; 0: the file as a whole
	Key          string // agents.assistant.model; empty: the top
	Message      string // names keys and names of the file, never a value from elsewhere
	Kind         error  // one of the kinds
}

// String is the problem as compilers write it, in one line.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File + ":")
		if p.Line > 0 {
			fmt.Fprintf(&b, "%d:%d:", p.Line, p.Column)
		}
		b.WriteString(" ")
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	return b.String() + p.Message
}

// Problems are all that is wrong with a file.
type Problems []Problem

// Error has a line for each.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the kinds.
func (p Problems) Unwrap() []error {
	kinds := make([]error, len(p))
	for i, one := range p {
		kinds[i] = one.Kind
	}
	return kinds
}

// maxProblems is how many are told: nobody reads more, and a file of nonsense has thousands.
const maxProblems = 100

// Err returns the problems by place, or nil if there are none.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Message, b.Message))
	})
	if more := len(p) - maxProblems; more > 0 {
		last := p[maxProblems]
		last.Key, last.Message = "", fmt.Sprintf("and %d problems more", more)
		p = append(p[:maxProblems:maxProblems], last)
	}
	return p
}

// place is where a key or value stands.
type place struct {
	line, column int
	outside      bool // the value, or a part of it, came from a variable
}

// places knows where everything stands in a file.
type places struct {
	file string
	at   map[string]place
}

// problem makes a problem of a key: at its place, or at that of what it would stand in.
func (p places) problem(kind error, key, format string, args ...any) Problem {
	out := Problem{File: p.file, Key: key, Message: fmt.Sprintf(format, args...), Kind: kind}
	for {
		if at, ok := p.at[key]; ok {
			out.Line, out.Column = at.line, at.column
			return out
		}
		i := strings.LastIndexAny(key, ".[")
		if i < 0 {
			return out
		}
		key = key[:i]
	}
}

// word quotes a name of the file so that it can be shown: short and printable.
func word(s string) string {
	const most = 64
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == '`' }) {
		s = strconv.QuoteToASCII(s)
		s = s[1 : len(s)-1]
	}
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return "`" + s + "`"
}

// suggest returns ", did you mean `x`?" if one of the names is near enough.
func suggest(name string, names []string) string {
	best, least := "", max(2, len(name)/3)+1
	for _, n := range names {
		if d := distance(strings.ToLower(name), strings.ToLower(n)); d < least {
			best, least = n, d
		}
	}
	if best == "" || least >= len(best) || len(name) > 64 {
		return ""
	}
	return ", did you mean " + word(best) + "?"
}

// distance counts the letters that are missing, too many, wrong or swapped (optimal string alignment).
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return len(a) + len(b)
	}
	var before []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			same := 1
			if a[i-1] == b[j-1] {
				same = 0
			}
			next[j] = min(next[j-1]+1, row[j]+1, row[j-1]+same)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
