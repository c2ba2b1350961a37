package probe

import (
	"math/big"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
)

// question is a sum in words, with the right answer.
type question struct {
	text   string
	sum    string
	answer *big.Rat
}

// phrasings hold a sum and the word of the run. No digit stands outside the sum.
var phrasings = []string{
	"What is {sum}? My word for this one is {word}.",
	"My word is {word}. What is {sum}?",
	"Hello! I call this {word}, and I wonder: how much is {sum}?",
	"Could you please work out {sum} for me? Thanks, {word}",
	"Under the name of {word}, please calculate {sum} and tell me the result.",
}

// ask makes a question. The answer is a finite decimal and none of the operands, so that nobody gives it by repeating
// the question.
func ask(r *rand.Rand, word string) question {
	for {
		a, b := operand(r), operand(r)
		var q question
		var op string
		switch x, y := rat(a), rat(b); r.IntN(4) {
		case 0:
			op, q.answer = "+", new(big.Rat).Add(x, y)
		case 1:
			op, q.answer = "-", new(big.Rat).Sub(x, y)
		case 2:
			op, q.answer = "*", new(big.Rat).Mul(x, y)
		default: // a multiple of b, so that it comes out even
			op, q.answer = "/", x
			a = decimal(new(big.Rat).Mul(x, y))
		}
		if q.answer.Cmp(rat(a)) == 0 || q.answer.Cmp(rat(b)) == 0 {
			continue
		}
		q.sum = a + " " + op + " " + b
		q.text = strings.NewReplacer("{sum}", q.sum, "{word}", word).Replace(phrasings[r.IntN(len(phrasings))])
		return q
	}
}

// operand returns a positive number, one in three with decimals.
func operand(r *rand.Rand) string {
	s := strconv.Itoa(2 + r.IntN(9998))
	if r.IntN(3) == 0 {
		s += "." + strconv.Itoa(r.IntN(10)) + strconv.Itoa(1+r.IntN(9))
	}
	return s
}

func rat(s string) *big.Rat {
	v, ok := new(big.Rat).SetString(s)
	if !ok {
		panic("probe: not a number: " + s) // only digits of our own come here
	}
	return v
}

// decimal writes a number that has a finite decimal form.
func decimal(v *big.Rat) string {
	n, _ := v.FloatPrec()
	return v.FloatString(n)
}

// numbers finds numbers in a text, with separators of thousands and any of the minus signs.
var numbers = regexp.MustCompile(`[-−–]?(?:\d{1,3}(?:[,_’\x{a0}\x{202f}]\d{3})+|\d+)(?:\.\d+)?`)

// right reports whether the answer is one of the numbers of the text.
func (q question) right(text string) bool {
	for _, s := range numbers.FindAllString(text, -1) {
		s = strings.NewReplacer(",", "", "_", "", "’", "", "\u00a0", "", "\u202f", "", "−", "-", "–", "-").Replace(s)
		if v, ok := new(big.Rat).SetString(s); ok && v.Cmp(q.answer) == 0 {
			return true
		}
	}
	return false
}
