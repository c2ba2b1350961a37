package agui_test

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard/internal/fakemodel/modeltest"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/model/agui"
)

// TestStockAgent talks with an agent that others' SDK made: it checks each request by its own schema, and remembers what it
// was told by its ids, so that it would see doubles.
func TestStockAgent(t *testing.T) {
	url := modeltest.StockAgent(t, filepath.Join("testdata", "npm"))
	m := newModel(t, agui.Config{URL: url, Header: map[string]string{"Authorization": "Bearer token"}})
	r := model.Request{System: "Be brief.", Thread: "th", Run: "th.0", Tools: []model.Tool{{Name: "clock", Description: "Tells the time."}}}
	decided := `{"approved":true,"arguments":%}`
	for n, c := range []struct {
		question string
		decided  string
		answer   string
		thinking string
		calls    []string
		results  []string
	}{
		{question: "Hello", answer: "You said Hello. (1 questions)"},
		{question: "search it", answer: "There are three. (2 questions)", thinking: "I have to look.", calls: []string{"search"}, results: []string{"three hits"}},
		{question: "time", answer: "It is noon. (3 questions)", calls: []string{"clock"}, results: []string{"noon"}},
		{question: "send", decided: decided, answer: "Sent to ann. (4 questions)", calls: []string{"interrupt", "send"}, results: []string{"", "sent"}},
		{question: "send", decided: "The call was denied.", answer: "Not sent. (5 questions)", calls: []string{"interrupt", "send"}, results: []string{"", "refused"}},
		{question: "send", decided: strings.Replace(decided, "%", `{"tool":"send","arguments":{"to":"bob"}}`, 1), answer: "Sent to bob. (6 questions)", calls: []string{"interrupt", "send"}, results: []string{"", "sent"}},
		{question: "count", answer: "Counted from 0. (7 questions)"},
		{question: "count", answer: "Counted from 1. (8 questions)"},
		{question: "count", answer: "Counted from 2. (9 questions)"},
		{question: "Hello", answer: "You said Hello. (10 questions)"},
		{question: "chunks", answer: "in chunks"},
	} {
		r.Run = "th." + string(rune('a'+n))
		begun := len(r.Messages) + 1
		r.Messages = append(r.Messages, user(c.question))
		var thinking string
		for {
			o := ask(t, m, r)
			if o.err != nil {
				t.Fatalf("%s: %v", c.question, o.err)
			}
			thinking += o.thinking
			if o.finish == model.FinishStop {
				r.Messages = append(r.Messages, o.messages...)
				break
			}
			if c.question == "time" && o.usage != (model.Usage{Input: 5, Output: 7}) {
				t.Errorf("usage %+v", o.usage)
			}
			r.Messages = append(r.Messages, o.answered(func(x model.Call) string {
				if x.Tool == "clock" {
					return "noon"
				}
				return strings.Replace(c.decided, "%", x.Arguments, 1)
			})...)
		}
		said := round{messages: r.Messages[begun:]}
		if said.last() != c.answer || thinking != c.thinking || !slices.Equal(said.calls(), c.calls) {
			t.Errorf("%s: %q, %q, calls %v", c.question, said.last(), thinking, said.calls())
		}
		var results []string
		for _, x := range said.messages {
			if x.Role == model.ToolRole {
				results = append(results, x.Text)
			}
		}
		for i, want := range c.results {
			if want != "" && results[i] != want {
				t.Errorf("%s: results %q", c.question, results)
			}
		}
	}
	r.Messages = append(r.Messages, user("fail"))
	if o := ask(t, m, r); modeltest.KindOf(o.err) != model.Refused || !strings.Contains(o.err.Error(), "as you say") {
		t.Errorf("%+v", o)
	}
}

// TestStockAgentRefuses sees that the agent would notice a bad key, and a state that it does not get.
func TestStockAgentRefuses(t *testing.T) {
	url := modeltest.StockAgent(t, filepath.Join("testdata", "npm"))
	r := model.Request{Thread: "th", Run: "th.1", Messages: []model.Message{user("send")}}
	if o := ask(t, newModel(t, agui.Config{URL: url}), r); modeltest.KindOf(o.err) != model.Refused {
		t.Errorf("without a key: %+v", o)
	}
	m := newModel(t, agui.Config{URL: url, Header: map[string]string{"Authorization": "Bearer token"}})
	o := ask(t, m, r)
	if o.err != nil {
		t.Fatal(o.err)
	}
	messages := o.answered(func(model.Call) string { return "denied" })
	var state map[string]any
	if err := json.Unmarshal(messages[0].State, &state); err != nil || state["agui"] == nil {
		t.Fatalf("%s, %v", messages[0].State, err)
	}
	messages[0].State = nil
	r.Messages = append(r.Messages, messages...)
	if o := ask(t, m, r); modeltest.KindOf(o.err) != model.Refused || !strings.Contains(o.err.Error(), "not resumed") {
		t.Errorf("without what was kept: %+v", o)
	}
}
