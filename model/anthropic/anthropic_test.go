package anthropic_test

import (
	"strings"
	"testing"

	"github.com/netra-systems/switchboard/internal/fakemodel"
	"github.com/netra-systems/switchboard/internal/fakemodel/modeltest"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/model/anthropic"
	"github.com/netra-systems/switchboard/model/wire"
)

func newModel(t testing.TB, c anthropic.Config) *anthropic.Model {
	t.Helper()
	if c.Model == "" {
		c.Model = "fake"
	}
	m, err := anthropic.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

var adapter = modeltest.Adapter{Open: func(url, key string, p wire.Policy) (modeltest.Model, error) {
	return anthropic.New(anthropic.Config{BaseURL: url + "/", Model: "fake", Key: key, Policy: p})
}}

func TestConformance(t *testing.T) { modeltest.Test(t, adapter) }

// TestScripts are those that are not for every protocol.
func TestScripts(t *testing.T) {
	modeltest.RunCases(t, adapter, []modeltest.Case{
		{Script: `[[fake:whole]] [[fake:think a]] [[fake:text b]] [[fake:tool clock {"a":1}]]`, Want: modeltest.Answer{Thinking: "a", Text: "b", Calls: []model.Call{{Tool: "clock", Arguments: `{"a":1}`}}, Finish: "calls"}},
		{Script: `[[fake:cut after=2]] [[fake:tool clock {"zone":"UTC"}]]`, Want: modeltest.Answer{Calls: []model.Call{{Tool: "clock", Arguments: `{"zone"`}}}, Kind: model.Truncated},
		{Script: `[[fake:eof after=4]] [[fake:think a b]] [[fake:text c d]]`, Want: modeltest.Answer{Thinking: "a b", Text: "c d"}, Kind: model.Truncated},
	})
}

// TestThinkingIsGivenBack runs a turn of two steps with tools: the fake server refuses calls whose thinking is missing or
// changed, as the real one does.
func TestThinkingIsGivenBack(t *testing.T) {
	s, url := modeltest.Start(t, fakemodel.Config{})
	for name, c := range map[string]struct {
		config anthropic.Config
		spoil  func(*model.Message)
		want   string // the kind of thinking that the second request asks for
	}{
		"budget":         {config: anthropic.Config{Thinking: 2048}, want: `"thinking":{"type":"enabled","budget_tokens":2048}`},
		"adaptive":       {config: anthropic.Config{Adaptive: true}, want: `"thinking":{"type":"adaptive","display":"summarized"}`},
		"none":           {},
		"lost":           {config: anthropic.Config{Thinking: 2048}, spoil: func(m *model.Message) { m.State = nil }},
		"lost, adaptive": {config: anthropic.Config{Adaptive: true}, spoil: func(m *model.Message) { m.State = nil }, want: `"type":"adaptive"`},
		"of another":     {config: anthropic.Config{Thinking: 2048}, spoil: func(m *model.Message) { m.State = []byte(`{"agui":{"id":"1"}}`) }},
		"no JSON":        {config: anthropic.Config{Thinking: 2048}, spoil: func(m *model.Message) { m.State = []byte(`{`) }},
		"another text":   {config: anthropic.Config{Thinking: 2048}, spoil: func(m *model.Message) { m.Text = "I" }},
		"another model": {config: anthropic.Config{Thinking: 2048}, spoil: func(m *model.Message) {
			m.State = []byte(strings.ReplaceAll(string(m.State), `"model":"fake"`, `"model":"other"`))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(s.Requests())
			c.config.BaseURL = url
			m := newModel(t, c.config)
			r := modeltest.Request("[[fake:think I need the time.]] [[fake:text I look.]] [[fake:tool clock {}]] " + name)
			g := modeltest.Collect(t, t.Context(), m, r)
			if g.Err != nil || len(g.Calls) != 1 || g.Thinking != "I need the time." || len(g.State) == 0 {
				t.Fatalf("%+v", g)
			}
			said := model.Message{Role: model.Assistant, Text: g.Text, Calls: g.Calls, State: g.State}
			if c.spoil != nil {
				c.spoil(&said)
			}
			r.Messages = append(r.Messages, said, model.Message{Role: model.ToolRole, CallID: g.Calls[0].ID, Text: "12:00"})
			half := 0.5
			r.Temperature = &half
			if g = modeltest.Collect(t, t.Context(), m, r); g.Err != nil || g.Finish != model.FinishStop || len(g.State) > 0 {
				t.Fatalf("%+v", g)
			}
			body := string(s.Requests()[before+1].Body)
			if !strings.Contains(body, c.want) || strings.Contains(body, `"budget`) != strings.Contains(c.want, "budget") ||
				strings.Contains(body, `"temperature":0.5`) != (c.want == "") || strings.Contains(body, `"signature"`) != (c.want != "" && c.spoil == nil) {
				t.Errorf("%s", body)
			}
		})
	}
}

// TestSpoiledThinkingIsRefused sees that the fake server would notice.
func TestSpoiledThinkingIsRefused(t *testing.T) {
	_, url := modeltest.Start(t, fakemodel.Config{})
	m := newModel(t, anthropic.Config{BaseURL: url, Thinking: 2048})
	r := modeltest.Request("[[fake:think I need the time.]] [[fake:tool clock {}]]")
	g := modeltest.Collect(t, t.Context(), m, r)
	said := model.Message{Role: model.Assistant, Calls: g.Calls, State: []byte(strings.Replace(string(g.State), "I need", "I want", 1))}
	r.Messages = append(r.Messages, said, model.Message{Role: model.ToolRole, CallID: g.Calls[0].ID, Text: "12:00"})
	if g = modeltest.Collect(t, t.Context(), m, r); modeltest.KindOf(g.Err) != model.Refused {
		t.Errorf("%+v", g)
	}
}

// TestConversationsOfAnyShape are taken by the server, whatever the runner makes of a thread.
func TestConversationsOfAnyShape(t *testing.T) {
	s, url := modeltest.Start(t, fakemodel.Config{Script: func(fakemodel.Request) *fakemodel.Answer {
		return &fakemodel.Answer{Chunks: []model.Chunk{{Text: "ok"}, {Finish: model.FinishStop}}}
	}})
	m := newModel(t, anthropic.Config{BaseURL: url})
	user, assistant, tool := model.User, model.Assistant, model.ToolRole
	calls := []model.Call{{ID: "a.1.0", Tool: "clock", Arguments: "{}"}, {ID: "a.1.1", Tool: "clock", Arguments: "no object"}}
	for name, messages := range map[string][]model.Message{
		"two questions":          {{Role: user, Text: "a"}, {Role: user, Text: "b"}},
		"begins with an answer":  {{Role: assistant, Text: "a"}, {Role: user, Text: "b"}},
		"blank texts":            {{Role: user, Text: "a"}, {Role: assistant, Text: " \n"}, {Role: user, Text: ""}, {Role: user, Text: "b"}},
		"results out of order":   {{Role: user, Text: "a"}, {Role: assistant, Text: "", Calls: calls}, {Role: tool, CallID: "a.1.1", Text: "two"}, {Role: tool, CallID: "a.1.0", Text: ""}},
		"steering after results": {{Role: user, Text: "a"}, {Role: assistant, Text: "x", Calls: calls}, {Role: tool, CallID: "a.1.0", Text: "1"}, {Role: tool, CallID: "a.1.1", Text: "2"}, {Role: user, Text: "b"}},
		"two steps":              {{Role: user, Text: "a"}, {Role: assistant, Calls: calls[:1]}, {Role: tool, CallID: "a.1.0", Text: "1"}, {Role: assistant, Calls: calls[1:]}, {Role: tool, CallID: "a.1.1", Text: "2"}},
		"no UTF-8":               {{Role: user, Text: "a\xff"}},
	} {
		if g := modeltest.Collect(t, t.Context(), m, model.Request{Messages: messages}); g.Err != nil {
			t.Errorf("%s: %v", name, g.Err)
		}
	}
	for _, r := range s.Requests() {
		for i, x := range r.Asked.Messages {
			if x.Role == tool && x.Text != "" && x.Text != "1" && x.Text != "2" && x.Text != "two" {
				t.Errorf("message %d: %+v", i, x)
			}
		}
	}
	for name, messages := range map[string][]model.Message{
		"no result":                {{Role: user, Text: "a"}, {Role: assistant, Calls: calls}, {Role: tool, CallID: "a.1.1", Text: "two"}},
		"a result of long ago":     {{Role: user, Text: "a"}, {Role: assistant, Calls: calls[:1]}, {Role: tool, CallID: "a.1.0"}, {Role: user, Text: "b"}, {Role: tool, CallID: "a.1.0"}},
		"a result before its call": {{Role: user, Text: "a"}, {Role: tool, CallID: "a.1.0"}, {Role: assistant, Calls: calls[:1]}},
	} {
		if g := modeltest.Collect(t, t.Context(), m, model.Request{Messages: messages}); modeltest.KindOf(g.Err) != model.Refused {
			t.Errorf("%s: %+v", name, g)
		}
	}
}

func TestMaxTokens(t *testing.T) {
	s, url := modeltest.Start(t, fakemodel.Config{})
	for i, c := range []struct {
		config anthropic.Config
		want   string
	}{
		{anthropic.Config{}, `"max_tokens":8192,`},
		{anthropic.Config{MaxTokens: 100}, `"max_tokens":100,`},
		{anthropic.Config{MaxTokens: 2000, Thinking: 1024}, `"max_tokens":2000,`},
	} {
		c.config.BaseURL = url
		modeltest.Collect(t, t.Context(), newModel(t, c.config), modeltest.Request("x"))
		if body := string(s.Requests()[i].Body); !strings.Contains(body, c.want) {
			t.Errorf("%+v: %s", c.want, body)
		}
	}
}

func TestConfigIsWrittenWithoutItsKey(t *testing.T) {
	modeltest.NeverWritten(t, anthropic.Config{Model: "m", Key: modeltest.Key})
}

func TestValidate(t *testing.T) {
	if err := (anthropic.Config{Model: "m"}).Validate(); err != nil {
		t.Error(err)
	}
	for _, c := range []anthropic.Config{
		{}, {Model: "m", BaseURL: "ftp://example.com"}, {Model: "m", Key: "a b"}, {Model: "m", MaxTokens: -1},
		{Model: "m", Thinking: -1}, {Model: "m", Thinking: 100}, {Model: "m", Thinking: 2048, Adaptive: true},
		{Model: "m", Thinking: 8192}, {Model: "m", MaxTokens: 2000, Thinking: 2000},
		{Model: "m", Policy: wire.Policy{MaxBytes: -1}},
	} {
		if c.Validate() == nil {
			t.Errorf("%v is valid", c)
		}
	}
}
