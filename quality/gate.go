package quality

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/model"
)

// OnFail says what becomes of an answer that is still not good enough when it will not be written anew.
type OnFail string

// The policies.
const (
	Deliver OnFail = "deliver" // it is given, with its score
	Fail    OnFail = "fail"    // the run fails with quality_rejected
)

// retryAbove is the total that an answer must exceed to be worth another try.
const retryAbove = 0.3

// Judge is a second opinion on an answer: from 0 to 1, with issues of the fixed vocabulary.
type Judge interface {
	Judge(ctx context.Context, c switchboard.ContentType, asked, answer string) (Opinion, error)
}

// Opinion is what a Judge says.
type Opinion struct {
	Score  float64
	Issues []string
	Usage  model.Usage // tokens that it took, told with an error too
}

// Gate judges the answers of an agent before they are given. The zero value takes every answer for a general one and
// delivers it whatever its score. It keeps nothing.
type Gate struct {
	ContentType switchboard.ContentType // "": general
	Strict      bool                    // asks for a fifth more
	OnFail      OnFail                  // "": deliver
	Judge       Judge                   // nil: the measures alone
}

// Verdict is what a Gate says of an answer. A rejected one with Advice should be written anew, once; a rejected one
// without fails its run.
type Verdict struct {
	Quality  switchboard.Quality
	Rejected bool
	Advice   string      // for the model: what was weak
	Usage    model.Usage // tokens of the Judge
}

// Validate returns what is wrong with the gate's settings.
func (g Gate) Validate() error {
	if _, ok := contents[g.content()]; !ok {
		return fmt.Errorf("there is no content type %q", g.ContentType)
	}
	if g.OnFail != "" && g.OnFail != Deliver && g.OnFail != Fail {
		return fmt.Errorf("on_fail must be %s or %s", Deliver, Fail)
	}
	return nil
}

func (g Gate) content() switchboard.ContentType {
	if g.ContentType == "" {
		return switchboard.GeneralContent
	}
	return g.ContentType
}

// Check judges an answer; last says that it will not be written anew. A Judge that fails leaves the measures' score, and
// the issue judge_unavailable; it cannot lift what fails outright. Errors: those of ctx.
func (g Gate) Check(ctx context.Context, asked, answer string, last bool) (Verdict, error) {
	c := g.content()
	s := Measure(asked, answer)
	total, minimum := s.Total(c, asked != ""), Minimum(c, g.Strict)
	issues := s.issues(c, asked != "", total, minimum)
	var used model.Usage
	if g.Judge != nil {
		opinion, err := g.Judge.Judge(ctx, c, asked, answer)
		used = opinion.Usage
		switch {
		case ctx.Err() != nil:
			return Verdict{}, context.Cause(ctx)
		case err != nil:
			issues = append(issues, JudgeUnavailable)
		default:
			total = opinion.Score
			issues = merged(s, total < minimum, opinion.Issues)
		}
	}
	v := Verdict{Quality: switchboard.Quality{Score: round(total), Level: Level(total), Issues: issues, Retried: last}, Usage: used}
	if !Failed(v.Quality) {
		return v, nil
	}
	switch {
	case !last && total > retryAbove:
		v.Rejected, v.Advice = true, adviceFor(issues)
	case g.OnFail == Fail:
		v.Rejected = true
	}
	return v, nil
}

// merged are the issues of a judge, with those of the measures that fail an answer outright.
func merged(s Scores, below bool, judged []string) []string {
	out := []string{}
	for issue, there := range map[string]bool{
		BelowMinimum: below, CircularReasoning: s.Circular > outright, HallucinationRisk: s.Hallucination > outright,
	} {
		if there {
			out = append(out, issue)
		}
	}
	for _, issue := range judged {
		if issue != BelowMinimum && !slices.Contains(out, issue) {
			out = append(out, issue)
		}
	}
	return ordered(out)
}

// adviceFor says how to do better, weakness by weakness. That the answer is to be written anew says whoever asks for it.
func adviceFor(issues []string) string {
	var lines []string
	for _, i := range issues {
		if a := advice[i]; a != "" {
			lines = append(lines, a)
		}
	}
	return strings.Join(lines, " ")
}
