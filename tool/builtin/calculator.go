package builtin

import (
	"context"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cockroachdb/apd/v3"

	"github.com/netra-systems/switchboard/tool"
)

const (
	maxExpression = 1000 // characters
	maxNesting    = 100
)

// Calculator computes with decimal numbers: 0.1 + 0.2 is 0.3. Sums, differences, products and whole powers are exact up
// to 500 digits; what no decimal can hold, as 1/3, is rounded to 34 digits and marked. It is idempotent.
type Calculator struct{}

// Definition implements tool.Tool.
func (Calculator) Definition() tool.Definition {
	return tool.Definition{
		Name:  "calculator",
		Title: "Calculates",
		Description: "Computes an arithmetic expression exactly, in decimal. Operators: + - * / % (remainder) ^ (power), parentheses. " +
			"Functions: sqrt, abs, round(x) or round(x, digits), floor, ceil, min, max. Thousands may be separated by commas (not inside functions). " +
			"The result is a decimal number as a string; exact is false if it had to be rounded (34 digits). Always use it for arithmetic.",
		Schema: json.RawMessage(`{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object",` +
			`"properties":{"expression":{"type":"string","minLength":1,"maxLength":1000,"description":"for example: 17 * (24 - 1.5) / 3"}},` +
			`"required":["expression"],"additionalProperties":false}`),
		ReadOnly:   true,
		Idempotent: true,
	}
}

// Call implements tool.Tool.
func (Calculator) Call(_ context.Context, in tool.Invocation) (json.RawMessage, error) {
	var args struct {
		Expression string `json:"expression"`
	}
	if err := decode(in.Arguments, &args); err != nil {
		return nil, err
	}
	result, exact, err := calculate(args.Expression)
	if err != nil {
		return nil, err
	}
	return encode(struct {
		Expression string `json:"expression"`
		Result     string `json:"result"`
		Exact      bool   `json:"exact"`
	}{args.Expression, result, exact})
}

// calculate returns the value of an expression in plain decimal notation.
func calculate(expression string) (result string, exact bool, err error) {
	if utf8.RuneCountInString(expression) > maxExpression {
		return "", false, invalid("the expression is longer than %d characters", maxExpression)
	}
	if strings.TrimSpace(expression) == "" {
		return "", false, invalid("the expression is empty")
	}
	p := &parser{in: []rune(symbols.Replace(expression))}
	v, err := p.sum()
	if err != nil {
		return "", false, err
	}
	p.accept('=') // as people write it
	if p.peek() != end {
		return "", false, p.unexpected()
	}
	if p.math.inexact {
		if v, err = p.math.final(v); err != nil {
			return "", false, err
		}
	}
	return plain(v), !p.math.inexact, nil
}

// symbols writes the operators people use as those of the parser.
var symbols = strings.NewReplacer("×", "*", "·", "*", "∙", "*", "⋅", "*", "÷", "/", "∶", "/", "−", "-", "–", "-", "**", "^", "√", "sqrt")

// parser evaluates while it reads, by recursive descent:
//
//	sum     = product { ("+" | "-") product }
//	product = unary { ("*" | "/" | "%") unary }
//	unary   = { "+" | "-" } power
//	power   = atom [ "^" unary ]
//	atom    = number | "(" sum ")" | name "(" sum { "," sum } ")"
type parser struct {
	in    []rune
	pos   int
	depth int
	args  bool // directly inside a function's parentheses: a comma separates arguments
	math  decimal
}

// end is what peek returns at the end of the expression.
const end rune = -1

// peek returns the next character that is no space.
func (p *parser) peek() rune {
	for p.pos < len(p.in) && unicode.IsSpace(p.in[p.pos]) {
		p.pos++
	}
	if p.pos == len(p.in) {
		return end
	}
	return p.in[p.pos]
}

func (p *parser) accept(c rune) bool {
	if p.peek() != c {
		return false
	}
	p.pos++
	return true
}

func (p *parser) unexpected() error {
	c := p.peek()
	switch {
	case c == end:
		return invalid("the expression ends too early")
	case unicode.IsPrint(c):
		return invalid("unexpected %q at character %d", c, p.pos+1)
	}
	return invalid("unexpected character at %d", p.pos+1)
}

// enter counts nesting, which is recursion.
func (p *parser) enter() error {
	if p.depth++; p.depth > maxNesting {
		return invalid("nested deeper than %d", maxNesting)
	}
	return nil
}

func (p *parser) sum() (*apd.Decimal, error) {
	v, err := p.product()
	for err == nil {
		op := p.peek()
		if op != '+' && op != '-' {
			break
		}
		p.pos++
		var w *apd.Decimal
		if w, err = p.product(); err == nil {
			v, err = p.math.apply(op, v, w)
		}
	}
	return v, err
}

func (p *parser) product() (*apd.Decimal, error) {
	v, err := p.unary()
	for err == nil {
		op := p.peek()
		if op != '*' && op != '/' && op != '%' {
			break
		}
		p.pos++
		if c := p.peek(); op == '%' && (c == end || c == ')' || c == '=' || c == ',' || c == '*' || c == '/') {
			return nil, invalid("%% is the remainder and needs a value after it: write 15 percent as 15/100")
		}
		var w *apd.Decimal
		if w, err = p.unary(); err == nil {
			v, err = p.math.apply(op, v, w)
		}
	}
	return v, err
}

func (p *parser) unary() (*apd.Decimal, error) {
	negative := false
	for {
		switch {
		case p.accept('-'):
			negative = !negative
		case p.accept('+'):
		default:
			v, err := p.power()
			if err == nil && negative {
				v.Neg(v)
			}
			return v, err
		}
	}
}

func (p *parser) power() (*apd.Decimal, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	v, err := p.atom()
	if err != nil || !p.accept('^') {
		return v, err
	}
	w, err := p.unary()
	if err != nil {
		return nil, err
	}
	return p.math.apply('^', v, w)
}

func (p *parser) atom() (*apd.Decimal, error) {
	c := p.peek()
	switch {
	case c >= '0' && c <= '9' || c == '.':
		return p.number()
	case c == '(':
		p.pos++
		defer func(outer bool) { p.args = outer }(p.args)
		p.args = false
		v, err := p.sum()
		if err == nil && !p.accept(')') {
			err = p.unexpected()
		}
		return v, err
	case unicode.IsLetter(c):
		return p.function()
	}
	return nil, p.unexpected()
}

func (p *parser) function() (*apd.Decimal, error) {
	start := p.pos
	for p.pos < len(p.in) && unicode.IsLetter(p.in[p.pos]) {
		p.pos++
	}
	name := strings.ToLower(string(p.in[start:p.pos]))
	f, ok := functions[name]
	if !ok {
		return nil, invalid("unknown word at character %d: known are sqrt, abs, round, floor, ceil, min and max", start+1)
	}
	if !p.accept('(') {
		return nil, invalid("%s needs parentheses", name)
	}
	defer func(outer bool) { p.args = outer }(p.args)
	p.args = true
	var args []*apd.Decimal
	for {
		v, err := p.sum()
		if err != nil {
			return nil, err
		}
		args = append(args, v)
		if p.accept(')') {
			break
		}
		if !p.accept(',') {
			return nil, p.unexpected()
		}
	}
	if len(args) < f.least || len(args) > f.most {
		return nil, invalid("%s has the wrong number of arguments", name)
	}
	return f.call(&p.math, args)
}

// number reads digits with an optional point, exponent and commas between thousands.
func (p *parser) number() (*apd.Decimal, error) {
	start, groups := p.pos, 0
	digits := func() int {
		from := p.pos
		for p.pos < len(p.in) && p.in[p.pos] >= '0' && p.in[p.pos] <= '9' {
			p.pos++
		}
		return p.pos - from
	}
	whole := digits()
	for !p.args && p.pos < len(p.in) && p.in[p.pos] == ',' {
		p.pos++
		if groups++; whole < 1 || whole > 3 || digits() != 3 {
			return nil, invalid("misplaced comma at character %d: the decimal mark is a point", p.pos)
		}
	}
	n := whole
	if p.pos < len(p.in) && p.in[p.pos] == '.' {
		p.pos++
		n += digits()
	}
	if n == 0 {
		return nil, p.unexpected()
	}
	if p.pos < len(p.in) && (p.in[p.pos] == 'e' || p.in[p.pos] == 'E') {
		p.pos++
		if p.pos < len(p.in) && (p.in[p.pos] == '+' || p.in[p.pos] == '-') {
			p.pos++
		}
		if e := digits(); e < 1 || e > 4 {
			return nil, invalid("bad exponent at character %d", p.pos)
		}
	}
	return p.math.read(strings.ReplaceAll(string(p.in[start:p.pos]), ",", ""))
}
