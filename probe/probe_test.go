package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netra-systems/switchboard"
)

func behave(_ *fake, _ string, script []step) []step { return script }

func probing(t *testing.T, f *fake, change func(*Config)) Report {
	t.Helper()
	cfg := serve(t, f)
	if change != nil {
		change(&cfg)
	}
	var out bytes.Buffer
	r, err := Run(t.Context(), cfg, &out)
	if err != nil {
		t.Fatal(err)
	}
	if out.Len() > 0 {
		t.Errorf("a bar on what is no terminal: %q", out.String())
	}
	return r
}

func TestAServerThatBehaves(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"users":          nil,
		"one credential": func(c *Config) { c.Credentials, c.Users = c.Credentials[:1], 3 },
		"devices":        func(c *Config) { c.Devices = 3 },
		"tokens":         func(c *Config) { c.Credentials = []Credential{{Token: "tok-ann"}, {Token: "tok-bob"}} },
		"concurrent":     func(c *Config) { c.Runs, c.Concurrency = 100, 20 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{plant: behave}
				r := probing(t, f, change)
				if !r.OK() || !r.Met || r.Succeeded != r.Runs || r.Runs < 12 || len(r.Failures) > 0 {
					t.Errorf("%s", r)
				}
				if f.logins > 2 {
					t.Errorf("%d logins", f.logins)
				}
				if r.Accept.Count != r.Runs || r.Completion.Count != r.Runs || r.Events < int64(7*r.Runs) || r.BytesScanned == 0 {
					t.Errorf("%+v", r)
				}
			})
		})
	}
}

// Every way to misbehave is planted, and must be reported under its name.
func TestEveryViolationIsReported(t *testing.T) {
	at := func(want switchboard.EventType) func(step) bool {
		return func(s step) bool { return s.event != nil && s.event.EventType() == want }
	}
	without := func(types ...switchboard.EventType) func(*fake, string, []step) []step {
		return func(_ *fake, _ string, script []step) []step {
			for _, typ := range types {
				script = slices.DeleteFunc(script, at(typ))
			}
			return script
		}
	}
	// edit changes the first step of a type.
	edit := func(typ switchboard.EventType, change func(*step)) func(*fake, string, []step) []step {
		return func(_ *fake, _ string, script []step) []step {
			change(&script[slices.IndexFunc(script, at(typ))])
			return script
		}
	}
	after := func(more ...step) func(*fake, string, []step) []step {
		return func(_ *fake, _ string, script []step) []step { return append(script, more...) }
	}
	notice := func(s string) []byte { return []byte(`{"type":"quality_update","payload":{"text":"` + s + `"}}`) }
	foreign := switchboard.NewThreadID("nobody", "x")

	tests := map[string]struct {
		plant  func(f *fake, text string, script []step) []step
		want   string // a reason
		leak   bool   // something reaches whom it must not
		change func(*Config)
	}{
		"wrong answer": {want: "wrong answer", plant: func(_ *fake, _ string, script []step) []step {
			for i := range script {
				if p, ok := script[i].event.(*switchboard.AgentCompletedEvent); ok {
					p.Text = "It is 42."
				}
				if script[i].delta != nil {
					script[i].delta.Text = []string{"It", " is", " 42."}[script[i].delta.Index]
				}
			}
			return script
		}},
		"no thinking":    {want: "missing event", plant: without(switchboard.AgentThinking)},
		"no tool":        {want: "missing event", plant: without(switchboard.ToolExecuting, switchboard.ToolCompleted)},
		"no start":       {want: "grammar", plant: without(switchboard.AgentStarted)},
		"open tool call": {want: "grammar", plant: without(switchboard.ToolCompleted)},
		"no message":     {want: "no user_message", plant: without(switchboard.UserMessageAccepted)},
		"wrong order": {want: "missing event", plant: func(_ *fake, _ string, script []step) []step {
			i, j := slices.IndexFunc(script, at(switchboard.AgentThinking)), slices.IndexFunc(script, at(switchboard.ToolCompleted))
			thinking := script[i]
			return slices.Insert(slices.Delete(script, i, i+1), j, thinking)
		}},
		"gap in n":           {want: "gap in n", plant: edit(switchboard.ToolExecuting, func(s *step) { s.n = 9 })},
		"n again":            {want: "event twice", plant: edit(switchboard.ToolExecuting, func(s *step) { s.n = 2 })},
		"event twice":        {want: "event twice", plant: after(step{n: 7, event: &switchboard.AgentCompletedEvent{}})},
		"event after end":    {want: "grammar", plant: after(step{event: &switchboard.AgentThinkingEvent{}})},
		"two ends":           {want: "grammar", plant: after(step{event: &switchboard.AgentFailedEvent{Code: "agent_error"}})},
		"unasked event":      {want: "unasked event", plant: after(step{event: &switchboard.ThreadRenamedEvent{}})},
		"no cursor":          {want: "no cursor", plant: edit(switchboard.AgentStarted, func(s *step) { s.bare = true })},
		"wrong run":          {want: "wrong run id", plant: edit(switchboard.AgentStarted, func(s *step) { s.run = foreign.Run(1) })},
		"never ending":       {want: "never ended", plant: without(switchboard.AgentCompleted)},
		"delta after end":    {want: "delta after the end", plant: after(step{delta: text("x", 3, 1, "!")})},
		"delta before start": {want: "delta before its attempt", plant: edit(switchboard.AgentStarted, func(s *step) { *s = step{delta: text("x", 0, 1, "!")} })},
		"old attempt":        {want: "delta of an old attempt", plant: edit(switchboard.AgentStarted, func(s *step) { s.event = &switchboard.AgentStartedEvent{Attempt: 2} })},
		"no deltas": {want: "no deltas", plant: func(_ *fake, _ string, script []step) []step {
			return slices.DeleteFunc(script, func(s step) bool { return s.delta != nil })
		}},
		"other deltas": {want: "deltas differ from the text", plant: func(_ *fake, _ string, script []step) []step {
			script[8].delta.Text += " "
			return script
		}},
		"last delta lost": {want: "deltas differ from the text", plant: func(_ *fake, _ string, script []step) []step {
			return slices.Delete(script, 9, 10)
		}},
		"changed message": {want: "changed message", plant: edit(switchboard.UserMessageAccepted, func(s *step) {
			s.event.(*switchboard.UserMessageEvent).Text += "!"
		})},
		"failed run": {want: "agent_failed: model_unavailable", plant: edit(switchboard.AgentCompleted, func(s *step) {
			s.event = &switchboard.AgentFailedEvent{Code: switchboard.ModelUnavailable, Message: "no model"}
		})},
		"stopped run": {want: "agent_stopped", plant: edit(switchboard.AgentCompleted, func(s *step) {
			s.event = &switchboard.AgentStoppedEvent{Reason: switchboard.StoppedByShutdown}
		})},
		"failed tool": {want: "no tool succeeded", plant: edit(switchboard.ToolCompleted, func(s *step) {
			s.event.(*switchboard.ToolCompletedEvent).Status = switchboard.CallError
		})},
		"no ack": {want: "not accepted: timeout", plant: func(_ *fake, _ string, script []step) []step {
			return slices.DeleteFunc(script, func(s step) bool { return s.ack })
		}},
		"two acks": {want: "answered twice", plant: after(step{ack: true})},
		"lost line": {want: "word of another user", leak: true, plant: func(_ *fake, text string, script []step) []step {
			return append(script, step{other: true, raw: notice(text)})
		}},
		"a piece of a word": {want: "word of another user", leak: true, plant: func(_ *fake, text string, script []step) []step {
			word := regexp.MustCompile(`[a-z]{26}`).FindString(text)
			return append(script, step{other: true, raw: notice(strings.ToUpper(word[:14]) + " 1")})
		}},
		"event to another user": {want: "thread of another user", leak: true, plant: func(_ *fake, _ string, script []step) []step {
			return append(script, step{other: true, event: &switchboard.AgentThinkingEvent{}})
		}},
		"delta to another user": {want: "thread of another user", leak: true, plant: func(_ *fake, _ string, script []step) []step {
			return append(script, step{other: true, delta: text("x", 0, 1, "!")})
		}},
		"thread of nobody": {want: "thread of nobody", leak: true, plant: after(step{raw: delta(foreign.Run(1), switchboard.DeltaPayload{Attempt: 1, Kind: switchboard.DeltaText})})},
		"devices differ": {want: "devices differ", change: func(c *Config) { c.Devices = 2 }, plant: edit(switchboard.AgentCompleted, func(s *step) {
			s.first = true
		})},
		"unreadable": {want: "unreadable frame", plant: after(step{raw: []byte(`{"type":`)})},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				spoiled := "" // one run of many is spoiled, and is not answered again when it is repeated
				r := probing(t, &fake{plant: func(f *fake, text string, script []step) []step {
					f.mu.Lock()
					before := spoiled
					if before == "" {
						spoiled = text
					}
					f.mu.Unlock()
					switch before {
					case "":
						return tt.plant(f, text, script)
					case text:
						return nil
					}
					return script
				}}, tt.change)
				if r.OK() || r.Met || r.Runs != 12 {
					t.Errorf("the probe is content: %s", r)
				}
				if leaks := r.CanaryHits + r.ForeignEvents; tt.leak != (leaks > 0) {
					t.Errorf("%d leaks: %s", leaks, r)
				}
				if !slices.ContainsFunc(r.Failures, func(f Failure) bool {
					return f.Reason == tt.want && f.Count >= 1 && len(f.Examples) > 0
				}) {
					t.Errorf("no %q in %s", tt.want, r)
				}
			})
		})
	}
}

func TestAGapIsResyncedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := probing(t, &fake{plant: func(_ *fake, _ string, script []step) []step {
			script[8] = step{}
			script = slices.Delete(script, 8, 9)
			return slices.Insert(script, 9, step{resync: true})
		}}, nil)
		if !r.OK() || r.Gaps != r.Runs || r.Succeeded != r.Runs {
			t.Errorf("%s", r)
		}
	})
}

// Where live signals get lost on purpose, a text may come without deltas, but not with others.
func TestLossy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lossy := func(c *Config) { c.Lossy = true }
		none := func(_ *fake, _ string, script []step) []step {
			return slices.DeleteFunc(script, func(s step) bool { return s.delta != nil })
		}
		if r := probing(t, &fake{plant: none}, lossy); !r.OK() || r.Succeeded != r.Runs {
			t.Errorf("without deltas: %s", r)
		}
		other := func(_ *fake, _ string, script []step) []step {
			script[8].delta.Text += " "
			return script
		}
		if r := probing(t, &fake{plant: other}, lossy); r.OK() {
			t.Errorf("with other deltas: %s", r)
		}
	})
}

func TestBeingAskedToWaitIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := map[string]int{}
		f := &fake{}
		f.plant = func(f *fake, text string, script []step) []step {
			f.mu.Lock()
			defer f.mu.Unlock()
			if asked[text]++; asked[text] < 3 {
				id := script[0].event.(*switchboard.UserMessageEvent).ID
				wait := switchboard.Errorf(switchboard.RateLimited, "slow down").After(45 * time.Second)
				return []step{{raw: switchboard.EncodeReply(id, wait)}}
			}
			return script
		}
		r := probing(t, f, nil)
		if !r.OK() || r.Succeeded != r.Runs || r.Waits != 2*r.Runs || r.WaitedMS != int64(r.Waits)*45_000 {
			t.Errorf("%+v\n%s", r, r)
		}
		if r.Accept.Max > 30_000 {
			t.Errorf("the wait is part of the latency: %+v", r.Accept)
		}
	})
}

// A device that is cut right after its ack misses the rest with this server: never ended, and nothing else.
func TestACutIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cut := false
		r := probing(t, &fake{plant: func(f *fake, _ string, script []step) []step {
			f.mu.Lock()
			defer f.mu.Unlock()
			if cut {
				return script
			}
			cut = true
			return slices.Insert(slices.Clone(script[:2]), 2, step{cut: true})
		}}, func(c *Config) { c.Concurrency = 1 })
		if r.Reconnects != 1 || r.Succeeded != r.Runs-1 || len(r.Failures) != 1 || r.Failures[0].Reason != "never ended" {
			t.Errorf("%s", r)
		}
	})
}

func TestRunRefusesToBegin(t *testing.T) {
	ok := Config{URL: "http://x", Credentials: []Credential{{Token: "t"}}}
	for field, change := range map[string]func(*Config){
		"url":         func(c *Config) { c.URL = "" },
		"credentials": func(c *Config) { c.Credentials = []Credential{{Username: "ann"}} },
		"runs":        func(c *Config) { c.Runs = -1 },
		"slo":         func(c *Config) { c.SLO = 99.5 },
		"timeout":     func(c *Config) { c.Timeout = -1 },
	} {
		cfg := ok
		change(&cfg)
		if _, err := Run(t.Context(), cfg, nil); switchboard.AsError(err).Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		cfg := serve(t, &fake{plant: behave})
		cfg.Credentials, cfg.Users = cfg.Credentials[:1], 11
		if _, err := Run(t.Context(), cfg, nil); switchboard.AsError(err).Field != "users" {
			t.Errorf("too many devices: %v", err)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, ok, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestQuestions(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	ops := map[string]bool{}
	for range 2000 {
		q := ask(r, "word")
		a, rest, _ := strings.Cut(q.sum, " ")
		op, b, _ := strings.Cut(rest, " ")
		ops[op] = true
		var v big.Rat
		switch op {
		case "+":
			v.Add(rat(a), rat(b))
		case "-":
			v.Sub(rat(a), rat(b))
		case "*":
			v.Mul(rat(a), rat(b))
		case "/":
			v.Quo(rat(a), rat(b))
		}
		if v.Cmp(q.answer) != 0 || rat(decimal(&v)).Cmp(&v) != 0 {
			t.Fatalf("%s is not %s", q.sum, q.answer)
		}
		if strings.Count(q.text, q.sum) != 1 || !strings.Contains(q.text, "word") || strings.ContainsAny(strings.Replace(q.text, q.sum, "", 1), "0123456789") {
			t.Fatalf("text %q", q.text)
		}
		if q.right(q.text) {
			t.Fatalf("the question answers itself: %q", q.text)
		}
		if !q.right("It is "+decimal(q.answer)+".") || !q.right("="+decimal(q.answer)+"00") && strings.Contains(decimal(q.answer), ".") {
			t.Fatalf("the answer to %s is not known: %s", q.sum, decimal(q.answer))
		}
	}
	if len(ops) != 4 {
		t.Errorf("operators %v", ops)
	}
}

func TestAnswersAreFoundAsNumbers(t *testing.T) {
	q := question{answer: big.NewRat(-24695, 2)} // -12347.5
	for text, want := range map[string]bool{
		"-12347.5": true, "= −12,347.50": true, "(-12’347.5)": true, "-12_347.5!": true, "**-12347.5**": true,
		"12347.5": false, "-12347.51": false, "-112347.5": false, "-12347": false, "-1234.75": false, "": false, "none": false,
	} {
		if q.right(text) != want {
			t.Errorf("right(%q) is %v", text, !want)
		}
	}
}

func TestFigures(t *testing.T) {
	near := func(a, b float64) bool { return math.Abs(a-b) < 5e-4 }
	for _, tt := range []struct {
		k, n      int
		low, high float64
	}{{0, 0, 0, 1}, {0, 10, 0, 0.2775}, {10, 10, 0.7225, 1}, {1000, 1000, 0.9962, 1}, {995, 1000, 0.9883, 0.9979}} {
		if low, high := Wilson(tt.k, tt.n); !near(low, tt.low) || !near(high, tt.high) {
			t.Errorf("Wilson(%d, %d) = %v, %v", tt.k, tt.n, low, high)
		}
	}
	var ds []time.Duration
	for i := range 200 {
		ds = append(ds, time.Duration(200-i)*time.Millisecond)
	}
	if q := QuantilesOf(ds); q != (Quantiles{200, 100, 198, 200}) {
		t.Errorf("quantiles %+v", q)
	}
	if QuantilesOf(nil) != (Quantiles{}) {
		t.Error("quantiles of nothing")
	}
}

func TestReport(t *testing.T) {
	r := Report{URL: "http://x", Runs: 1000, Succeeded: 995, SLO: 0.995, Users: 20, Devices: 20, ElapsedMS: 12_345, Accept: Quantiles{3, 1.25, 20_000, 30_000}}
	for range 7 {
		r.failed("wrong answer", "run 17")
	}
	if !r.OK() {
		t.Error("the SLO is met")
	}
	s := r.String()
	for _, want := range []string{"OK  995/1000", "99.50 %", "1.2 ms", "20.0 s", "7 × wrong answer", "run 17"} {
		if !strings.Contains(s, want) {
			t.Errorf("no %q in\n%s", want, s)
		}
	}
	if strings.Count(s, "run 17") != 5 {
		t.Errorf("examples in\n%s", s)
	}
	b, err := json.Marshal(r)
	if err != nil || !strings.Contains(string(b), `"p50_ms":1.25`) {
		t.Errorf("%s, %v", b, err)
	}
	for name, spoil := range map[string]func(*Report){
		"slo": func(r *Report) { r.Succeeded-- }, "canary": func(r *Report) { r.CanaryHits++ },
		"foreign": func(r *Report) { r.ForeignEvents++ }, "device": func(r *Report) { r.DeviceFaults++ }, "nothing": func(r *Report) { r.Runs, r.Succeeded = 0, 0 },
	} {
		x := r
		if spoil(&x); x.OK() || !strings.HasPrefix(x.String(), "NOT OK") {
			t.Errorf("%s: the report is OK", name)
		}
	}
}
