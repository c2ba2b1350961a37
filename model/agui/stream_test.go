package agui_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard/internal/fakemodel/modeltest"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/model/agui"
	"github.com/netra-systems/switchboard/model/wire"
)

// agent answers its requests with given bytes, one after the other, and keeps what it was asked.
type agent struct {
	answers []string
	asked   []string
}

func (a *agent) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	a.asked = append(a.asked, string(b))
	body := a.answers[min(len(a.asked), len(a.answers))-1]
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func (a *agent) model(t testing.TB) *agui.Model {
	return newModel(t, agui.Config{URL: "http://agent.example/run", Policy: wire.Policy{Attempts: 1, HTTPClient: &http.Client{Transport: a}}})
}

func event(kind, members string) string {
	if members != "" {
		members = "," + members
	}
	return fmt.Sprintf("data: {\"type\":%q%s}\n\n", kind, members)
}

func said(id, text string) string {
	return event("TEXT_MESSAGE_START", `"role":"assistant","messageId":"`+id+`"`) +
		event("TEXT_MESSAGE_CONTENT", `"messageId":"`+id+`","delta":"`+text+`"`) + event("TEXT_MESSAGE_END", `"messageId":"`+id+`"`)
}

func called(id, tool, parent, arguments string) string {
	return event("TOOL_CALL_START", `"toolCallId":"`+id+`","toolCallName":"`+tool+`","parentMessageId":"`+parent+`"`) +
		event("TOOL_CALL_ARGS", `"toolCallId":"`+id+`","delta":`+fmt.Sprintf("%q", arguments)) + event("TOOL_CALL_END", `"toolCallId":"`+id+`"`)
}

func ran(id, message, result string) string {
	return event("TOOL_CALL_RESULT", `"toolCallId":"`+id+`","messageId":"`+message+`","content":`+fmt.Sprintf("%q", result))
}

func finished(members string) string {
	if members != "" {
		members = "," + members
	}
	return event("RUN_FINISHED", `"threadId":"t","runId":"r"`+members)
}

var (
	started  = event("RUN_STARTED", `"threadId":"t","runId":"r"`)
	success  = finished(`"outcome":{"type":"success"}`)
	snapshot = func(messages string) string { return event("MESSAGES_SNAPSHOT", `"messages":[`+messages+`]`) }
)

// TestRuns are the ways in which agents differ.
func TestRuns(t *testing.T) {
	for name, c := range map[string]struct {
		body     string
		text     string
		thinking string
		calls    []string
		finish   model.Finish
		kind     model.Kind
	}{
		"text":            {body: started + said("m1", "x") + success, text: "x", finish: "stop"},
		"no outcome":      {body: started + said("m1", "x") + finished(""), text: "x", finish: "stop"},
		"after the end":   {body: started + said("m1", "x") + success + started + said("m2", "y") + event("RUN_ERROR", `"message":"z"`), text: "x", finish: "stop"},
		"chunks":          {body: started + event("TEXT_MESSAGE_CHUNK", `"messageId":"m1","delta":"x"`) + event("TEXT_MESSAGE_CHUNK", `"delta":"y"`) + success, text: "xy", finish: "stop"},
		"two messages":    {body: started + said("m1", "x") + said("m2", "y") + success, text: "x\n\ny", finish: "stop"},
		"reasoning":       {body: started + event("REASONING_START", `"messageId":"m0"`) + event("REASONING_MESSAGE_CONTENT", `"messageId":"m0","delta":"a"`) + event("THINKING_TEXT_MESSAGE_CONTENT", `"delta":"b"`) + event("REASONING_MESSAGE_CHUNK", `"delta":"c"`) + said("m1", "x") + success, text: "x", thinking: "abc", finish: "stop"},
		"unknown events":  {body: started + event("OF_THE_FUTURE", `"delta":[1]`) + event("CUSTOM", `"name":"a","value":{}`) + event("STEP_STARTED", `"stepName":"a"`) + said("m1", "x") + success, text: "x", finish: "stop"},
		"subagents":       {body: started + strings.ReplaceAll(said("s1", "hm"), `"messageId"`, `"subagentRunId":"s","messageId"`) + said("m1", "x") + success, text: "x", thinking: "hm", finish: "stop"},
		"a subagent only": {body: started + strings.ReplaceAll(said("s1", "hm"), `"messageId"`, `"subagentRunId":"s","messageId"`) + success, text: "hm", thinking: "hm", finish: "stop"},
		"joined":          {body: started + snapshot(`{"id":"m1","role":"assistant","content":"Hello, "}`) + said("m1", "x") + success, text: "Hello, x", finish: "stop"},
		"joined later":    {body: started + event("TEXT_MESSAGE_START", `"messageId":"m1"`) + event("TEXT_MESSAGE_CONTENT", `"messageId":"m1","delta":"He"`) + snapshot(`{"id":"m1","role":"assistant","content":"Hello"}`) + event("TEXT_MESSAGE_END", `"messageId":"m1"`) + success, text: "Hello", finish: "stop"},
		"not streamed":    {body: started + snapshot(`{"id":"u","role":"user","content":"x"},{"id":"m1","role":"assistant","content":[{"type":"text","text":"x"}]}`) + success, text: "x", finish: "stop"},
		"in the result":   {body: started + finished(`"result":"x"`), text: "x", finish: "stop"},
		"said and shown":  {body: started + said("m1", "x") + snapshot(`{"id":"m1","role":"assistant","content":"x"},{"id":"m9","role":"assistant","content":"y"}`) + success, text: "x", finish: "stop"},
		"its own tool":    {body: started + called("c1", "search", "m1", `{"a":1}`) + ran("c1", "r1", "found") + said("m2", "x") + success, text: "x", calls: []string{"search"}, finish: "stop"},
		"no result told":  {body: started + called("c1", "search", "m1", `{}`) + said("m2", "x") + success, text: "x", calls: []string{"search"}, finish: "stop"},
		"our tool":        {body: started + said("m1", "x") + called("c1", "clock", "m1", ``) + success, text: "x", calls: []string{"clock"}, finish: "calls"},
		"pending by name": {body: started + called("c1", "elsewhere", "m1", ``) + finished(`"outcome":{"type":"success","pendingToolCallIds":["c1"]}`), calls: []string{"elsewhere"}, finish: "calls"},
		"a call in chunks": {body: started + event("TOOL_CALL_CHUNK", `"toolCallId":"c1","toolCallName":"clock","delta":"{"`) + event("TOOL_CALL_CHUNK", `"delta":"}"`) + success,
			calls: []string{"clock"}, finish: "calls"},
		"an echo":      {body: started + ran("c0", "r0", "of long ago") + said("m1", "x") + success, text: "x", finish: "stop"},
		"an interrupt": {body: started + said("m1", "x") + finished(`"outcome":{"type":"interrupt","interrupts":[{"id":"i1","reason":"confirmation"}]}`), text: "x", calls: []string{"interrupt"}, finish: "calls"},
		"state":        {body: started + event("STATE_SNAPSHOT", `"snapshot":{"a":[1]}`) + event("STATE_DELTA", `"delta":[{"op":"add","path":"/a/-","value":2}]`) + said("m1", "x") + success, text: "x", finish: "stop"},

		"cancelled":            {body: started + said("m1", "x") + finished(`"outcome":{"type":"cancelled"}`), text: "x", kind: model.Unavailable},
		"unknown outcome":      {body: started + said("m1", "x") + finished(`"outcome":{"type":"bored"}`), text: "x", kind: model.Truncated},
		"no interrupts":        {body: started + finished(`"outcome":{"type":"interrupt","interrupts":[]}`), kind: model.Truncated},
		"interrupt without id": {body: started + finished(`"outcome":{"type":"interrupt","interrupts":[{"reason":"x"}]}`), kind: model.Truncated},
		"no end":               {body: started + said("m1", "x"), text: "x", kind: model.Truncated},
		"no end, only DONE":    {body: started + said("m1", "x") + "data: [DONE]\n\n", text: "x", kind: model.Truncated},
		"an open message":      {body: started + event("TEXT_MESSAGE_START", `"messageId":"m1"`) + event("TEXT_MESSAGE_CONTENT", `"messageId":"m1","delta":"x"`) + success, text: "x", kind: model.Truncated},
		"an open call":         {body: started + event("TOOL_CALL_START", `"toolCallId":"c1","toolCallName":"clock"`) + success, kind: model.Truncated},
		"error":                {body: started + said("m1", "x") + event("RUN_ERROR", `"message":"boom"`), text: "x", kind: model.Unavailable},
		"error with a code":    {body: started + event("RUN_ERROR", `"message":"boom","code":"invalid_input"`), kind: model.Refused},
		"error at once":        {body: event("RUN_ERROR", `"message":"boom","code":"RATE_LIMITED"`), kind: model.Unavailable},
		"piece of no message":  {body: started + event("TEXT_MESSAGE_CONTENT", `"messageId":"m1","delta":"x"`), kind: model.Truncated},
		"chunk of no message":  {body: started + event("TEXT_MESSAGE_CHUNK", `"delta":"x"`), kind: model.Truncated},
		"message in a message": {body: started + event("TEXT_MESSAGE_START", `"messageId":"m1"`) + event("TEXT_MESSAGE_START", `"messageId":"m2"`), kind: model.Truncated},
		"end of no message":    {body: started + event("TEXT_MESSAGE_END", `"messageId":"m1"`), kind: model.Truncated},
		"call twice":           {body: started + called("c1", "clock", "", "") + called("c1", "clock", "", ""), kind: model.Truncated},
		"piece of no call":     {body: started + event("TOOL_CALL_ARGS", `"toolCallId":"c1","delta":"x"`), kind: model.Truncated},
		"chunk of no call":     {body: started + event("TOOL_CALL_CHUNK", `"delta":"x"`), kind: model.Truncated},
		"end of no call":       {body: started + event("TOOL_CALL_END", `"toolCallId":"c1"`), kind: model.Truncated},
		"result too early":     {body: started + event("TOOL_CALL_START", `"toolCallId":"c1","toolCallName":"a"`) + ran("c1", "r", "x"), kind: model.Truncated},
		"delta that is none":   {body: started + event("TEXT_MESSAGE_CHUNK", `"messageId":"m1","delta":{}`), kind: model.Truncated},
		"patch that is none":   {body: started + event("STATE_DELTA", `"delta":{"a":1}`), kind: model.Truncated},
		"patch without place":  {body: started + event("STATE_DELTA", `"delta":[{"op":"replace","path":"/a/b","value":1}]`), kind: model.Truncated},
		"patch that grows": {body: started + event("STATE_SNAPSHOT", `"snapshot":{"a":"`+strings.Repeat("x", 1000)+`"}`) +
			strings.Repeat(event("STATE_DELTA", `"delta":[{"op":"copy","from":"","path":"/b"}]`), 30), kind: model.Truncated},
		"too many calls": {body: started + strings.Repeat(called("c%d", "a", "", ""), 300), kind: model.Truncated},
		"HTML":           {body: "<html>\n\n<body>Gateway</body>\n", kind: model.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			for strings.Contains(c.body, "%d") {
				c.body = strings.Replace(c.body, "c%d", fmt.Sprint("c", n/3), 1)
				n++
			}
			a := &agent{answers: []string{c.body}}
			g := modeltest.Collect(t, t.Context(), a.model(t), modeltest.Request("x"))
			if modeltest.KindOf(g.Err) != c.kind || g.Text != c.text || g.Thinking != c.thinking || g.Finish != c.finish {
				t.Fatalf("%+v, want %+v", g, c)
			}
			var calls []string
			for _, x := range g.Calls {
				calls = append(calls, x.Tool)
			}
			if !slices.Equal(calls, c.calls) && c.kind == "" {
				t.Errorf("calls %v", calls)
			}
		})
	}
}

// TestPatchBomb sees one change of state stopped that would double it twenty times.
func TestPatchBomb(t *testing.T) {
	var ops []string
	for i := range 20 {
		ops = append(ops, fmt.Sprintf(`{"op":"copy","from":"/a","path":"/a/b%d"}`, i))
	}
	a := &agent{answers: []string{started + event("STATE_SNAPSHOT", `"snapshot":{"a":{"x":"`+strings.Repeat("x", 1000)+`"}}`) +
		event("STATE_DELTA", `"delta":[`+strings.Join(ops[:3], ",")+`]`) + said("m1", "small") +
		event("STATE_DELTA", `"delta":[`+strings.Join(ops, ",")+`]`) + success}}
	g := modeltest.Collect(t, t.Context(), a.model(t), modeltest.Request("x"))
	if g.Text != "small" || modeltest.KindOf(g.Err) != model.Truncated || !strings.Contains(g.Err.Error(), "does not fit it") {
		t.Errorf("%q, %v", g.Text, g.Err)
	}
}

// TestErrorsDoNotSayWhatTheAgentSays sees that what an agent says of its failure goes to logs alone, without our keys.
func TestErrorsDoNotSayWhatTheAgentSays(t *testing.T) {
	a := &agent{answers: []string{started + event("RUN_ERROR", `"message":"your token `+modeltest.Key+` is bad, Mr. Smith","code":"x","usage":[{"inputTokens":3,"outputTokens":4}]`)}}
	m := newModel(t, agui.Config{URL: "http://agent.example/run", Header: map[string]string{"Authorization": "Bearer " + modeltest.Key},
		Policy: wire.Policy{HTTPClient: &http.Client{Transport: a}}})
	g := modeltest.Collect(t, t.Context(), m, modeltest.Request("x"))
	e, ok := g.Err.(*model.Error)
	if !ok || strings.Contains(e.Message, "Smith") || !strings.Contains(e.Error(), "Smith") || len(a.asked) != 1 {
		t.Errorf("%v after %d requests", g.Err, len(a.asked))
	}
	if g.Usage == nil || *g.Usage != (model.Usage{Input: 3, Output: 4}) {
		t.Errorf("usage %v", g.Usage)
	}
	modeltest.NoLeak(t, g.Err)
}

// TestCutAnywhere cuts a run after every byte: only what holds its end may finish.
func TestCutAnywhere(t *testing.T) {
	body := started + event("REASONING_MESSAGE_CONTENT", `"delta":"hm"`) + said("m1", "Hello, ") + called("c1", "search", "m1", `{"x":1}`) +
		ran("c1", "r1", "found") + said("m2", "wörld") + called("c2", "clock", "m2", `{}`) + success
	for n := range len(body) + 1 {
		a := &agent{answers: []string{body[:n]}}
		g := modeltest.Collect(t, t.Context(), a.model(t), modeltest.Request("x"))
		if n >= len(body)-1 { // the last line's end is there, or the blank line after it
			continue
		}
		if g.Finish != "" || modeltest.KindOf(g.Err) == "" || !strings.HasPrefix("Hello, wörld", g.Text) {
			t.Fatalf("%d bytes of %d: %+v", n, len(body), g)
		}
	}
	a := &agent{answers: []string{body}}
	if g := modeltest.Collect(t, t.Context(), a.model(t), modeltest.Request("x")); g.Finish != model.FinishCalls || len(g.Calls) != 2 || len(g.Results) != 1 {
		t.Errorf("%+v", g)
	}
}

func FuzzStream(f *testing.F) {
	f.Add([]byte(started + said("m1", "x") + called("c1", "search", "m1", `{"x":1}`) + ran("c1", "r1", "found") + success))
	f.Add([]byte(started + event("STATE_SNAPSHOT", `"snapshot":{"a":[1]}`) + event("STATE_DELTA", `"delta":[{"op":"move","from":"/a/0","path":"/b"}]`) + success))
	f.Add([]byte(started + snapshot(`{"id":"m1","role":"assistant","content":"x"}`) + finished(`"outcome":{"type":"interrupt","interrupts":[{"id":"i","toolCallId":"c1","responseSchema":{"type":"boolean"}}]}`)))
	f.Add([]byte(event("TEXT_MESSAGE_CHUNK", `"messageId":"m1","delta":"x"`) + event("TOOL_CALL_CHUNK", `"toolCallId":"c","toolCallName":"t"`) + success))
	f.Fuzz(func(t *testing.T, body []byte) {
		a := &agent{answers: []string{string(body), success}}
		m := a.model(t)
		r := modeltest.Request("x")
		o := ask(t, m, r)
		if o.finish != "" && !bytes.Contains(body, []byte("RUN_FINISHED")) && !bytes.Contains(body, []byte(`\u`)) {
			t.Errorf("finished without an end: %q", body)
		}
		if o.err != nil || len(o.messages) == 0 {
			return
		}
		// Whatever was kept, the next request can be made.
		r.Messages = append(r.Messages, o.answered(func(model.Call) string { return `{"approved":true}` })...)
		if o := ask(t, m, r); len(a.asked) != 2 {
			t.Errorf("no second request: %v", o.err)
		}
	})
}
