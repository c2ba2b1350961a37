package quality_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/internal/fakemodel"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/model/openai"
	"github.com/netra-systems/switchboard/model/wire"
	"github.com/netra-systems/switchboard/quality"
)

const (
	question = "Our PostgreSQL query on orders by customer is slow. How do I make it faster?"
	good     = "Create an index on the columns that the query filters and sorts by: CREATE INDEX CONCURRENTLY orders_by_customer ON orders " +
		"(customer_id, created_at DESC). Run EXPLAIN (ANALYZE) before and after: the scan of 4 s should take under 20 ms. Drop indexes " +
		"that pg_stat_user_indexes shows with 0 scans, since each slows writes."
	weak  = "Make the query on orders faster. Check it, and then test it. Look at the columns first. Use a newer server with PostgreSQL."
	empty = "At the end of the day many factors matter. It is important to follow best practices and to leverage synergies."
	sure  = "This is guaranteed to work, without exception. All experts agree, there is no doubt, and studies prove it: CREATE INDEX always works in 100% of cases."
)

func check(t *testing.T, g quality.Gate, answer string, last bool) quality.Verdict {
	t.Helper()
	if err := g.Validate(); err != nil {
		t.Fatal(err)
	}
	v, err := g.Check(t.Context(), question, answer, last)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestGate(t *testing.T) {
	for _, c := range []struct {
		name     string
		fail     bool
		answer   string
		last     bool
		rejected bool
		advice   string
		issue    string
	}{
		{"good passes", true, good, false, false, "", ""},
		{"weak is written anew, with the weaknesses named", false, weak, false, true, "Give figures", quality.LowQuantification},
		{"the second try is given, with its score", false, weak, true, false, "", quality.BelowMinimum},
		{"or fails, if that is wanted", true, weak, true, true, "", quality.BelowMinimum},
		{"hopeless is not written anew", false, empty, false, false, "", quality.GenericPhrases},
		{"hopeless fails at once, if that is wanted", true, empty, false, true, "", quality.BelowMinimum},
		{"too sure fails outright", true, sure, true, true, "", quality.HallucinationRisk},
	} {
		g := quality.Gate{ContentType: switchboard.OptimizationContent, OnFail: quality.Deliver}
		if c.fail {
			g.OnFail = quality.Fail
		}
		v := check(t, g, c.answer, c.last)
		if v.Rejected != c.rejected || !strings.Contains(v.Advice, c.advice) || (c.advice == "") != (v.Advice == "") {
			t.Errorf("%s: %+v", c.name, v)
		}
		if c.issue != "" && !slices.Contains(v.Quality.Issues, c.issue) || quality.Failed(v.Quality) != (c.issue != "") || v.Quality.Retried != c.last {
			t.Errorf("%s: %+v", c.name, v.Quality)
		}
		if strings.Contains(v.Advice, "PostgreSQL") {
			t.Errorf("%s: the advice repeats the answer: %s", c.name, v.Advice)
		}
	}
	if a, b := check(t, quality.Gate{}, good, false), check(t, quality.Gate{Strict: true, ContentType: switchboard.GeneralContent}, good, false); a.Quality.Score != b.Quality.Score {
		t.Errorf("strict changes the score: %v, %v", a.Quality.Score, b.Quality.Score)
	}
	for _, g := range []quality.Gate{{ContentType: "poem"}, {OnFail: "cry"}} {
		if g.Validate() == nil {
			t.Errorf("%+v is taken", g)
		}
	}
}

// judge is a real model behind its real protocol, which answers as the script says.
func judge(t *testing.T, script func(fakemodel.Request) *fakemodel.Answer) quality.Judge {
	t.Helper()
	s, err := fakemodel.Start(fakemodel.Config{Script: script})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	m, err := openai.New(openai.Config{BaseURL: s.URL(), Model: "judge", Policy: wire.Policy{Attempts: 1, HTTPClient: &http.Client{}}})
	if err != nil {
		t.Fatal(err)
	}
	return quality.ModelJudge{Model: m}
}

// judging is what a judge's answer takes.
var judging = model.Usage{Input: 300, Output: 9}

func says(text string) func(fakemodel.Request) *fakemodel.Answer {
	return func(fakemodel.Request) *fakemodel.Answer {
		return &fakemodel.Answer{Chunks: []model.Chunk{{Text: text}, {Finish: model.FinishStop}, {Usage: &judging}}}
	}
}

func TestJudge(t *testing.T) {
	var asked fakemodel.Request
	g := quality.Gate{ContentType: switchboard.OptimizationContent, Judge: judge(t, func(r fakemodel.Request) *fakemodel.Answer {
		asked = r
		return says(`{"score":0.55,"issues":["low_completeness"]}`)(r)
	})}
	v := check(t, g, good, false)
	if v.Quality.Score != 0.55 || !v.Rejected || !slices.Equal(v.Quality.Issues, []string{quality.BelowMinimum, quality.LowCompleteness}) || v.Usage != judging {
		t.Errorf("%+v", v)
	}
	if !strings.Contains(asked.Asked.System, "optimization") || strings.Contains(asked.Asked.System, "PostgreSQL") || !strings.Contains(asked.Text(), "PostgreSQL") {
		t.Errorf("the texts are not data: %+v", asked.Asked)
	}
	g.Judge = judge(t, says("```json\n{\"score\":1,\"issues\":[]}\n```"))
	if v := check(t, g, sure, true); v.Quality.Score != 1 || !slices.Contains(v.Quality.Issues, quality.HallucinationRisk) {
		t.Errorf("the judge lifts what fails outright: %+v", v.Quality)
	}
	measured := check(t, quality.Gate{ContentType: switchboard.OptimizationContent}, good, false).Quality.Score
	for name, script := range map[string]func(fakemodel.Request) *fakemodel.Answer{
		"prose":        says("I think it is good."),
		"too much":     says(`{"score":1,"issues":[],"note":"x"}`),
		"no score":     says(`{"issues":[]}`),
		"out of range": says(`{"score":1.1,"issues":[]}`),
		"another word": says(`{"score":1,"issues":["novelty"]}`),
		"two objects":  says(`{"score":1,"issues":[]} {"score":0,"issues":[]}`),
		"endless":      says(strings.Repeat(" ", 5000) + `{"score":1,"issues":[]}`),
		"cut at a limit": func(fakemodel.Request) *fakemodel.Answer {
			return &fakemodel.Answer{Chunks: []model.Chunk{{Text: `{"score":1,"issues":[]}`}, {Finish: model.FinishLength}}}
		},
		"refused": func(fakemodel.Request) *fakemodel.Answer { return &fakemodel.Answer{Status: 401} },
		"broken":  func(fakemodel.Request) *fakemodel.Answer { return &fakemodel.Answer{Fault: fakemodel.FaultEOF} },
	} {
		g.Judge = judge(t, script)
		if v := check(t, g, good, false); v.Quality.Score != measured || !slices.Contains(v.Quality.Issues, quality.JudgeUnavailable) || v.Rejected {
			t.Errorf("%s: %+v", name, v)
		}
		if name == "prose" && v.Usage != judging {
			t.Errorf("%s: used %+v", name, v.Usage)
		}
	}
	g.Judge = judge(t, func(fakemodel.Request) *fakemodel.Answer { return &fakemodel.Answer{Fault: fakemodel.FaultStall} })
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	cancel(stopped)
	if _, err := g.Check(ctx, question, good, false); !errors.Is(err, stopped) {
		t.Errorf("a stopped run: %v", err)
	}
}
