package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/tool"
	"github.com/netra-systems/switchboard/tool/builtin"
)

// inGo is an agent in Go with a calculator.
func inGo(fn Func) func(*Config) {
	return with(Agent{Name: "assistant", Run: fn, Tools: []string{"calculator", "careful"}, Ask: []string{"other"}},
		Agent{Name: "other", Run: fn})
}

// TestFunc: what a function returns, writes, or fails with, and what becomes of the run.
func TestFunc(t *testing.T) {
	seven := func(context.Context) (int, error) { return 7, nil }
	for _, c := range []struct {
		name   string
		fn     Func
		answer string // or
		failed string
	}{
		{"returns", func(_ context.Context, r *Run) (string, error) { return "you said " + r.Text(), nil }, "you said go", ""},
		{"writes", func(ctx context.Context, r *Run) (string, error) {
			return "", errors.Join(r.Write(ctx, "a"), r.Think(ctx, "hm"), r.Write(ctx, "b\xff"))
		}, "ab\uFFFD", ""},
		{"writes what it returns", func(ctx context.Context, r *Run) (string, error) { return "abc", r.Write(ctx, "ab") }, "abc", ""},
		{"writes and returns", func(ctx context.Context, r *Run) (string, error) { return " and more", r.Write(ctx, "this") }, "this and more", ""},
		{"writes before its last step", func(ctx context.Context, r *Run) (string, error) {
			_ = r.Write(ctx, "before")
			_, err := Step(ctx, r, "s", seven)
			return "", err
		}, "before", ""},
		{"says nothing", func(context.Context, *Run) (string, error) { return "", nil }, "", "the agent gave no answer"},
		{"says too much", func(context.Context, *Run) (string, error) { return strings.Repeat("x", maxAnswer+1), nil }, "", "the answer is too long"},
		{"fails", func(context.Context, *Run) (string, error) { return "", errors.New("secret") }, "", "the agent failed"},
		{"fails with words for all", func(context.Context, *Run) (string, error) {
			return "", switchboard.Errorf(switchboard.Invalid, "no such city")
		}, "", "no such city"},
		{"panics", func(context.Context, *Run) (string, error) { panic("secret") }, "", "the agent failed"},
		{"its step fails", func(ctx context.Context, r *Run) (string, error) {
			_, err := Step(ctx, r, "s", func(context.Context) (int, error) { return 0, errors.New("secret") })
			var e *CallError
			if !errors.As(err, &e) || e.Status != switchboard.CallError {
				return "", errors.New("not told")
			}
			return "", err
		}, "", "the step failed"},
		{"its step panics", func(ctx context.Context, r *Run) (string, error) {
			_, err := Step(ctx, r, "s", func(context.Context) (int, error) { panic("secret") })
			return "", err
		}, "", "the tool failed"},
		{"its step returns too much", func(ctx context.Context, r *Run) (string, error) {
			_, err := Step(ctx, r, "s", func(context.Context) (string, error) { return strings.Repeat("x", 300<<10), nil })
			return "", err
		}, "", "the result is too long to be kept"},
		{"a step without a name", func(ctx context.Context, r *Run) (string, error) {
			_, err := Step(ctx, r, " ", seven)
			return "", err
		}, "", "a step needs a name in one line of at most 64 bytes, without quotes around it"},
		{"a step like a way", func(ctx context.Context, r *Run) (string, error) {
			_, err := Step(ctx, r, "ask_other", seven)
			return "", err
		}, "", "a step is called like what leads to another agent"},
		{"calls", func(ctx context.Context, r *Run) (string, error) {
			raw, err := r.Call(ctx, "calculator", map[string]string{"expression": "6*7"})
			return string(raw), err
		}, `{"expression":"6*7","result":"42","exact":true}`, ""},
		{"calls what it may not", func(ctx context.Context, r *Run) (string, error) {
			_, err := r.Call(ctx, "clock", nil)
			return "", err
		}, "", "no such tool"},
		{"too many steps", func(ctx context.Context, r *Run) (string, error) {
			for {
				if _, err := Step(ctx, r, "s", seven); err != nil {
					return "", err
				}
			}
		}, "", "the run took too many steps"},
		{"asks a model", func(ctx context.Context, r *Run) (string, error) {
			m := replies(func(int, model.Request) []model.Chunk { return stop("hello", 3, 4) })
			return r.Ask(ctx, "greet", m, model.Request{Messages: r.History()})
		}, "hello", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			withRig(t, nil, inGo(c.fn), func(ctx context.Context, g *rig) {
				end, _ := g.end(ctx, g.send(ctx, &switchboard.UserMessage{Text: "go"}), time.Minute)
				switch p := end.Payload.(type) {
				case *switchboard.AgentCompletedEvent:
					if p.Text != c.answer || c.failed != "" {
						t.Errorf("answered %.100q", p.Text)
					}
					if c.name == "asks a model" && p.Usage.OutputTokens != 4 {
						t.Errorf("used %+v", p.Usage)
					}
				case *switchboard.AgentFailedEvent:
					if p.Message != c.failed || c.failed == "" {
						t.Errorf("failed: %s", p.Message)
					}
				}
			})
		})
	}
}

// TestFuncDiffers: a function that does other things than were recorded fails, and does none of them.
func TestFuncDiffers(t *testing.T) {
	for name, second := range map[string][]string{"another name": {"b"}, "too few": nil} {
		runs, done := 0, 0
		fn := func(ctx context.Context, r *Run) (string, error) {
			runs++
			steps := []string{"a"}
			if runs > 1 {
				steps = second
			}
			for _, s := range steps {
				if _, err := Step(ctx, r, s, func(context.Context) (int, error) { done++; return done, nil }); err != nil {
					return "", err
				}
			}
			_, err := r.Call(ctx, "careful", struct{}{}) // suspends the first time
			if err == nil || runs > 1 {
				return "all is well", nil
			}
			return "", err
		}
		withRig(t, nil, func(c *Config) { inGo(fn)(c); careful(t, c) }, func(ctx context.Context, g *rig) {
			run := g.send(ctx, &switchboard.UserMessage{Text: "go"})
			g.decide(ctx, run, switchboard.Approve, "")
			end, _ := g.end(ctx, run, time.Minute)
			if p, ok := end.Payload.(*switchboard.AgentFailedEvent); !ok || p.Code != switchboard.AgentError || p.Message != errSteps.Message || done != 1 {
				t.Errorf("%s: ended with %+v, %d steps were done", name, end.Payload, done)
			}
		})
	}
}

// careful gives the runner a tool that a person must agree to.
func careful(t *testing.T, c *Config) {
	t.Helper()
	d, err := tool.NewDispatcher(tool.Config{Log: c.Logger}, builtin.Calculator{}, guarded{})
	if err != nil {
		t.Fatal(err)
	}
	c.Tools = d
}

type guarded struct{}

func (guarded) Definition() tool.Definition {
	return tool.Definition{Name: "careful", Approval: true, Schema: json.RawMessage(`{"type":"object"}`)}
}

func (guarded) Call(context.Context, tool.Invocation) (json.RawMessage, error) {
	return json.RawMessage(`"agreed"`), nil
}

// decide waits until a person is asked and decides.
func (g *rig) decide(ctx context.Context, run switchboard.RunID, d switchboard.Decision, reason string) {
	g.t.Helper()
	for range 60 {
		time.Sleep(time.Second)
		if asked := of[*switchboard.ToolApprovalRequiredEvent](g.events(ctx)); len(asked) > 0 {
			if _, err := g.st.Advance(ctx, g.j); err != nil {
				g.t.Fatal(err)
			}
			g.send(ctx, &switchboard.ToolDecision{CallID: string(asked[0].CallID), Decision: d, Reason: reason})
			return
		}
	}
	g.t.Fatal("nobody was asked")
}

// TestFuncApproval: a function whose call needs approval is left, and runs again once a person has decided.
func TestFuncApproval(t *testing.T) {
	for d, want := range map[switchboard.Decision]string{switchboard.Approve: `"agreed" after 2`, switchboard.Deny: "the call was denied: too late after 2"} {
		runs, steps := 0, 0
		fn := func(ctx context.Context, r *Run) (string, error) {
			runs++
			_ = r.Write(ctx, "Asking. ")
			if _, err := Step(ctx, r, "look", func(context.Context) (int, error) { steps++; return 1, nil }); err != nil {
				return "", err
			}
			raw, err := r.Call(ctx, "careful", struct{}{})
			var no *CallError
			if errors.As(err, &no) {
				return fmt.Sprint(no.Message, " after ", runs), nil
			}
			return fmt.Sprint(string(raw), " after ", runs), err
		}
		withRig(t, nil, func(c *Config) { inGo(fn)(c); careful(t, c) }, func(ctx context.Context, g *rig) {
			run := g.send(ctx, &switchboard.UserMessage{Text: "go"})
			g.decide(ctx, run, d, "too late")
			end, es := g.end(ctx, run, time.Minute)
			if p, ok := end.Payload.(*switchboard.AgentCompletedEvent); !ok || p.Text != want || steps != 1 {
				t.Errorf("ended with %+v after %d steps", end.Payload, steps)
			}
			if m := of[*switchboard.AgentMessageEvent](es); len(m) != 2 || m[0].Text != "Asking. " {
				t.Errorf("messages %+v", m)
			}
		})
	}
}

// TestFuncWroteBefore: what a function wrote before its last call is its answer, also if it is left in between.
func TestFuncWroteBefore(t *testing.T) {
	fn := func(ctx context.Context, r *Run) (string, error) {
		_ = r.Write(ctx, "I will ask. ")
		if _, err := Step(ctx, r, "look", func(context.Context) (int, error) { return 1, nil }); err != nil {
			return "", err
		}
		_ = r.Write(ctx, "Asking.")
		_, err := r.Call(ctx, "careful", struct{}{})
		return "", err
	}
	withRig(t, nil, func(c *Config) { inGo(fn)(c); careful(t, c) }, func(ctx context.Context, g *rig) {
		run := g.send(ctx, &switchboard.UserMessage{Text: "go"})
		g.decide(ctx, run, switchboard.Approve, "")
		end, _ := g.end(ctx, run, time.Minute)
		if p, ok := end.Payload.(*switchboard.AgentCompletedEvent); !ok || p.Text != "I will ask. Asking." {
			t.Errorf("ended with %+v", end.Payload)
		}
	})
}

// TestFuncLeads: a function asks another agent, which is a function too, and hands over to a third.
func TestFuncLeads(t *testing.T) {
	lead := func(ctx context.Context, r *Run) (string, error) {
		raw, err := r.Call(ctx, "ask_b", map[string]string{"task": "count"})
		if err != nil {
			return "", err
		}
		if string(raw) != `"b counted after count"` {
			return "", fmt.Errorf("b said %s", raw)
		}
		_, err = r.Call(ctx, "transfer_to_c", struct{}{})
		return "", err
	}
	b := func(ctx context.Context, r *Run) (string, error) {
		n, err := Step(ctx, r, "count", func(context.Context) (string, error) { return "counted", nil })
		return "b " + n + " after " + r.Text(), err
	}
	c := func(_ context.Context, r *Run) (string, error) {
		h := r.History()
		return fmt.Sprintf("c saw %d messages of %q", len(h), r.Text()), nil
	}
	agents := with(Agent{Name: "assistant", Run: lead, Ask: []string{"b"}, Handoff: []string{"c"}}, Agent{Name: "b", Run: b}, Agent{Name: "c", Run: c})
	withRig(t, nil, agents, func(ctx context.Context, g *rig) {
		end, es := g.end(ctx, g.send(ctx, &switchboard.UserMessage{Text: "go"}), time.Minute)
		if p, ok := end.Payload.(*switchboard.AgentCompletedEvent); !ok || p.Text != `c saw 5 messages of "go"` {
			t.Errorf("ended with %+v", end.Payload)
		}
		if n := count(es, switchboard.AgentHandoff); n != 3 {
			t.Errorf("handed over %d times", n)
		}
	})
}

// TestFuncHangs: a function that ignores the end of its time is left alone, and can write nothing any more.
func TestFuncHangs(t *testing.T) {
	var late chan error
	var release chan struct{}
	fn := func(ctx context.Context, r *Run) (string, error) {
		<-release
		late <- r.Write(context.WithoutCancel(ctx), "late")
		return "late", nil
	}
	withRig(t, nil, inGo(fn), func(ctx context.Context, g *rig) {
		late, release = make(chan error, 1), make(chan struct{}) // of the bubble
		run := g.send(ctx, &switchboard.UserMessage{Text: "go"})
		time.Sleep(time.Second)
		g.send(ctx, &switchboard.StopAgent{RunID: string(run)})
		end, _ := g.end(ctx, run, 30*time.Second)
		close(release)
		if err := <-late; !errors.Is(err, ErrSuspended) || end.Type != switchboard.AgentStopped {
			t.Errorf("ended with %s, and then: %v", end.Type, err)
		}
	})
}

// TestInput hands a function the structured input of start_agent.
func TestInput(t *testing.T) {
	fn := func(_ context.Context, r *Run) (string, error) { return string(r.Input()), nil }
	withRig(t, nil, inGo(fn), func(ctx context.Context, g *rig) {
		end, _ := g.end(ctx, g.send(ctx, &switchboard.StartAgent{Agent: "assistant", Input: json.RawMessage(`{"city":"Bern"}`)}), time.Minute)
		if p, ok := end.Payload.(*switchboard.AgentCompletedEvent); !ok || p.Text != `{"city":"Bern"}` {
			t.Errorf("ended with %+v", end.Payload)
		}
	})
}

// TestSummary: turns that do not fit are summed up once; later runs, also of a worker that knows nothing of the thread,
// are shown the summary and what follows it.
func TestSummary(t *testing.T) {
	var systems []string
	var shown []int
	sums := 0
	m := replies(func(_ int, r model.Request) []model.Chunk {
		if strings.HasPrefix(r.System, "You sum up") {
			sums++
			if strings.Contains(r.Messages[0].Text, "question 0") != (sums == 1) {
				t.Errorf("summed up %.300q", r.Messages[0].Text)
			}
			return stop(fmt.Sprintf("SUM%d", sums), 1000, 50)
		}
		systems, shown = append(systems, r.System), append(shown, len(r.Messages))
		return stop(strings.Repeat("answer ", 100), 1, 1)
	})
	a := Agent{Name: "assistant", Model: m, Instructions: "Be brief.", Context: Context{Tokens: 1000, Summary: true}}
	withRig(t, m, with(a), func(ctx context.Context, g *rig) {
		var runs []switchboard.RunID
		for i := range 12 {
			runs = append(runs, g.send(ctx, &switchboard.UserMessage{Text: fmt.Sprint("question ", i)}))
			g.end(ctx, runs[i], time.Minute)
		}
		if sums < 2 || slices.Max(shown) > 13 {
			t.Errorf("summed up %d times, shown %v messages", sums, shown)
		}
		if s := systems[11]; !strings.HasPrefix(s, "Be brief.") || !strings.Contains(s, fmt.Sprint("SUM", sums)) || strings.Contains(s, "SUM1\n") {
			t.Errorf("the system prompt is %q", s)
		}
		if _, err := g.st.Advance(ctx, g.j); err != nil || g.st.Total.InputTokens != int64(12+1000*sums) {
			t.Errorf("used %+v, %v", g.st.Total, err)
		}
		cold, err := New(g.cfg) // a worker that knows nothing
		if err != nil {
			t.Fatal(err)
		}
		before := sums
		ctx2, cancel := context.WithCancel(ctx)
		ended := make(chan struct{})
		go func() { defer close(ended); cold.Run(ctx2) }()
		for i := 12; i < 15; i++ {
			run := g.send(ctx, &switchboard.UserMessage{Text: fmt.Sprint("question ", i)})
			g.end(ctx, run, time.Minute)
		}
		cancel()
		<-ended
		if last := systems[len(systems)-1]; !strings.Contains(last, "SUM") || sums > before+2 {
			t.Errorf("after a cold start: %q, summed up %d times more", last, sums-before)
		}
	})
}

// TestSummaryFails: a summary that cannot be had is left out, with the turns that do not fit.
func TestSummaryFails(t *testing.T) {
	shown := 0
	m := &speaker{say: func(_ context.Context, _ int, r model.Request, y yields) {
		if strings.HasPrefix(r.System, "You sum up") {
			y(model.Chunk{}, &model.Error{Kind: model.Unavailable, Message: "away"})
			return
		}
		shown = len(r.Messages)
		_ = y(model.Chunk{Text: strings.Repeat("answer ", 100)}, nil) && y(model.Chunk{Finish: model.FinishStop}, nil)
	}}
	a := Agent{Name: "assistant", Model: m, Context: Context{Tokens: 1000, Summary: true}}
	withRig(t, m, with(a), func(ctx context.Context, g *rig) {
		for i := range 9 {
			if end, _ := g.end(ctx, g.send(ctx, &switchboard.UserMessage{Text: fmt.Sprint("question ", i)}), time.Minute); end.Type != switchboard.AgentCompleted {
				t.Errorf("ended with %+v", end.Payload)
			}
		}
		if shown < 5 || shown > 13 {
			t.Errorf("shown %d messages", shown)
		}
	})
}

// TestTitles: a thread that nobody has named is named once after an answer; a person's title stays.
func TestTitles(t *testing.T) {
	for _, person := range []bool{false, true} {
		m := replies(func(_ int, r model.Request) []model.Chunk {
			if strings.HasPrefix(r.System, "You name") {
				return stop("\"Of \x1b[2Jcats\n\"", 5, 5)
			}
			if person {
				time.Sleep(time.Second)
			}
			return stop("meow", 1, 1)
		})
		withRig(t, m, with(Agent{Name: "assistant", Model: m, Titles: true}), func(ctx context.Context, g *rig) {
			run := g.send(ctx, &switchboard.UserMessage{Text: "cats?"})
			if person {
				g.send(ctx, &switchboard.RenameThread{Title: "Mine"})
			}
			g.end(ctx, run, time.Minute)
			time.Sleep(time.Second)
			g.end(ctx, g.send(ctx, &switchboard.UserMessage{Text: "more"}), time.Minute)
			time.Sleep(time.Second)
			if _, err := g.st.Advance(ctx, g.j); err != nil {
				t.Fatal(err)
			}
			titles := of[*switchboard.ThreadRenamedEvent](g.events(ctx))
			want := "Of [2Jcats"
			if person {
				want = "Mine"
			}
			if len(titles) != 1 || titles[0].Title != want || g.st.Summary.Title != want || !g.st.AtRest() {
				t.Errorf("named %d times: %q", len(titles), g.st.Summary.Title)
			}
		})
	}
}
