package quality

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard"
)

// TestMeasures compares texts of which one must have more of a score than the other, and by a margin.
func TestMeasures(t *testing.T) {
	const margin = 0.2
	for _, c := range []struct {
		score, question, more, less string
		of                          func(Scores) float64
	}{
		{"specificity", "", "Set max_connections to 200 in postgresql.conf on the Frankfurt replica.",
			"Change various settings in an appropriate way on some of the things.", func(s Scores) float64 { return s.Specificity }},
		{"actionability", "", "1. Open the valve. 2. Check the gauge. 3. Close it again.",
			"The valve has a gauge. A gauge is a device. It has been there for years.", func(s Scores) float64 { return s.Actionability }},
		{"quantification", "", "It took 20 minutes and cost 35 euros, 12% less than in 2024.",
			"It took a while and cost less than it did before, as we had thought.", func(s Scores) float64 { return s.Quantification }},
		{"figures that mean something", "", "The index makes the query take 20 ms instead of 4 s on a table of 10 million rows, which is why we add it first of all.",
			"The 4 of 20 is 10 in 5 at 7 by 12 and 3.", func(s Scores) float64 { return s.Quantification }},
		{"relevance", "How do I prune apple trees in winter?",
			"Prune apple trees in a frost-free week of winter: take out dead wood first, then branches that cross, and keep a third of the young shoots.",
			"Football is played by eleven people on each side, with one ball, on grass, and the side that shoots more goals wins the match in the end.",
			func(s Scores) float64 { return s.Relevance }},
		{"completeness", "", "Dig a hole twice as wide as the roots, put in the tree, fill the soil back, tread it down and water it with ten litres.",
			"Dig a hole twice as wide as the roots, then put in the tree and fill the", func(s Scores) float64 { return s.Completeness }},
		{"clarity", "", "Switch it off. Wait a minute. Switch it on again. The light must be green.",
			"Notwithstanding the aforementioned considerations regarding organisational transformation requirements, implementation necessitates comprehensive interdepartmental coordination activities throughout subsequent operationalisation phases whose prioritisation remains contingent",
			func(s Scores) float64 { return s.Clarity }},
		{"generic phrases", "", "At the end of the day it is important to follow best practices. Communication is key.",
			"Cut the cable at 40 cm, strip 6 mm and clamp it.", func(s Scores) float64 { return s.Generic }},
		{"circular reasoning", "Why is the pump slow?",
			"The pump is slow because the pump is slow. It is slow since the pump is slow, so the pump is slow.",
			"The pump is slow because its filter holds sand: rinse it, and replace the seal that let the sand in.", func(s Scores) float64 { return s.Circular }},
		{"hallucination risk", "", "This is guaranteed to work, without exception. All experts agree. There is no doubt, studies prove it.",
			"This usually works; two of five trials found no effect.", func(s Scores) float64 { return s.Hallucination }},
		{"redundancy", "", strings.Repeat("The wall needs paint, so paint the wall with paint. ", 4),
			"Sand the wall, wipe off the dust, prime it, wait two hours and roll on two thin coats.", func(s Scores) float64 { return s.Redundancy }},
	} {
		more, less := c.of(Measure(c.question, c.more)), c.of(Measure(c.question, c.less))
		if more < less+margin {
			t.Errorf("%s: %.2f of %q, %.2f of %q", c.score, more, c.more, less, c.less)
		}
	}
}

func TestReading(t *testing.T) {
	x := read("1. Run `go test`. 2) Fix it\n- a.b.c --flag Frankfurt GOMAXPROCS=2, 20ms 5% 10:00 42")
	var code, units, numbers, markers, named int
	for _, k := range x.tokens {
		count := func(n *int, is bool) {
			if is {
				*n++
			}
		}
		count(&code, k.code)
		count(&units, k.unit)
		count(&numbers, k.number && !k.code && !k.marker)
		count(&markers, k.marker)
		count(&named, k.named)
	}
	if code != 4 || units != 3 || numbers != 4 || markers != 3 || named != 2 || len(x.clauses) != 3 {
		t.Errorf("%d code, %d units, %d numbers, %d markers, %d named, %d clauses", code, units, numbers, markers, named, len(x.clauses))
	}
	for _, words := range [][]string{{"ship", "ships", "shipped", "shipping"}, {"measure", "measured", "measuring"}, {"city", "cities"}} {
		for _, w := range words[1:] {
			if stem(w) != stem(words[0]) {
				t.Errorf("%s and %s have stems %s and %s", words[0], w, stem(words[0]), stem(w))
			}
		}
	}
	for text, whole := range map[string]bool{
		"It is done.": true, "It is (nearly) done!)": true, "36": true, "Fast, rapid, swift": true, "It was then that the": false,
		"Do this:\n- one\n- two": true, "*It is done.*": true, "Es ist **fertig**.": true, "": false,
	} {
		if read(text).whole != whole {
			t.Errorf("%q ends whole: %v", text, !whole)
		}
	}
}

// hostile are texts that have made text measures slow or crash.
func hostile() map[string]string {
	const size = 256 << 10
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, size)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	return map[string]string{
		"one word": fill("a"), "one letter a word": fill("a "), "full stops": fill("."), "markers": fill("1. "), "lines": fill("\n"),
		"nothing": "", "white space": fill(" "), "because": fill("because "), "a phrase that nearly fits": fill("at the end of the "),
		"claims": fill("without any exception "), "nested": fill("([{<"), "noise": string(noise), "marks": fill("é́"), "NUL": fill("\x00 "),
		"long words": fill(strings.Repeat("x", 1000) + " "), "half a character": fill("\xe2\x82"), "because and grounds": fill("it is so because so it is "),
		"different words": func() string {
			var b strings.Builder
			for b.Len() < size {
				b.WriteString(string(rune('a'+r.IntN(26))) + string(rune('a'+r.IntN(26))) + string(rune('a'+r.IntN(26))) + string(rune('a'+r.IntN(26))) + " ")
			}
			return b.String()
		}(),
	}
}

// TestHostileTexts: no text makes a measure panic, leave its range or look at more than it may: what is beyond the bound
// changes nothing. A measure that is not linear does not end in time here; BenchmarkMeasure shows how linear it is.
func TestHostileTexts(t *testing.T) {
	for name, text := range hostile() {
		for _, question := range []string{"", text, "Why is it so?"} {
			s := Measure(question, text)
			for i, v := range []float64{s.Specificity, s.Actionability, s.Quantification, s.Relevance, s.Completeness, s.Clarity,
				s.Generic, s.Circular, s.Hallucination, s.Redundancy} {
				if !(v >= 0 && v <= 1) {
					t.Errorf("%s: score %d is %v", name, i, v)
				}
			}
			for c := range contents {
				if total := s.Total(c, question != ""); math.IsNaN(total) || total < 0 || total > 1 {
					t.Errorf("%s: total %v", name, total)
				}
			}
		}
		if len(read(text).tokens) > textBytes {
			t.Errorf("%s: more tokens than bytes", name)
		}
	}
	long := "The valve is open. " + strings.Repeat("word ", textBytes/5)
	if a, b := Measure("", long[:textBytes]), Measure("", long[:textBytes]+strings.Repeat("!!! 100% ", 10000)); a != b {
		t.Errorf("what is beyond the bound counts: %+v, %+v", a, b)
	}
}

func FuzzMeasure(f *testing.F) {
	for _, text := range hostile() {
		f.Add("Why is it so?", text[:min(len(text), 200)])
	}
	f.Fuzz(func(t *testing.T, question, answer string) {
		s := Measure(question, answer)
		for c := range contents {
			if total := s.Total(c, true); !(total >= 0 && total <= 1) {
				t.Errorf("%+v: %v", s, total)
			}
		}
	})
}

// BenchmarkMeasure shows that twice the text takes twice the time: ns/byte stays.
func BenchmarkMeasure(b *testing.B) {
	for _, size := range []int{4 << 10, 16 << 10, 64 << 10} {
		for name, text := range map[string]string{"prose": "The pump is slow because its filter holds sand: rinse it. ", "because": "it is so because so it is "} {
			b.Run(fmt.Sprintf("%s/%dKiB", name, size>>10), func(b *testing.B) {
				s := strings.Repeat(text, size/len(text))
				b.SetBytes(int64(len(s)))
				for b.Loop() {
					Measure("Why is the pump slow?", s)
				}
			})
		}
	}
}

func TestTables(t *testing.T) {
	for c, row := range contents {
		w := row.weights
		if sum := w.specificity + w.actionability + w.quantification + w.relevance + w.completeness + w.clarity; math.Abs(sum-1) > 1e-9 {
			t.Errorf("%s: weights add up to %v", c, sum)
		}
		m := &switchboard.ValidateContent{Content: "x", ContentType: c}
		if v := Validate(*m); v.Level == "" {
			t.Errorf("%s: %+v", c, v)
		}
	}
	best := Scores{Specificity: 1, Actionability: 1, Quantification: 1, Relevance: 1, Completeness: 1, Clarity: 1}
	for total, level := range map[float64]string{1: "excellent", .9: "excellent", .899: "good", .7: "good", .5: "acceptable", .49: "poor", .3: "poor", .29: "unacceptable", 0: "unacceptable"} {
		if Level(total) != level {
			t.Errorf("%v is %s", total, Level(total))
		}
	}
	if got := Minimum(switchboard.OptimizationContent, true); math.Abs(got-0.756) > 1e-9 {
		t.Errorf("strict optimization asks for %v", got)
	}
	if !best.Passes(switchboard.ActionPlanContent, true, true) || best.Total(switchboard.ReportContent, false) < 1-1e-9 {
		t.Errorf("the best does not pass: %v", best.Total(switchboard.ReportContent, false))
	}
	for _, s := range []Scores{{Circular: 0.71}, {Hallucination: 0.71}} {
		s.Specificity, s.Actionability, s.Quantification, s.Relevance, s.Completeness, s.Clarity = 1, 1, 1, 1, 1, 1
		if s.Passes(switchboard.GeneralContent, true, false) {
			t.Errorf("%+v passes", s)
		}
	}
	for i := range advice {
		if len(ordered([]string{i, BelowMinimum})) != 2 || ordered([]string{i, BelowMinimum})[0] != BelowMinimum {
			t.Errorf("%s has no place in the order", i)
		}
	}
}
