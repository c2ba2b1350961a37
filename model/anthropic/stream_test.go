package anthropic_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard/internal/fakemodel/modeltest"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/model/anthropic"
	"github.com/netra-systems/switchboard/model/wire"
)

// canned answers every request with the same bytes.
type canned struct{ body, contentType string }

func (c canned) RoundTrip(*http.Request) (*http.Response, error) {
	if c.contentType == "" {
		c.contentType = "text/event-stream"
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {c.contentType}}, Body: io.NopCloser(strings.NewReader(c.body))}, nil
}

func cannedModel(t testing.TB, c canned) *anthropic.Model {
	return newModel(t, anthropic.Config{Policy: wire.Policy{Attempts: 1, HTTPClient: &http.Client{Transport: c}}})
}

func event(kind, members string) string {
	if members != "" {
		members = "," + members
	}
	return fmt.Sprintf("event: %s\ndata: {\"type\":%q%s}\n\n", kind, kind, members)
}

func start(i int, block string) string {
	return event("content_block_start", fmt.Sprintf(`"index":%d,"content_block":{%s}`, i, block))
}

func delta(i int, d string) string {
	return event("content_block_delta", fmt.Sprintf(`"index":%d,"delta":{%s}`, i, d))
}

func stop(i int) string { return event("content_block_stop", fmt.Sprintf(`"index":%d`, i)) }

func ended(reason string) string {
	return event("message_delta", `"delta":{"stop_reason":"`+reason+`","stop_sequence":null},"usage":{"output_tokens":9}`) + event("message_stop", "")
}

const begun = `event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"stop_reason":null,"usage":{"input_tokens":3,"cache_creation_input_tokens":4,"cache_read_input_tokens":5,"output_tokens":1}}}

event: ping
data: {"type": "ping"}

`

var text = start(0, `"type":"text","text":""`) + delta(0, `"type":"text_delta","text":"x"`) + stop(0)

// TestStreams are what the API sends and what it may come to send.
func TestStreams(t *testing.T) {
	call := []model.Call{{ID: "toolu_1", Tool: "a", Arguments: `{"x":1}`}}
	usage := &model.Usage{Input: 12, Output: 9}
	for name, c := range map[string]struct {
		body string
		want modeltest.Answer
		kind model.Kind
	}{
		"text":          {body: begun + text + ended("end_turn"), want: modeltest.Answer{Text: "x", Finish: "stop", Usage: usage}},
		"stop sequence": {body: begun + text + ended("stop_sequence"), want: modeltest.Answer{Text: "x", Finish: "stop", Usage: usage}},
		"max tokens":    {body: begun + text + ended("max_tokens"), want: modeltest.Answer{Text: "x", Finish: "length"}},
		"context full":  {body: begun + text + ended("model_context_window_exceeded"), want: modeltest.Answer{Text: "x", Finish: "length"}},
		"refusal":       {body: begun + text + ended("refusal"), want: modeltest.Answer{Text: "x", Finish: "filter"}},
		"call": {body: begun + start(0, `"type":"tool_use","id":"toolu_1","name":"a","input":{}`) + delta(0, `"type":"input_json_delta","partial_json":""`) +
			delta(0, `"type":"input_json_delta","partial_json":"{\"x\""`) + delta(0, `"type":"input_json_delta","partial_json":":1}"`) + stop(0) + ended("tool_use"), want: modeltest.Answer{Calls: call, Finish: "calls", Usage: usage}},
		"call at once":      {body: begun + start(0, `"type":"tool_use","id":"toolu_1","name":"a","input":{"x":1}`) + stop(0) + ended("end_turn"), want: modeltest.Answer{Calls: call, Finish: "calls"}},
		"no arguments":      {body: begun + start(0, `"type":"tool_use","id":"toolu_1","name":"a"`) + stop(0) + ended("tool_use"), want: modeltest.Answer{Calls: []model.Call{{ID: "toolu_1", Tool: "a", Arguments: "{}"}}, Finish: "calls"}},
		"unknown events":    {body: begun + event("of_the_future", `"index":"x"`[:0]) + text + start(1, `"type":"server_tool_use","id":"s","name":"web_search","input":{}`) + delta(1, `"type":"input_json_delta","partial_json":"{}"`) + stop(1) + delta0("citations_delta") + ended("end_turn"), want: modeltest.Answer{Text: "x", Finish: "stop"}},
		"hidden thinking":   {body: begun + start(0, `"type":"thinking","thinking":"","signature":""`) + delta(0, `"type":"signature_delta","signature":"abc"`) + stop(0) + start(1, `"type":"text","text":"x"`) + stop(1) + ended("end_turn"), want: modeltest.Answer{Text: "x", Finish: "stop"}},
		"no message_stop":   {body: strings.TrimSuffix(begun+text+ended("end_turn"), event("message_stop", "")), want: modeltest.Answer{Text: "x", Finish: "stop"}},
		"names in the data": {body: strings.ReplaceAll(begun+text+ended("end_turn"), "event: ", "ignored: "), want: modeltest.Answer{Text: "x", Finish: "stop"}},

		"paused":                  {body: begun + text + ended("pause_turn"), want: modeltest.Answer{Text: "x"}, kind: model.Truncated},
		"unknown reason":          {body: begun + text + ended("bored"), want: modeltest.Answer{Text: "x"}, kind: model.Truncated},
		"calls announced":         {body: begun + text + ended("tool_use"), want: modeltest.Answer{Text: "x"}, kind: model.Truncated},
		"a block that stays open": {body: begun + strings.TrimSuffix(text, stop(0)) + ended("end_turn"), want: modeltest.Answer{Text: "x"}, kind: model.Truncated},
		"stop without reason":     {body: begun + text + event("message_stop", ""), want: modeltest.Answer{Text: "x"}, kind: model.Truncated},
		"end":                     {body: begun + text, want: modeltest.Answer{Text: "x"}, kind: model.Truncated},
		"overloaded":              {body: begun + text + event("error", `"error":{"type":"overloaded_error","message":"Overloaded"}`), want: modeltest.Answer{Text: "x"}, kind: model.Unavailable},
		"overloaded at once":      {body: event("error", `"error":{"type":"overloaded_error","message":"Overloaded"}`), kind: model.Unavailable},
		"refused at once":         {body: event("error", `"error":{"type":"invalid_request_error","message":"prompt is too long"}`), kind: model.Refused},
		"too large":               {body: event("error", `"error":{"type":"request_too_large","message":"x"}`), kind: model.Refused},
		"a piece of no block":     {body: begun + text + delta(7, `"type":"text_delta","text":"y"`), want: modeltest.Answer{Text: "x"}, kind: model.Truncated},
		"an end of no block":      {body: begun + text + stop(0), want: modeltest.Answer{Text: "x"}, kind: model.Truncated},
		"a block twice":           {body: begun + text + start(1, `"type":"text","text":"y"`) + start(1, `"type":"text","text":""`), want: modeltest.Answer{Text: "xy"}, kind: model.Truncated},
		"a call of no tool":       {body: begun + text + start(1, `"type":"tool_use","id":"1"`), want: modeltest.Answer{Text: "x"}, kind: model.Truncated},
		"too many blocks":         {body: begun + text + strings.Repeat(start(1, `"type":"text","text":""`)+stop(1), 1100) + ended("end_turn"), want: modeltest.Answer{Text: "x"}, kind: model.Truncated},
		"HTML":                    {body: "<html>\n\n<body>Gateway</body>\n", kind: model.Unavailable},
		"nothing":                 {kind: model.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			g := modeltest.Collect(t, t.Context(), cannedModel(t, canned{body: c.body}), modeltest.Request("x"))
			if modeltest.KindOf(g.Err) != c.kind || g.Text != c.want.Text || g.Finish != c.want.Finish || len(g.Calls) != len(c.want.Calls) && c.kind == "" {
				t.Fatalf("%+v, want %+v and %q", g, c.want, c.kind)
			}
			for i, x := range c.want.Calls {
				if g.Calls[i] != x {
					t.Errorf("call %d: %+v", i, g.Calls[i])
				}
			}
			if u := c.want.Usage; u != nil && (g.Usage == nil || *g.Usage != *u) {
				t.Errorf("usage %v", g.Usage)
			}
			if g.Text != "" && (g.Usage == nil || g.Usage.Input == 0) && strings.HasPrefix(c.body, begun) {
				t.Errorf("the input's tokens are not known: %v", g.Usage)
			}
		})
	}
}

func delta0(kind string) string {
	return start(2, `"type":"text","text":""`) + delta(2, `"type":"`+kind+`","citation":{}`) + stop(2)
}

// TestOrderOfBlocks keeps redacted and interleaved thinking where it was, and what is too large away.
func TestOrderOfBlocks(t *testing.T) {
	body := begun + start(0, `"type":"redacted_thinking","data":"AAAA"`) + stop(0) +
		start(1, `"type":"text","text":"one "`) + stop(1) +
		start(2, `"type":"thinking","thinking":"hm","signature":"s"`) + stop(2) +
		start(3, `"type":"tool_use","id":"1","name":"a","input":{}`) + stop(3) +
		start(4, `"type":"text","text":"two"`) + stop(4) +
		start(5, `"type":"tool_use","id":"2","name":"b","input":{}`) + stop(5) + ended("tool_use")
	g := modeltest.Collect(t, t.Context(), cannedModel(t, canned{body: body}), modeltest.Request("x"))
	want := `{"anthropic":{"model":"fake","blocks":[{"thinking":{"type":"redacted_thinking","data":"AAAA"}},{"text":4},` +
		`{"thinking":{"type":"thinking","thinking":"hm","signature":"s"}},{"call":true},{"text":3},{"call":true}]}}`
	if string(g.State) != want {
		t.Errorf("%s, want %s", g.State, want)
	}
	large := begun + start(0, `"type":"thinking","thinking":"`+strings.Repeat("x", 70_000)+`","signature":"s"`) + stop(0) +
		start(3, `"type":"tool_use","id":"1","name":"a","input":{}`) + stop(3) + ended("tool_use")
	if g := modeltest.Collect(t, t.Context(), cannedModel(t, canned{body: large}), modeltest.Request("x")); g.Err != nil || g.State != nil {
		t.Errorf("%d bytes of state, %v", len(g.State), g.Err)
	}
}

// TestCutAnywhere cuts a whole answer after every byte: only what holds its stop reason may finish.
func TestCutAnywhere(t *testing.T) {
	whole := begun + start(0, `"type":"thinking","thinking":""`) + delta(0, `"type":"thinking_delta","thinking":"hm"`) + stop(0) +
		start(1, `"type":"text","text":""`) + delta(1, `"type":"text_delta","text":"Hello, "`) + delta(1, `"type":"text_delta","text":"wörld"`) + stop(1) +
		start(2, `"type":"tool_use","id":"1","name":"a","input":{}`) + delta(2, `"type":"input_json_delta","partial_json":"{\"x\":1}"`) + stop(2)
	body := whole + ended("tool_use")
	last := len(body) - len(event("message_stop", ""))
	for n := range len(body) + 1 {
		g := modeltest.Collect(t, t.Context(), cannedModel(t, canned{body: body[:n]}), modeltest.Request("x"))
		if n >= last {
			if g.Err != nil || g.Finish != model.FinishCalls || g.Text != "Hello, wörld" || g.Calls[0].Arguments != `{"x":1}` {
				t.Fatalf("%d bytes: %+v", n, g)
			}
		} else if g.Finish != "" || modeltest.KindOf(g.Err) == "" || !strings.HasPrefix("Hello, wörld", g.Text) {
			t.Fatalf("%d bytes of %d: %+v", n, len(body), g)
		}
	}
}

func FuzzStream(f *testing.F) {
	f.Add([]byte(begun + text + ended("end_turn")))
	f.Add([]byte(begun + start(0, `"type":"tool_use","id":"1","name":"a","input":{}`) + stop(0) + ended("tool_use")))
	f.Add([]byte(event("error", `"error":{"type":"overloaded_error"}`)))
	f.Add([]byte(`data: {"type":"message","content":[{"type":"text","text":"x"}],"stop_reason":"end_turn"}` + "\n\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		g := modeltest.Collect(t, t.Context(), cannedModel(t, canned{body: string(body)}), modeltest.Request("x"))
		if g.Finish != "" && !bytes.Contains(body, []byte("stop_reason")) && !bytes.Contains(body, []byte(`\u`)) {
			t.Errorf("finished without a stop reason: %q", body)
		}
	})
}
