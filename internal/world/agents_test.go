package world_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/agent"
	"github.com/netra-systems/switchboard/client"
	"github.com/netra-systems/switchboard/internal/world"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/tool"
)

// TestAskedAgent: an agent asks another one beside its own call; the other knows nothing but its task, works in steps of
// its own, and its answer is the result of the call, wherever a worker is lost.
func TestAskedAgent(t *testing.T) {
	lead := speaks(func(r model.Request) []model.Chunk {
		if last(r, model.User) != "" {
			return calls("I ask.", "once", `{}`, "ask_helper", `{"task":"count the sheep"}`)
		}
		var results []string
		for _, m := range r.Messages {
			if m.Role == model.ToolRole {
				results = append(results, m.Text)
			}
		}
		return says("lead heard " + results[len(results)-1])
	})
	helper := speaks(func(r model.Request) []model.Chunk {
		for _, m := range r.Messages {
			if strings.Contains(m.Text, "secret") || strings.Contains(m.Text, "I ask.") {
				return says("I know too much: " + m.Text)
			}
		}
		if last(r, model.User) == "count the sheep" {
			return calls("I count.", "twice", `{}`)
		}
		return says("seven sheep")
	})
	story{
		agents: []agent.Agent{
			{Name: "lead", Model: lead, Tools: []string{"once"}, Ask: []string{"helper"}},
			{Name: "helper", Model: helper, Tools: []string{"twice"}},
		},
		tools: func(fx *effects) []tool.Tool { return []tool.Tool{effect{"once", fx}, effect{"twice", fx}} },
		text:  "a secret question",
		judge: func(t *testing.T, end switchboard.Event, run []switchboard.Event) {
			completed(t, end, `lead heard "seven sheep"`)
			if got := ways(run); !slices.Equal(got, []string{"lead>helper", "helper>lead"}) {
				t.Errorf("handed over %v", got)
			}
			var texts []string
			for _, p := range payloads[*switchboard.AgentMessageEvent](run) {
				texts = append(texts, fmt.Sprint(p.Step, p.Text, len(p.Calls)))
			}
			if !slices.Equal(texts, []string{"1I ask.2", "2I count.1", "3seven sheep0"}) {
				t.Errorf("messages %q", texts)
			}
			// The calls beside were closed before the other agent began, the one that asks after it ended.
			var order []string
			for _, e := range run {
				switch p := e.Payload.(type) {
				case *switchboard.ToolExecutingEvent:
					order = append(order, "+"+p.Tool)
				case *switchboard.ToolCompletedEvent:
					order = append(order, "-"+p.Tool)
				case *switchboard.AgentHandoffEvent:
					order = append(order, ">"+p.To)
				}
			}
			if got := strings.Join(order, " "); got != "+once -once +ask_helper >helper +twice -twice >lead -ask_helper" {
				t.Errorf("in the order %s", got)
			}
			if u := end.Payload.(*switchboard.AgentCompletedEvent).Usage; u.InputTokens != 40 || u.OutputTokens != 20 {
				t.Errorf("used %+v", u)
			}
		},
	}.tell(t)
}

// TestHandoff: an agent hands the conversation over to another one, which sees all of it and goes on for good.
func TestHandoff(t *testing.T) {
	desk := speaks(func(model.Request) []model.Chunk {
		return calls("One moment.", "transfer_to_expert", `{"reason":"it is about tax"}`)
	})
	expert := speaks(func(r model.Request) []model.Chunk {
		return says(fmt.Sprintf("expert saw %d messages, first %q", len(r.Messages), r.Messages[0].Text))
	})
	story{
		agents: []agent.Agent{{Name: "desk", Model: desk, Handoff: []string{"expert"}}, {Name: "expert", Model: expert}},
		text:   "what do I owe?",
		judge: func(t *testing.T, end switchboard.Event, run []switchboard.Event) {
			completed(t, end, `expert saw 3 messages, first "what do I owe?"`)
			hands := payloads[*switchboard.AgentHandoffEvent](run)
			if len(hands) != 1 || *hands[0] != (switchboard.AgentHandoffEvent{From: "desk", To: "expert", Reason: "it is about tax"}) {
				t.Errorf("handed over %+v", hands)
			}
		},
	}.tell(t)
}

// TestAgentInGo: a function whose steps are done once each, although it runs again from its start when its worker is lost.
func TestAgentInGo(t *testing.T) {
	var mu sync.Mutex
	taken := map[switchboard.RunID]int{}
	fn := func(ctx context.Context, r *agent.Run) (string, error) {
		if err := r.Write(ctx, "Let me see. "); err != nil {
			return "", err
		}
		n, err := agent.Step(ctx, r, "take a number", func(context.Context) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			taken[switchboard.RunID(r.Text())]++
			return 41, nil
		})
		var unknown *agent.CallError
		if errors.As(err, &unknown) && unknown.Status == switchboard.CallUnknown {
			n, err = 41, nil // it may have been taken
		}
		if err != nil {
			return "", err
		}
		m, err := agent.Idempotent(ctx, r, "add one", func(context.Context) (int, error) { return n + 1, nil })
		if err != nil {
			return "", err
		}
		raw, err := r.Call(ctx, "twice", map[string]int{"n": m})
		if err != nil {
			return "", err
		}
		if err := r.Write(ctx, fmt.Sprintf("It is %d, ", m)); err != nil {
			return "", err
		}
		return "", r.Write(ctx, string(raw))
	}
	story{
		agents: []agent.Agent{{Name: "counter", Run: fn, Tools: []string{"twice"}}},
		tools:  func(fx *effects) []tool.Tool { return []tool.Tool{effect{"twice", fx}} },
		text:   "count",
		judge: func(t *testing.T, end switchboard.Event, run []switchboard.Event) {
			if p, ok := end.Payload.(*switchboard.AgentCompletedEvent); !ok || p.Text != `It is 42, "done"` {
				t.Errorf("ended with %+v", end.Payload)
			}
			var steps []string
			for _, p := range payloads[*switchboard.AgentMessageEvent](run) {
				steps = append(steps, fmt.Sprint(p.Step, p.Calls[0].Tool, "/", p.Text))
			}
			if !slices.Equal(steps, []string{"1take a number/Let me see. ", "2add one/", "3twice/"}) {
				t.Errorf("steps %q", steps)
			}
			mu.Lock()
			defer mu.Unlock()
			if n := taken["count"]; n > 1 {
				t.Errorf("taken %d times", n)
			}
			clear(taken)
		},
	}.tell(t)
}

// TestGate: an answer that is not good enough is withdrawn once and written anew with what was weak.
func TestGate(t *testing.T) {
	m := speaks(func(r model.Request) []model.Chunk {
		if t := last(r, model.User); strings.Contains(t, "say more") && r.Temperature != nil && *r.Temperature == 0.3 {
			return says("a long and thorough answer")
		}
		return says("short")
	})
	gate := func(_ context.Context, asked, answer string, last bool) (agent.Verdict, error) {
		v := agent.Verdict{Quality: switchboard.Quality{Score: float64(len(answer)) / 100, Level: "fair"}, Usage: model.Usage{Input: 1000, Output: 10}}
		if asked != "why?" {
			return v, errors.New("asked something else")
		}
		if v.Rejected = answer == "short"; v.Rejected && !last {
			v.Advice = "say more"
		}
		return v, nil
	}
	story{
		agents: []agent.Agent{{Name: "assistant", Model: m, Gate: gate}},
		text:   "why?",
		judge: func(t *testing.T, end switchboard.Event, run []switchboard.Event) {
			completed(t, end, "a long and thorough answer")
			if q := end.Payload.(*switchboard.AgentCompletedEvent).Quality; q == nil || q.Score != 0.26 {
				t.Errorf("judged %+v", q)
			}
			if u := end.Payload.(*switchboard.AgentCompletedEvent).Usage; u.InputTokens < 2000 || u.OutputTokens < 20 {
				t.Errorf("what judging took is not the run's: %+v", u)
			}
			drafts := payloads[*switchboard.AgentMessageEvent](run)
			if len(drafts) != 1 || drafts[0].Text != "short" || len(drafts[0].Calls) != 0 {
				t.Errorf("drafts %+v", drafts)
			}
			if !slices.ContainsFunc(payloads[*switchboard.AgentThinkingEvent](run), func(p *switchboard.AgentThinkingEvent) bool {
				return p.Source == "agent" && strings.Contains(p.Text, "say more")
			}) {
				t.Error("nobody is told what was weak")
			}
		},
	}.tell(t)
}

// TestElsewhere: the model's side runs calls itself; each is recorded, nothing is run here, and what follows is a message
// of its own.
func TestElsewhere(t *testing.T) {
	m := speaks(func(r model.Request) []model.Chunk {
		if r.Messages[len(r.Messages)-1].Role == model.ToolRole { // taken over: it goes on
			return says("then the end")
		}
		out := calls("First. ", "once", `{"far":1}`, "far_away", `{}`)
		out = append(out[:len(out)-1], model.Chunk{Result: &model.CallResult{Index: 0, Result: `{"found":3}`}},
			model.Chunk{Result: &model.CallResult{Index: 1, Result: "no luck", Failed: true}, State: json.RawMessage(`{"s":1}`)})
		return append(out, says("then the end")...)
	})
	var ran atomic.Int64
	story{
		agents: []agent.Agent{{Name: "remote", Model: m, Tools: []string{"once"}}},
		tools:  func(*effects) []tool.Tool { return []tool.Tool{counting{"once", &ran}} },
		text:   "look",
		judge: func(t *testing.T, end switchboard.Event, run []switchboard.Event) {
			completed(t, end, "then the end")
			message := payloads[*switchboard.AgentMessageEvent](run)
			done := payloads[*switchboard.ToolCompletedEvent](run)
			if len(message) != 1 || len(message[0].Calls) != 2 || len(done) != 2 {
				t.Fatalf("%d messages, %d results", len(message), len(done))
			}
			for i, want := range []switchboard.CallStatus{switchboard.CallOK, switchboard.CallError} {
				if s := done[i].Status; s != want && s != switchboard.CallUnknown {
					t.Errorf("call %d ended as %s", i, s)
				}
			}
			if id := end.Payload.(*switchboard.AgentCompletedEvent).MessageID; id == message[0].MessageID {
				t.Error("what followed is the same message")
			}
			if n := ran.Load(); n != 0 {
				t.Errorf("a tool was run here %d times", n)
			}
		},
	}.tell(t)
}

// counting is a tool that only counts.
type counting struct {
	name string
	n    *atomic.Int64
}

func (c counting) Definition() tool.Definition {
	return tool.Definition{Name: c.name, Description: c.name, Schema: json.RawMessage(`{"type":"object"}`)}
}

func (c counting) Call(context.Context, tool.Invocation) (json.RawMessage, error) {
	c.n.Add(1)
	return json.RawMessage(`1`), nil
}

// TestBudget: what steps have cost is in the log: a worker that takes over holds the run to the same budget.
func TestBudget(t *testing.T) {
	story{
		agents: []agent.Agent{{
			Name: "assistant", Model: speaks(func(model.Request) []model.Chunk { return calls("again", "twice", `{}`) }),
			Tools: []string{"twice"}, Budget: agent.Budget{Tokens: 30},
		}},
		tools: func(fx *effects) []tool.Tool { return []tool.Tool{effect{"twice", fx}} },
		text:  "go",
		judge: func(t *testing.T, end switchboard.Event, run []switchboard.Event) {
			p, ok := end.Payload.(*switchboard.AgentFailedEvent)
			if n := len(payloads[*switchboard.AgentMessageEvent](run)); !ok || p.Code != switchboard.BudgetTokens || n != 2 {
				t.Errorf("ended with %+v after %d steps", end.Payload, n)
			}
		},
	}.tell(t)
}

// TestSummaryAndTitle: turns that do not fit are summed up, and the thread is named, once at most, wherever a worker is
// lost; whoever goes on is shown the summary.
func TestSummaryAndTitle(t *testing.T) {
	long := strings.Repeat("a long story ", 40)
	m := speaks(func(r model.Request) []model.Chunk {
		switch {
		case strings.HasPrefix(r.System, "You sum up"):
			return says("THE SUM")
		case strings.HasPrefix(r.System, "You name"):
			return says("A title")
		case last(r, model.User) == "now":
			return says(fmt.Sprintf("summed up %v, %d messages", strings.Contains(r.System, "THE SUM"), len(r.Messages)))
		}
		return says(long)
	})
	story{
		agents: []agent.Agent{{Name: "assistant", Model: m, Titles: true, Context: agent.Context{Tokens: 350, Summary: true}}},
		before: []string{"one", "two", "three"},
		text:   "now",
		judge: func(t *testing.T, end switchboard.Event, run []switchboard.Event) {
			completed(t, end, "summed up true, 3 messages")
			sums := 0
			for _, p := range payloads[*switchboard.AgentThinkingEvent](run) {
				if strings.Contains(p.Text, "THE SUM") {
					sums++
				}
			}
			if sums != 1 || len(payloads[*switchboard.ThreadRenamedEvent](run)) != 0 { // it was named after the first answer
				t.Errorf("summed up %d times", sums)
			}
		},
	}.tell(t)
	story{
		agents: []agent.Agent{{Name: "assistant", Model: m, Titles: true}},
		text:   "once upon a time",
		judge: func(t *testing.T, end switchboard.Event, run []switchboard.Event) {
			completed(t, end, "a long story")
			if n := len(payloads[*switchboard.ThreadRenamedEvent](run)); n > 1 {
				t.Errorf("named %d times", n)
			}
		},
	}.tell(t)
}

// TestDenyReason: why a person denied a call reaches the agent, as data.
func TestDenyReason(t *testing.T) {
	m := speaks(func(r model.Request) []model.Chunk {
		if heard := last(r, model.ToolRole); heard != "" {
			return says(heard)
		}
		return calls("", "ask", `{}`)
	})
	fx := &effects{n: map[switchboard.CallID]int{}}
	cfg := world.Config{Agents: []agent.Agent{{Name: "assistant", Model: m, Tools: []string{"ask"}}}, Tools: []tool.Tool{effect{"ask", fx}}}
	in(t, cfg, func(t *testing.T, ctx context.Context, w *world.World) {
		d := connect(t, ctx, w.Start(), "alice")
		ack, err := d.Say(ctx, "", "?")
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Await(ctx, func(es []switchboard.Event) bool {
			return len(payloads[*switchboard.ToolApprovalRequiredEvent](es)) > 0
		}); err != nil {
			t.Fatal(err)
		}
		deny := &switchboard.ToolDecision{CallID: string(ack.RunID.Call(1, 0)), Decision: switchboard.Deny, Reason: "not on\x1b[2J Sundays"}
		if _, err := d.Send(ctx, switchboard.Message{ID: client.NewID(), Payload: deny}); err != nil {
			t.Fatal(err)
		}
		end, err := d.AwaitEnd(ctx, ack.RunID)
		if err != nil {
			t.Fatal(err)
		}
		completed(t, end, "denied: not on [2J Sundays")
		check(t, d)
		d.Disconnect()
	})
}

// TestUsage: a user's tokens are summed up over all threads, deleted ones too, and nobody else's are among them.
func TestUsage(t *testing.T) {
	in(t, world.Config{Model: speaks(func(model.Request) []model.Chunk { return says("yes") })}, func(t *testing.T, ctx context.Context, w *world.World) {
		n := w.Start()
		d, other := connect(t, ctx, n, "alice"), connect(t, ctx, n, "bob")
		used := func(d *world.Device) (me struct{ Usage switchboard.Usage }) {
			r, err := http.NewRequestWithContext(ctx, "GET", "http://localhost/api/v1/me", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+d.Token)
			res, err := n.HTTP().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if err := json.NewDecoder(res.Body).Decode(&me); err != nil {
				t.Fatal(err)
			}
			return me
		}
		for range 2 {
			ack, err := d.Say(ctx, "", "?")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := d.AwaitEnd(ctx, ack.RunID); err != nil {
				t.Fatal(err)
			}
			if _, err := d.Send(ctx, switchboard.Message{ID: client.NewID(), ThreadID: string(ack.ThreadID), Payload: &switchboard.DeleteThread{}}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if u := used(d).Usage; u != (switchboard.Usage{InputTokens: 20, OutputTokens: 10}) {
			t.Errorf("used %+v", u)
		}
		if u := used(other).Usage; u != (switchboard.Usage{}) {
			t.Errorf("somebody else used %+v", u)
		}
		d.Disconnect()
		other.Disconnect()
	})
}
