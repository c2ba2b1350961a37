package quality

import "github.com/netra-systems/switchboard"

// weights say how much each score counts; they add up to 1.
type weights struct{ specificity, actionability, quantification, relevance, completeness, clarity float64 }

// content is a row of the table of kinds.
type content struct {
	minimum float64
	weights weights
}

// contents is the one table of kinds of content. An error message has to tell what to do and to be exact, and needs few
// figures; a general answer has above all to be about the question, clear and whole.
var contents = map[switchboard.ContentType]content{
	switchboard.OptimizationContent: {0.63, weights{.25, .25, .20, .15, .10, .05}},
	switchboard.DataAnalysisContent: {0.60, weights{.20, .075, .30, .20, .15, .075}},
	switchboard.ActionPlanContent:   {0.70, weights{.20, .35, .025, .025, .25, .15}},
	switchboard.ReportContent:       {0.60, weights{.20, .10, .15, .10, .25, .20}},
	switchboard.ErrorMessageContent: {0.50, weights{.25, .25, .05, .15, .10, .20}},
	switchboard.GeneralContent:      {0.50, weights{.20, .05, .05, .25, .20, .25}},
}

// strictness is by how much a strict gate asks for more.
const strictness = 1.2

// Minimum returns the least total that content of this kind must have; a strict gate asks for a fifth more, but not for
// more than 1.
func Minimum(c switchboard.ContentType, strict bool) float64 {
	m := contents[c].minimum
	if strict {
		m = min(1, m*strictness)
	}
	return m
}

// Total weighs the scores for a kind of content, and takes off what the flags find. Asked says that there was a
// question.
func (s Scores) Total(c switchboard.ContentType, asked bool) float64 {
	w := contents[c].weights
	sum := w.specificity*s.Specificity + w.actionability*s.Actionability + w.quantification*s.Quantification +
		w.completeness*s.Completeness + w.clarity*s.Clarity
	if asked {
		sum += w.relevance * s.Relevance
	} else {
		sum /= 1 - w.relevance
	}
	if s.Truncated {
		sum *= 0.75
	}
	return min(1, max(0, sum*(1-0.4*s.Generic)*(1-0.5*s.Circular)*(1-0.5*s.Hallucination)*(1-0.4*s.Redundancy)))
}

// levels are the words for totals, the highest first.
var levels = []struct {
	from float64
	name string
}{{.9, "excellent"}, {.7, "good"}, {.5, "acceptable"}, {.3, "poor"}, {0, "unacceptable"}}

// Level returns the word for a total.
func Level(total float64) string {
	for _, l := range levels {
		if total >= l.from {
			return l.name
		}
	}
	return levels[len(levels)-1].name
}

// outright is the flag above which an answer fails whatever its total.
const outright = 0.7

// Passes reports whether content of this kind is good enough.
func (s Scores) Passes(c switchboard.ContentType, asked, strict bool) bool {
	return s.Circular <= outright && s.Hallucination <= outright && s.Total(c, asked) >= Minimum(c, strict)
}
