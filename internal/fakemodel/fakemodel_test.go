package fakemodel_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"github.com/netra-systems/switchboard/internal/fakemodel"
	"github.com/netra-systems/switchboard/model"
)

func start(t *testing.T, c fakemodel.Config) *fakemodel.Server {
	t.Helper()
	s, err := fakemodel.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// witness is a client of the protocol that is not ours.
func witness(s *fakemodel.Server) *openai.Client {
	c := openai.DefaultConfig("key")
	c.BaseURL = s.URL()
	return openai.NewClientWithConfig(c)
}

func ask(t *testing.T, c *openai.Client, text string, more ...openai.ChatCompletionMessage) (answer openai.ChatCompletionMessage, finish string, usage *openai.Usage, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	s, err := c.CreateChatCompletionStream(ctx, openai.ChatCompletionRequest{
		Model:         "fake",
		Messages:      append([]openai.ChatCompletionMessage{{Role: "user", Content: text}}, more...),
		StreamOptions: &openai.StreamOptions{IncludeUsage: true},
		Tools: []openai.Tool{{Type: "function", Function: &openai.FunctionDefinition{Name: "calculator",
			Parameters: map[string]any{"type": "object"}}}},
	})
	if err != nil {
		return answer, "", nil, err
	}
	defer s.Close()
	answer.Role = "assistant"
	for {
		r, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return answer, finish, usage, nil
		}
		if err != nil {
			return answer, finish, usage, err
		}
		if r.Usage != nil {
			usage = r.Usage
		}
		for _, x := range r.Choices {
			answer.Content += x.Delta.Content
			answer.ReasoningContent += x.Delta.ReasoningContent
			if x.FinishReason != "" {
				finish = string(x.FinishReason)
			}
			for _, c := range x.Delta.ToolCalls {
				if *c.Index == len(answer.ToolCalls) {
					answer.ToolCalls = append(answer.ToolCalls, openai.ToolCall{ID: c.ID, Type: c.Type, Function: openai.FunctionCall{Name: c.Function.Name}})
				}
				answer.ToolCalls[*c.Index].Function.Arguments += c.Function.Arguments
			}
		}
	}
}

// A client that others wrote understands the server: so it speaks the protocol, not just what our client expects.
func TestAnotherClientUnderstandsIt(t *testing.T) {
	s := start(t, fakemodel.Config{})
	c := witness(s)
	const text = "What is 2+3 and 4*5?"
	a, finish, usage, err := ask(t, c, text)
	if err != nil || finish != "tool_calls" || len(a.ToolCalls) != 2 || a.ReasoningContent == "" || usage == nil {
		t.Fatalf("%+v %q %v %v", a, finish, usage, err)
	}
	if args := a.ToolCalls[1].Function.Arguments; args != `{"expression":"4 * 5"}` {
		t.Errorf("arguments %s", args)
	}
	a, finish, _, err = ask(t, c, text, a,
		openai.ChatCompletionMessage{Role: "tool", ToolCallID: a.ToolCalls[0].ID, Content: `{"result":"5"}`},
		openai.ChatCompletionMessage{Role: "tool", ToolCallID: a.ToolCalls[1].ID, Content: `{"result":"20"}`})
	if err != nil || finish != "stop" || a.Content != "2 + 3 = 5\n\n4 * 5 = 20" {
		t.Errorf("%+v %q %v", a, finish, err)
	}
	if l, err := c.ListModels(t.Context()); err != nil || len(l.Models) != 1 {
		t.Errorf("models %+v, %v", l, err)
	}
	r := s.Requests()
	if len(r) != 2 || r[0].Step() != 1 || r[1].Step() != 2 || r[1].Text() != text || r[0].Header.Get("Authorization") != "Bearer key" {
		t.Errorf("recorded %+v", r)
	}
}

func TestDirectives(t *testing.T) {
	c := witness(start(t, fakemodel.Config{}))
	for directives, want := range map[string]struct {
		text, thinking, call, args, finish string
		calls                              int
	}{
		"[[fake:text one two]]":                                       {text: "one two", finish: "stop"},
		"[[fake:words 3]] 2+3":                                        {text: "word word word ", finish: "stop"},
		"[[fake:think hm]][[fake:text yes]]":                          {thinking: "hm", text: "yes", finish: "stop"},
		"[[fake:tool clock {\"zone\": \"UTC\"}]]":                     {call: "clock", args: `{"zone": "UTC"}`, calls: 1, finish: "tool_calls"},
		"[[fake:tool clock {}]] [[fake:tool calculator {\"a\":[1]}]]": {call: "clock", args: "{}", calls: 2, finish: "tool_calls"},
		"[[fake:badjson]]":                                            {call: "calculator", args: `{"expression": "2 + `, calls: 1, finish: "tool_calls"},
		"[[fake:unknown]]":                                            {call: "no_such_tool", args: "{}", calls: 1, finish: "tool_calls"},
		"[[fake:text never step=2]] [[fake:text yes]]":                {text: "yes", finish: "stop"},
		"[[fake:500 times=0 step=2]] [[fake:text yes]]":               {text: "yes", finish: "stop"},
		"[[fake:delay 1ms]] a story of 5 words":                       {text: "They went home at last.", thinking: "The message asks for a story of 5 words. No tool is needed for what I can do of it.", finish: "stop"},
	} {
		a, finish, _, err := ask(t, c, directives)
		if err != nil || a.Content != want.text || a.ReasoningContent != want.thinking || finish != want.finish || len(a.ToolCalls) != want.calls {
			t.Errorf("%s: %+v %q %v", directives, a, finish, err)
		} else if want.calls > 0 && (a.ToolCalls[0].Function.Name != want.call || a.ToolCalls[0].Function.Arguments != want.args) {
			t.Errorf("%s: %+v", directives, a.ToolCalls)
		}
	}
	for _, bad := range []string{"[[fake:nonsense]]", "[[fake:words x]]", "[[fake:cut after=x]]", "[[fake:delay soon]]", "[[fake:200]]"} {
		if _, _, _, err := ask(t, c, bad); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

func TestTimes(t *testing.T) {
	c := witness(start(t, fakemodel.Config{}))
	const text = "[[fake:429 times=2 retry_after=1]] [[fake:text ok]]"
	for i := range 3 {
		a, _, _, err := ask(t, c, text)
		if failed := err != nil; failed != (i < 2) || !failed && a.Content != "ok" {
			t.Errorf("attempt %d: %+v %v", i+1, a, err)
		}
	}
}

func TestScript(t *testing.T) {
	c := witness(start(t, fakemodel.Config{Script: func(r fakemodel.Request) *fakemodel.Answer {
		if strings.Contains(r.Text(), "mine") {
			return &fakemodel.Answer{Chunks: []model.Chunk{{Text: "scripted"}, {Finish: model.FinishLength}}}
		}
		return nil
	}}))
	if a, finish, _, err := ask(t, c, "mine"); err != nil || a.Content != "scripted" || finish != "length" {
		t.Errorf("%+v %q %v", a, finish, err)
	}
	if a, _, _, err := ask(t, c, "[[fake:text yours]]"); err != nil || a.Content != "yours" {
		t.Errorf("%+v %v", a, err)
	}
}

func TestRefusesWhatServersRefuse(t *testing.T) {
	s := start(t, fakemodel.Config{Key: "right"})
	post := func(key, body string) int {
		req, err := http.NewRequestWithContext(t.Context(), "POST", s.URL()+"/chat/completions", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		_, _ = io.Copy(io.Discard, res.Body)
		return res.StatusCode
	}
	if got := post("wrong", "{}"); got != 401 {
		t.Errorf("a wrong key: %d", got)
	}
	call := `{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]}`
	for _, messages := range []string{
		``, `{"role":"robot","content":""}`, `{"role":"user"}`, call, call + `,{"role":"user","content":"x"}`,
		`{"role":"tool","tool_call_id":"a","content":"x"}`, call + `,{"role":"tool","tool_call_id":"b","content":"x"}`,
	} {
		if got := post("right", `{"model":"m","stream":true,"messages":[`+messages+`]}`); got != 400 {
			t.Errorf("%s: %d", messages, got)
		}
	}
	if got := post("right", `{"model":"m","stream":true,"messages":[`+call+`,{"role":"tool","tool_call_id":"a","content":"x"}]}`); got != 200 {
		t.Errorf("a good request: %d", got)
	}
}

func TestCloseEndsAnswers(t *testing.T) {
	began := make(chan struct{})
	s, err := fakemodel.Start(fakemodel.Config{Script: func(fakemodel.Request) *fakemodel.Answer {
		close(began)
		return &fakemodel.Answer{Fault: fakemodel.FaultStall}
	}})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, _, _, err := ask(t, witness(s), "x")
		ended <- err
	}()
	<-began
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if <-ended == nil {
		t.Error("a stalled answer was taken for a whole one")
	}
}
