package crash

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// script is what the model server is told to say to a message, and what the run may come to.
type script struct {
	name  string
	text  string // of the message
	want  string // the whole answer: a completed run must have said this
	has   string // or must have said this
	never bool   // no answer of the model is whole, so the run must not complete
	sound bool   // the model answers, if need be when it is asked again: the run must not fail
	stop  bool   // the run does not end by itself soon: stop it
}

// allows reports whether a run may have completed with a text.
func (s script) allows(text string) bool {
	switch {
	case s.never:
		return false
	case s.want != "":
		return text == s.want
	}
	return strings.Contains(text, s.has)
}

// scripts are those of a run: of its message, and of those that steered it. The model answers the last that it was given.
type scripts []script

func (s scripts) allow(text string) bool {
	return slices.ContainsFunc(s, func(x script) bool { return x.allows(text) })
}

func (s scripts) whole() bool {
	return !slices.ContainsFunc(s, func(x script) bool { return !x.sound })
}

// broken are the ways in which a model server loses the rest of an answer.
var broken = []string{"cut", "garbage", "eof", "error"}

// newScript returns a script around the word of a message.
func newScript(r *rand.Rand, word string) script {
	a, b := 12+r.IntN(900), 12+r.IntN(900)
	said := fmt.Sprintf("The word %s goes %d times into the answer, and then no more.", word, a)
	say := "[[fake:text " + said + "]]"
	after := r.IntN(8)
	switch p := r.IntN(100); {
	case p < 22:
		return script{name: "text", sound: true, text: say, want: said}
	case p < 34:
		return script{name: "slow text", sound: true, text: fmt.Sprintf("%s [[fake:delay %dms]]", say, 20+r.IntN(100)), want: said}
	case p < 48:
		return script{name: "sum", sound: true, text: fmt.Sprintf("What is %d * %d? My word is %s.", a, b, word), has: fmt.Sprint(a * b)}
	case p < 64:
		return twoTools(r, word)
	case p < 70:
		return script{name: "thinking", sound: true, text: "[[fake:think Now " + word + " is thought of.]] " + say, want: said}
	case p < 76:
		return script{name: "429", sound: true, text: "[[fake:429 retry_after=1 times=1]] " + say, want: said}
	case p < 80:
		return script{name: "500 once", sound: true, text: "[[fake:500 times=1]] " + say, want: said}
	case p < 83:
		return script{name: "500", text: "[[fake:500]] My word is " + word + ".", never: true}
	case p < 89:
		return script{name: "broken once", text: fmt.Sprintf("%s [[fake:%s after=%d times=1]]", say, broken[r.IntN(len(broken))], after), want: said}
	case p < 94:
		return script{name: "broken", text: fmt.Sprintf("%s [[fake:%s after=%d]]", say, broken[r.IntN(len(broken))], after), never: true}
	case p < 96:
		return script{name: "no [DONE]", sound: true, text: say + " [[fake:nodone]]", want: said}
	}
	return script{name: "stall", text: fmt.Sprintf("%s [[fake:stall after=%d]]", say, after), never: true, stop: true}
}

// twoTools is a run of ten events: two calls at once, and an answer.
func twoTools(r *rand.Rand, word string) script {
	said := "The tools have answered " + word + "."
	return script{name: "tools", sound: true, want: said, text: fmt.Sprintf(
		`[[fake:tool calculator {"expression":"%d + %d"}]] [[fake:tool search_threads {"query":"%s"}]] [[fake:text step=2 %s]]`,
		r.IntN(1000), r.IntN(1000), word, said)}
}
