package quality

import "math"

// Scores are what is measured of an answer, each from 0 to 1. Of the first six more is better, of the others less.
type Scores struct {
	Specificity    float64
	Actionability  float64
	Quantification float64
	Relevance      float64 // to the question; without one it is not weighed
	Completeness   float64
	Clarity        float64

	Generic       float64
	Circular      float64
	Hallucination float64 // the risk of it: claims that nobody can be so sure of
	Redundancy    float64
	Truncated     bool // it ends in the middle of a sentence
}

// Measure measures an answer to a question; "" if there is none. It takes time linear in the length of the texts, of
// which it looks at the first 64 KiB.
func Measure(asked, answer string) Scores {
	q, a := read(asked), read(answer)
	if a.words() == 0 {
		return Scores{}
	}
	return Scores{
		Specificity:    a.specificity(),
		Actionability:  a.actionability(),
		Quantification: a.quantification(),
		Relevance:      a.relevance(q),
		Completeness:   a.completeness(),
		Clarity:        a.clarity(),
		Generic:        a.generic(),
		Circular:       a.circular(q),
		Hallucination:  a.hallucination(),
		Redundancy:     a.redundancy(),
		Truncated:      !a.whole,
	}
}

// ramp goes from 0 at low to 1 at high, which may be below low.
func ramp(v, low, high float64) float64 {
	return min(1, max(0, (v-low)/(high-low)))
}

func share(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// specificity is the share of words that name something: figures, names, code; and that few are vague.
func (t *text) specificity() float64 {
	concrete, vague := 0, 0
	for _, k := range t.tokens {
		switch {
		case k.marker:
		case k.number || k.code || k.named:
			concrete++
		case vagueWords[k.word]:
			vague++
		}
	}
	n := t.words()
	return min(1, max(0, 0.3+0.7*ramp(share(concrete, n), 0.02, 0.14)-0.3*ramp(share(vague, n), 0.03, 0.12)))
}

// actionability is the share of clauses that tell what to do: they begin with a verb of doing, are entries of a list or
// hold a command.
func (t *text) actionability() float64 {
	doing, lists := 0, 0
	for _, c := range t.clauses {
		at := c.from
		if t.tokens[at].marker {
			lists++
			at++
		}
		if t.tells(at, c.to) {
			doing++
		}
	}
	return min(1, ramp(share(doing, len(t.clauses)), 0, 0.45)+0.2*ramp(float64(lists), 0, 3))
}

// tells reports whether a clause, or what follows a comma in it, begins with a verb of doing.
func (t *text) tells(from, to int) bool {
	for i := from; i < to; i++ {
		k := t.tokens[i]
		if !actionWords[k.word] {
			continue
		}
		if i == from || i > from && leads[t.tokens[i-1].word] {
			return true
		}
	}
	return false
}

// leads may stand before a verb that tells what to do.
var leads = set(`then and first next to not or should please also must today now week day hour`)

// quantification is how many figures there are that say of what, in each 40 words. Where nearly every third word is a
// figure, they are there for themselves.
func (t *text) quantification() float64 {
	meant, numbers := 0, 0
	for i, k := range t.tokens {
		if !k.number || k.marker || k.code {
			continue
		}
		numbers++
		if k.unit || i+1 < len(t.tokens) && (units[t.tokens[i+1].word] || t.tokens[i+1].stem != "") {
			meant++
		}
	}
	n := t.words()
	dense := ramp(share(numbers, n), 0.36, 0.24)
	return ramp(float64(meant)/math.Max(1, float64(n)/40), 0, 2) * dense
}

// relevance is how much of the question's words come back, and that other words come with them.
func (t *text) relevance(q *text) float64 {
	asked, _ := q.stems()
	said, _ := t.stems()
	if len(asked) == 0 {
		return 1
	}
	back, news := 0, 0
	for w := range said {
		if asked[w] > 0 {
			back++
		} else {
			news++
		}
	}
	if t.words() <= 12 { // an answer this short need not repeat what was asked
		return 0.8
	}
	return 0.35 + 0.65*ramp(share(back, len(asked)), 0, 0.4)*ramp(float64(news), 3, 12)
}

// completeness is that a text ends where a sentence does, and is long enough to say something.
func (t *text) completeness() float64 {
	said, _ := t.stems()
	v := 0.25 + 0.75*ramp(float64(len(said)), 3, 28)
	if t.words() <= 12 {
		v = max(v, 0.55)
	}
	if !t.whole {
		v *= 0.25
	}
	return min(1, v)
}

// clarity is that sentences are neither endless nor chopped, with words that are not all long.
func (t *text) clarity() float64 {
	long := 0
	for _, k := range t.tokens {
		if len(k.stem) > 10 && !k.code {
			long++
		}
	}
	perClause := share(t.words(), len(t.clauses))
	return max(0, 1-0.5*ramp(perClause, 18, 35)-0.4*ramp(share(long, t.words()), 0.08, 0.25)-0.4*t.generic()-0.3*t.redundancy())
}

// generic is the share of clauses with a phrase that says nothing.
func (t *text) generic() float64 {
	_, clauses := t.count(genericPhrases)
	return ramp(share(clauses, len(t.clauses)), 0.05, 0.5)
}

// hallucination is how densely a text claims what nobody can be so sure of.
func (t *text) hallucination() float64 {
	runs, clauses := t.count(claims)
	return ramp(share(clauses, len(t.clauses)), 0.15, 0.75) * ramp(float64(runs), 0.5, 2.5)
}

// redundancy is how much of a text repeats itself.
func (t *text) redundancy() float64 {
	said, all := t.stems()
	if all < 8 {
		return 0
	}
	return ramp(float64(all)/float64(len(said)), 1.45+0.15*math.Log2(1+float64(all)/40), 2.6)
}

// circular is that grounds repeat what they are grounds of, and that an answer has no words but the question's.
func (t *text) circular(q *text) float64 {
	rounds, grounds := 0, 0
	for _, c := range t.clauses {
		for i := c.from; i < c.to; i++ {
			if !because[t.tokens[i].word] {
				continue
			}
			grounds++
			if t.same(c.from, i, i+1, c.to) {
				rounds++
			}
			break
		}
	}
	asked, _ := q.stems()
	said, all := t.stems()
	news := 0
	for w := range said {
		if asked[w] == 0 {
			news++
		}
	}
	echo := 0.0
	if all >= 8 && len(asked) > 0 {
		echo = ramp(share(news, all), 0.35, 0.12)
	}
	return min(1, 0.5*float64(rounds)*t.redundancyAtLeast(0.2)+echo)
}

func (t *text) redundancyAtLeast(v float64) float64 { return max(v, ramp(t.redundancy(), 0, 0.5)) }

// same reports whether most words that carry meaning on one side are on the other.
func (t *text) same(a, b, c, d int) bool {
	left := map[string]bool{}
	for _, k := range t.tokens[a:b] {
		if k.stem != "" {
			left[k.stem] = true
		}
	}
	both, right := 0, 0
	for _, k := range t.tokens[c:d] {
		if k.stem != "" {
			right++
			if left[k.stem] {
				both++
			}
		}
	}
	return right > 0 && len(left) > 0 && share(both, right) >= 0.6
}
