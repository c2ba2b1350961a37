package agui_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard/internal/fakemodel/modeltest"
	"github.com/netra-systems/switchboard/model"
)

// input is what an agent was asked.
type input struct {
	ThreadID string
	RunID    string
	State    json.RawMessage
	Messages []struct {
		ID, Role, Content, ToolCallID string
		ToolCalls                     []struct {
			ID       string
			Function struct{ Name, Arguments string }
		}
	}
	Resume []struct {
		InterruptID, Status string
		Payload             json.RawMessage
	}
}

func (a *agent) input(t *testing.T, n int) (in input) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.asked[n]), &in); err != nil {
		t.Fatal(err)
	}
	return in
}

// ids are the messages of a request in short.
func (in input) ids() (out []string) {
	for _, m := range in.Messages {
		s := m.Role + ":" + m.ID
		for _, c := range m.ToolCalls {
			s += "+" + c.ID
		}
		if m.ToolCallID != "" {
			s += "=" + m.ToolCallID
		}
		out = append(out, s)
	}
	return out
}

func user(text string) model.Message { return model.Message{Role: model.User, Text: text} }

// TestIDsAreKept plays a conversation of three runs: each request names what the agent said and was asked as before.
func TestIDsAreKept(t *testing.T) {
	a := &agent{answers: []string{
		started + said("m1", "I search.") + called("c1", "search", "m1", `{"a":1}`) + called("c2", "search", "m1", `{"a":2}`) + ran("c1", "r1", "one") + ran("c2", "r2", "two") +
			event("STATE_SNAPSHOT", `"snapshot":{"seen":1}`) + said("m2", "And now the time.") + said("m3", "Wait.") + called("c3", "clock", "m3", `{}`) + success,
		started + said("m4", "12:00") + event("STATE_DELTA", `"delta":[{"op":"replace","path":"/seen","value":2}]`) + success,
		started + said("m5", "Bye.") + success,
	}}
	m := a.model(t)
	r := model.Request{Messages: []model.Message{user("Hello"), user("Hello")}, Tools: []model.Tool{{Name: "clock"}}, Thread: "th", Run: "th.1"}
	o := ask(t, m, r)
	if o.err != nil || o.finish != model.FinishCalls || o.last() != "And now the time.\n\nWait." || len(o.messages) != 5 {
		t.Fatalf("%+v", o)
	}
	r.Messages = append(r.Messages, o.answered(func(model.Call) string { return "noon" })...)
	o = ask(t, m, r)
	if o.err != nil || o.last() != "12:00" || o.finish != model.FinishStop {
		t.Fatalf("%+v", o)
	}
	r.Messages, r.Run = append(append(r.Messages, o.messages...), user("Hello")), "th.2"
	if o = ask(t, m, r); o.last() != "Bye." {
		t.Fatalf("%+v", o)
	}
	first, second, third := a.input(t, 0), a.input(t, 1), a.input(t, 2)
	u1, u2 := first.Messages[0].ID, first.Messages[1].ID
	want := []string{"user:" + u1, "user:" + u2, "assistant:m1+c1+c2", "tool:r1=c1", "tool:r2=c2", "assistant:m2", "assistant:m3+c3"}
	if got := second.ids(); !slices.Equal(got[:7], want) || len(got) != 8 || !strings.HasSuffix(got[7], "=c3") || second.Messages[7].Content != "noon" {
		t.Errorf("second request: %q", got)
	}
	if got := third.ids(); !slices.Equal(got[:8], second.ids()) || got[8] != "assistant:m4" || len(got) != 10 || slices.Contains(got[:9], got[9]) {
		t.Errorf("third request: %q", got)
	}
	for i, want := range []string{"{}", `{"seen":1}`, `{"seen":2}`} {
		if in := a.input(t, i); string(in.State) != want || in.ThreadID != "th" || !strings.HasPrefix(in.RunID, "th.") {
			t.Errorf("request %d: %+v", i, in)
		}
	}
	if first.RunID == second.RunID {
		t.Error("two requests are one run")
	}
	// What is no longer shown leaves the ids of the rest as they are.
	r.Messages = r.Messages[1:]
	ask(t, m, r)
	if got := a.input(t, 3).ids(); !slices.Equal(got, third.ids()[1:]) {
		t.Errorf("fourth request: %q", got)
	}
}

// TestForeignConversations are those of which nothing was kept, or by others.
func TestForeignConversations(t *testing.T) {
	a := &agent{answers: []string{started + said("m1", "x") + success}}
	m := a.model(t)
	for _, state := range []string{"", "{", `{"anthropic":{}}`, `{"agui":{"parts":[{"id":"p","bytes":99}],"calls":[]}}`, `{"agui":{"parts":[{"id":"","bytes":1}]}}`,
		`{"agui":{"calls":[{"id":"z"}],"interrupts":[{"id":"i","call":7}]}}`} {
		r := model.Request{Thread: "th", Messages: []model.Message{user("a"),
			{Role: model.Assistant, Text: "I look.", Calls: []model.Call{{ID: "x.1.0", Tool: "clock", Arguments: "no object"}}, State: []byte(state)},
			{Role: model.ToolRole, CallID: "x.1.0", Text: "noon"}, {Role: model.Assistant, Text: "noon"}, user("b")}}
		if o := ask(t, m, r); o.err != nil {
			t.Fatalf("%s: %v", state, o.err)
		}
		in := a.input(t, len(a.asked)-1)
		if len(in.Messages) != 5 || len(in.Messages[1].ToolCalls) != 1 || in.Messages[1].Content != "I look." || in.Messages[2].ToolCallID != in.Messages[1].ToolCalls[0].ID {
			t.Errorf("%s: %q", state, in.ids())
		}
		if f := in.Messages[1].ToolCalls[0].Function; !json.Valid([]byte(f.Arguments)) {
			t.Errorf("arguments %q", f.Arguments)
		}
	}
}

// TestLargeStateIsNotKept sees the rest kept all the same.
func TestLargeStateIsNotKept(t *testing.T) {
	a := &agent{answers: []string{started + event("STATE_SNAPSHOT", `"snapshot":"`+strings.Repeat("x", 70_000)+`"`) + said("m1", "x") + success}}
	g := modeltest.Collect(t, t.Context(), a.model(t), modeltest.Request("x"))
	if g.Err != nil || !strings.Contains(string(g.State), `"id":"m1"`) || len(g.State) > 1000 {
		t.Errorf("%d bytes, %v", len(g.State), g.Err)
	}
}

const wants = `"outcome":{"type":"interrupt","interrupts":[{"id":"i1","reason":"tool_call","message":"Send it?","toolCallId":"c1"},` +
	`{"id":"i2","reason":"confirmation","responseSchema":{"type":"boolean"}},{"id":"i3","reason":"input_required","message":"Which?"}]}`

// TestInterrupts answers three questions of an agent at once: may it run a tool, yes or no, and a free one.
func TestInterrupts(t *testing.T) {
	asks := started + said("m1", "I would send.") + called("c1", "send", "m1", `{"to":"a"}`) + finished(wants)
	for name, c := range map[string]struct {
		decide func(model.Call) string
		resume []string
	}{
		"approved": {func(c model.Call) string { return `{"approved":true,"arguments":` + c.Arguments + `}` },
			[]string{`i1 resolved {"approved":true}`, `i2 resolved true`, `i3 resolved {"approved":true}`}},
		"denied": {func(model.Call) string { return `The call ended with status "denied".` },
			[]string{`i1 resolved {"approved":false}`, `i2 resolved false`, `i3 cancelled `}},
		"changed": {func(c model.Call) string {
			if strings.Contains(c.Arguments, "Which") {
				return `{"approved":true,"arguments":{"answer":"b"}}`
			}
			return `{"approved":true,"arguments":` + strings.Replace(c.Arguments, `{"to":"a"}`, `{"to":"b"}`, 1) + `}`
		}, []string{`i1 resolved {"approved":true,"editedArgs":{"to":"b"}}`, `i2 resolved true`, `i3 resolved {"answer":"b"}`}},
		"not approved": {func(model.Call) string { return `{"approved":false}` },
			[]string{`i1 resolved {"approved":false}`, `i2 resolved false`, `i3 cancelled `}},
	} {
		t.Run(name, func(t *testing.T) {
			a := &agent{answers: []string{asks,
				started + ran("c1", "r1", "sent") + said("m2", "Done.") + success,
				started + said("m3", "Bye.") + success}}
			m := a.model(t)
			r := model.Request{Messages: []model.Message{user("Send")}, Thread: "th", Run: "th.1"}
			o := ask(t, m, r)
			if o.err != nil || o.finish != model.FinishCalls || !slices.Equal(o.calls(), []string{"interrupt", "interrupt", "interrupt"}) {
				t.Fatalf("%+v", o)
			}
			if got := o.messages[0].Calls[0].Arguments; got != `{"reason":"tool_call","message":"Send it?","tool":"send","arguments":{"to":"a"}}` {
				t.Errorf("asked %s", got)
			}
			r.Messages = append(r.Messages, o.answered(c.decide)...)
			o = ask(t, m, r)
			if o.err != nil || !slices.Equal(o.calls(), []string{"send"}) || o.messages[1].Text != "sent" || o.last() != "Done." {
				t.Fatalf("%+v", o)
			}
			second := a.input(t, 1)
			var resume []string
			for _, x := range second.Resume {
				resume = append(resume, x.InterruptID+" "+x.Status+" "+string(x.Payload))
			}
			if !slices.Equal(resume, c.resume) {
				t.Errorf("resumed with %q", resume)
			}
			if got := second.ids(); len(got) != 2 || got[1] != "assistant:m1+c1" {
				t.Errorf("second request: %q", got)
			}
			r.Messages = append(append(r.Messages, o.messages...), user("Bye"))
			if o = ask(t, m, r); o.last() != "Bye." {
				t.Fatalf("%+v", o)
			}
			third := a.input(t, 2)
			if got := third.ids(); len(got) != 5 || got[1] != "assistant:m1+c1" || got[2] != "tool:r1=c1" || got[3] != "assistant:m2" || len(third.Resume) != 0 {
				t.Errorf("third request: %q, %v", got, third.Resume)
			}
		})
	}
}

// TestInterruptedAgain is asked about the same call twice, and then left without an answer.
func TestInterruptedAgain(t *testing.T) {
	again := started + finished(`"outcome":{"type":"interrupt","interrupts":[{"id":"i2","reason":"tool_call","message":"Really?","toolCallId":"c1"}]}`)
	a := &agent{answers: []string{
		started + said("m1", "I would send.") + called("c1", "send", "m1", `{"to":"a"}`) + finished(`"outcome":{"type":"interrupt","interrupts":[{"id":"i1","reason":"tool_call","toolCallId":"c1"}]}`),
		again, started + said("m2", "Then not.") + success, started + said("m3", "Bye.") + success}}
	m := a.model(t)
	r := model.Request{Messages: []model.Message{user("Send")}, Thread: "th", Run: "th.1"}
	yes := func(model.Call) string { return `{"approved":true}` }
	r.Messages = append(r.Messages, ask(t, m, r).answered(yes)...)
	o := ask(t, m, r)
	if o.err != nil || !strings.Contains(o.messages[0].Calls[0].Arguments, `"tool":"send","arguments":{"to":"a"}`) {
		t.Fatalf("%+v", o)
	}
	r.Messages = append(append(r.Messages, o.answered(func(model.Call) string { return "The call was not made." })...), user("Never mind"))
	o = ask(t, m, r)
	in := a.input(t, 2)
	if got := in.ids(); len(got) != 3 || got[1] != "assistant:m1+c1" || len(in.Resume) != 1 || in.Resume[0].InterruptID != "i2" || string(in.Resume[0].Payload) != `{"approved":false}` {
		t.Errorf("third request: %q, %+v", got, in.Resume)
	}
	r.Messages = append(append(r.Messages, o.messages...), user("Bye"))
	ask(t, m, r)
	in = a.input(t, 3)
	if got := in.ids(); len(got) != 6 || !strings.HasPrefix(got[2], "tool:") || !strings.HasSuffix(got[2], "=c1") || got[4] != "assistant:m2" || len(in.Resume) != 0 {
		t.Errorf("fourth request: %q", got)
	}
}
