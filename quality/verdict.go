package quality

import (
	"math"

	"github.com/netra-systems/switchboard"
)

// The words for what is wrong with an answer: the fixed vocabulary of issues.
const (
	BelowMinimum      = "below_minimum"
	CircularReasoning = "circular_reasoning"
	HallucinationRisk = "hallucination_risk"
	GenericPhrases    = "generic_phrases"
	Redundancy        = "redundancy"
	Truncated         = "truncated"
	LowSpecificity    = "low_specificity"
	LowActionability  = "low_actionability"
	LowQuantification = "low_quantification"
	LowRelevance      = "low_relevance"
	LowCompleteness   = "low_completeness"
	LowClarity        = "low_clarity"
	JudgeUnavailable  = "judge_unavailable" // the score is that of the measures alone
)

// advice is what a model is told about each issue.
var advice = map[string]string{
	CircularReasoning: "Do not give as a reason what is to be explained: say what causes it.",
	HallucinationRisk: "Do not claim what cannot be known so surely: drop absolute words and unnamed experts and studies, and say how sure you are.",
	GenericPhrases:    "Leave out stock phrases that would fit any question.",
	Redundancy:        "Say everything once.",
	Truncated:         "Finish the answer: it stopped in the middle of a sentence.",
	LowSpecificity:    "Be specific: name things, versions, places, amounts.",
	LowActionability:  "Tell what to do: steps in order, each beginning with a verb.",
	LowQuantification: "Give figures with their units, where they are known.",
	LowRelevance:      "Answer the question that was asked.",
	LowCompleteness:   "Cover everything that was asked.",
	LowClarity:        "Write short, plain sentences.",
}

// weak is the score below which a measure that counts for this kind of content is named as an issue, and
// weakWeight how much it must count.
const (
	weak       = 0.4
	weakWeight = 0.1
)

// Failed reports whether an answer with this verdict was not good enough.
func Failed(q switchboard.Quality) bool {
	for _, i := range q.Issues {
		if i == BelowMinimum || i == CircularReasoning || i == HallucinationRisk {
			return true
		}
	}
	return false
}

// issues names what is wrong, the gravest first. Flags that do not fail an answer are named from a half on.
func (s Scores) issues(c switchboard.ContentType, asked bool, total, minimum float64) []string {
	out := []string{}
	name := func(wrong bool, issue string) {
		if wrong {
			out = append(out, issue)
		}
	}
	name(total < minimum, BelowMinimum)
	name(s.Circular > outright, CircularReasoning)
	name(s.Hallucination > outright, HallucinationRisk)
	name(s.Truncated, Truncated)
	name(s.Generic >= 0.5, GenericPhrases)
	name(s.Redundancy >= 0.5, Redundancy)
	w := contents[c].weights
	low := func(score, weight float64, issue string) { name(score < weak && weight >= weakWeight, issue) }
	low(s.Specificity, w.specificity, LowSpecificity)
	low(s.Actionability, w.actionability, LowActionability)
	low(s.Quantification, w.quantification, LowQuantification)
	if asked {
		low(s.Relevance, w.relevance, LowRelevance)
	}
	low(s.Completeness, w.completeness, LowCompleteness)
	low(s.Clarity, w.clarity, LowClarity)
	return out
}

// Validate scores a text without a question: its relevance cannot be measured and does not count.
func Validate(m switchboard.ValidateContent) switchboard.Validation {
	c := m.ContentType
	if c == "" {
		c = switchboard.GeneralContent
	}
	s := Measure("", m.Content)
	total := s.Total(c, false)
	return switchboard.Validation{
		Passed: s.Passes(c, false, m.Strict), Score: round(total), Level: Level(total),
		Issues: s.issues(c, false, total, Minimum(c, m.Strict)),
		Scores: switchboard.QualityScores{
			Specificity: round(s.Specificity), Actionability: round(s.Actionability), Quantification: round(s.Quantification),
			Completeness: round(s.Completeness), Clarity: round(s.Clarity), GenericPhrases: round(s.Generic),
			CircularReasoning: round(s.Circular), HallucinationRisk: round(s.Hallucination), Redundancy: round(s.Redundancy),
		},
	}
}

// round keeps three digits: more say nothing.
func round(v float64) float64 { return math.Round(v*1000) / 1000 }
