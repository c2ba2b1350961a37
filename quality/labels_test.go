package quality

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard"
)

var update = flag.Bool("update", false, "write the figures in docs/QUALITY.md anew")

// labelled is a row of testdata/answers.jsonl.
type labelled struct {
	Number   int                     `json:"question_number"`
	Content  switchboard.ContentType `json:"content_type"`
	Question string                  `json:"question"`
	Answer   string                  `json:"answer"`
	Label    string                  `json:"label"`
	Reason   string                  `json:"reason"`
}

func (l labelled) good() bool { return l.Label == "good" }

// labels returns the half that may be tuned on, with odd numbers, and the one that is held out.
func labels(t testing.TB) (tuning, heldOut []labelled) {
	b, err := os.ReadFile("testdata/answers.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		var l labelled
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&l); err != nil {
			t.Fatal(err)
		}
		if l.Number%2 == 1 {
			tuning = append(tuning, l)
		} else {
			heldOut = append(heldOut, l)
		}
	}
	return tuning, heldOut
}

// measured are the scores whose separation is told: of all of them more is better.
var measured = []struct {
	name string
	of   func(Scores, labelled) float64
}{
	{"total", func(s Scores, l labelled) float64 { return s.Total(l.Content, true) }},
	{"specificity", func(s Scores, _ labelled) float64 { return s.Specificity }},
	{"actionability", func(s Scores, _ labelled) float64 { return s.Actionability }},
	{"quantification", func(s Scores, _ labelled) float64 { return s.Quantification }},
	{"relevance", func(s Scores, _ labelled) float64 { return s.Relevance }},
	{"completeness", func(s Scores, _ labelled) float64 { return s.Completeness }},
	{"clarity", func(s Scores, _ labelled) float64 { return s.Clarity }},
	{"generic phrases", func(s Scores, _ labelled) float64 { return -s.Generic }},
	{"circular reasoning", func(s Scores, _ labelled) float64 { return -s.Circular }},
	{"hallucination risk", func(s Scores, _ labelled) float64 { return -s.Hallucination }},
	{"redundancy", func(s Scores, _ labelled) float64 { return -s.Redundancy }},
}

// separation is how often a good answer has more of a score than a bad one of the same kind, a tie counting half: the
// area under the ROC curve.
func separation(ls []labelled, of func(Scores, labelled) float64) float64 {
	values := make([]float64, len(ls))
	for i, l := range ls {
		values[i] = of(Measure(l.Question, l.Answer), l)
	}
	pairs, won := 0.0, 0.0
	for i, g := range ls {
		for k, b := range ls {
			if !g.good() || b.good() || g.Content != b.Content {
				continue
			}
			pairs++
			switch d := values[i] - values[k]; {
			case math.Abs(d) < 1e-9:
				won += 0.5
			case d > 0:
				won++
			}
		}
	}
	return won / pairs
}

// confusion counts answers by label and verdict.
type confusion struct{ goodPassed, goodFailed, badPassed, badFailed int }

func confuse(ls []labelled, only switchboard.ContentType) (c confusion) {
	for _, l := range ls {
		if only != "" && l.Content != only {
			continue
		}
		switch passed := Measure(l.Question, l.Answer).Passes(l.Content, true, false); {
		case l.good() && passed:
			c.goodPassed++
		case l.good():
			c.goodFailed++
		case passed:
			c.badPassed++
		default:
			c.badFailed++
		}
	}
	return c
}

func (c confusion) accuracy() float64 {
	return share(c.goodPassed+c.badFailed, c.goodPassed+c.goodFailed+c.badPassed+c.badFailed)
}

// unseen takes the phrases out of a list that no tuning answer has and some held-out one does: who wrote the answers
// wrote the lists too.
func unseen(list map[string][][]string, tuning, heldOut []labelled) (left map[string][][]string, taken int) {
	left = map[string][][]string{}
	has := func(ls []labelled, p []string) bool {
		one := map[string][][]string{p[0]: {p}}
		return slices.ContainsFunc(ls, func(l labelled) bool { n, _ := read(l.Answer).count(one); return n > 0 })
	}
	for first, ps := range list {
		for _, p := range ps {
			if has(heldOut, p) && !has(tuning, p) {
				taken++
				continue
			}
			left[first] = append(left[first], p)
		}
	}
	return left, taken
}

// blind measures the held-out half without the phrases that may have come from it.
func blind(tuning, heldOut []labelled) (c confusion, auc float64, taken int) {
	g, h := genericPhrases, claims
	defer func() { genericPhrases, claims = g, h }()
	var a, b int
	genericPhrases, a = unseen(g, tuning, heldOut)
	claims, b = unseen(h, tuning, heldOut)
	return confuse(heldOut, ""), separation(heldOut, measured[0].of), a + b
}

// written are the tables of docs/QUALITY.md.
func written(t testing.TB) string {
	tuning, heldOut := labels(t)
	var b strings.Builder
	b.WriteString("| answers | good passed | good failed | bad passed | bad failed | right |\n|---|---|---|---|---|---|\n")
	row := func(name string, c confusion) {
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %.0f %% |\n", name, c.goodPassed, c.goodFailed, c.badPassed, c.badFailed, 100*c.accuracy())
	}
	row("tuning half", confuse(tuning, ""))
	row("**held-out half**", confuse(heldOut, ""))
	for _, c := range slices.Sorted(maps.Keys(contents)) {
		row("held out, `"+string(c)+"`", confuse(heldOut, c))
	}
	c, auc, taken := blind(tuning, heldOut)
	row(fmt.Sprintf("held out, without %d phrases", taken), c)
	b.WriteString("\n| score | tuning half | held-out half |\n|---|---|---|\n")
	for _, m := range measured {
		fmt.Fprintf(&b, "| %s | %.2f | %.2f |\n", m.name, separation(tuning, m.of), separation(heldOut, m.of))
	}
	fmt.Fprintf(&b, "| total, without %d phrases | | %.2f |\n", taken, auc)
	return b.String()
}

// TestLabels: there are enough answers, each kind and label has as many, and no question is in both halves.
func TestLabels(t *testing.T) {
	tuning, heldOut := labels(t)
	if len(tuning)+len(heldOut) < 200 || len(tuning) != len(heldOut) {
		t.Errorf("%d answers to tune on, %d held out", len(tuning), len(heldOut))
	}
	count, asked := map[string]int{}, map[string]int{}
	for _, l := range slices.Concat(tuning, heldOut) {
		if l.Question == "" || l.Answer == "" || l.Reason == "" || l.Label != "good" && l.Label != "bad" {
			t.Errorf("%+v", l)
		}
		if _, known := contents[l.Content]; !known {
			t.Errorf("no kind %s", l.Content)
		}
		if n, ok := asked[l.Question]; ok && n != l.Number {
			t.Errorf("question %d is question %d too", l.Number, n)
		}
		asked[l.Question] = l.Number
		count[fmt.Sprint(l.Number%2, l.Content, l.Label)]++
	}
	for k, n := range count {
		if n != 9 {
			t.Errorf("%s: %d", k, n)
		}
	}
}

// TestFigures holds docs/QUALITY.md to what the measures do, and the measures to what they promise on answers that were
// held out.
func TestFigures(t *testing.T) {
	const path, begin, end = "../docs/QUALITY.md", "<!-- figures -->\n", "<!-- end of figures -->"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(b), begin)
	old, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("docs/QUALITY.md has no place for figures")
	}
	now := written(t)
	t.Log("\n" + now)
	if *update {
		if err := os.WriteFile(path, []byte(head+begin+now+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if old != now {
		t.Errorf("docs/QUALITY.md tells other figures (go test ./quality -run Figures -update writes them anew)")
	}
	tuning, heldOut := labels(t)
	c, auc, _ := blind(tuning, heldOut)
	if c.accuracy() < 0.75 || auc < 0.85 {
		t.Errorf("on the held-out half %.2f are right, separation %.2f", c.accuracy(), auc)
	}
	for i := range heldOut { // the guard sees labels that have nothing to do with the answers
		if i%4 < 2 {
			heldOut[i].Label = map[string]string{"good": "bad", "bad": "good"}[heldOut[i].Label]
		}
	}
	if auc := separation(heldOut, measured[0].of); auc > 0.65 {
		t.Errorf("labels that mean nothing are separated too: %.2f", auc)
	}
}
