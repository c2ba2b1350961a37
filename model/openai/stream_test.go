package openai_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard/internal/fakemodel/modeltest"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/model/openai"
	"github.com/netra-systems/switchboard/model/wire"
)

// canned answers every request with the same bytes.
type canned struct {
	body, contentType string
	piece             int // bytes of one read; 0: all
}

func (c canned) RoundTrip(*http.Request) (*http.Response, error) {
	if c.contentType == "" {
		c.contentType = "text/event-stream"
	}
	var r io.Reader = strings.NewReader(c.body)
	if c.piece > 0 {
		r = &pieces{r, c.piece}
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {c.contentType}}, Body: io.NopCloser(r)}, nil
}

type pieces struct {
	r io.Reader
	n int
}

func (p *pieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(p.n, len(b))]) }

func cannedModel(t *testing.T, c canned) *openai.Model {
	return newModel(t, openai.Config{BaseURL: "http://canned.example/v1", Policy: wire.Policy{Attempts: 1, HTTPClient: &http.Client{Transport: c}}})
}

func delta(s string) string { return `data: {"choices":[{"index":0,"delta":{` + s + `}}]}` + "\n\n" }

func finished(s string) string {
	return `data: {"choices":[{"index":0,"delta":{},"finish_reason":"` + s + `"}]}` + "\n\n" + "data: [DONE]\n\n"
}

func piece(s string) string { return delta(`"tool_calls":[{` + s + `}]`) }

// TestDialects are the ways in which servers differ.
func TestDialects(t *testing.T) {
	ab := []model.Call{{ID: "1", Tool: "a", Arguments: `{"x":1}`}, {ID: "2", Tool: "b", Arguments: `{"y":2}`}}
	for name, c := range map[string]struct {
		body string
		want modeltest.Answer
		kind model.Kind
	}{
		"CRLF and comments":        {body: ": hi\r\n\r\nretry: 5\r\n" + strings.ReplaceAll(delta(`"content":"x"`), "\n", "\r\n") + ": ping\n\n" + finished("stop"), want: modeltest.Answer{Text: "x", Finish: "stop"}},
		"no space after the colon": {body: strings.ReplaceAll(delta(`"content":"x"`)+finished("stop"), "data: ", "data:"), want: modeltest.Answer{Text: "x", Finish: "stop"}},
		"data of two lines":        {body: "data: {\"choices\":[{\"delta\":\ndata: {\"content\":\"x\"}}]}\n\n" + finished("stop"), want: modeltest.Answer{Text: "x", Finish: "stop"}},
		"both names of reasoning":  {body: delta(`"reasoning_content":"x","reasoning":"x"`) + finished("stop"), want: modeltest.Answer{Thinking: "x", Finish: "stop"}},
		"null for everything":      {body: delta(`"content":null,"reasoning":null,"tool_calls":null,"refusal":null,"role":null`) + delta(`"content":"x"`) + finished("stop"), want: modeltest.Answer{Text: "x", Finish: "stop"}},
		"content in parts":         {body: delta(`"content":[{"type":"text","text":"x"},{"type":"text","text":"y"}]`) + finished("stop"), want: modeltest.Answer{Text: "xy", Finish: "stop"}},
		"a refusal":                {body: delta(`"refusal":"no"`) + finished("stop"), want: modeltest.Answer{Text: "no", Finish: "stop"}},
		"another choice":           {body: `data: {"choices":[{"index":1,"delta":{"content":"no"},"finish_reason":"stop"},{"index":0,"delta":{"content":"x"}}]}` + "\n\n" + finished("stop"), want: modeltest.Answer{Text: "x", Finish: "stop"}},
		"finish with the text":     {body: `data: {"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}` + "\n\n", want: modeltest.Answer{Text: "x", Finish: "stop"}},
		"usage after the finish":   {body: `data: {"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}` + "\n\n" + `data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}` + "\n\ndata: [DONE]", want: modeltest.Answer{Text: "x", Finish: "stop", Usage: &model.Usage{Input: 3, Output: 4}}},
		"half a surrogate pair":    {body: delta(`"content":"\ud83d"`) + finished("stop"), want: modeltest.Answer{Text: "\ufffd", Finish: "stop"}},
		"length":                   {body: delta(`"content":"x"`) + finished("length"), want: modeltest.Answer{Text: "x", Finish: "length"}},
		"content filter":           {body: finished("content_filter"), want: modeltest.Answer{Finish: "filter"}},

		"parallel, interleaved": {body: piece(`"index":0,"id":"1","function":{"name":"a","arguments":""}`) + piece(`"index":1,"id":"2","function":{"name":"b","arguments":"{\"y\""}`) +
			piece(`"index":0,"function":{"arguments":"{\"x\":1}"}`) + piece(`"index":1,"function":{"arguments":":2}"}`) + finished("tool_calls"), want: modeltest.Answer{Calls: ab, Finish: "calls"}},
		"whole calls at once": {body: delta(`"tool_calls":[{"id":"1","function":{"name":"a","arguments":"{\"x\":1}"}},{"id":"2","function":{"name":"b","arguments":"{\"y\":2}"}}]`) + finished("tool_calls"), want: modeltest.Answer{Calls: ab, Finish: "calls"}},
		"all numbered 0": {body: piece(`"index":0,"id":"1","function":{"name":"a","arguments":"{\"x\":1}"}`) + piece(`"index":0,"id":"2","function":{"name":"b","arguments":"{\"y\""}`) +
			piece(`"index":0,"function":{"arguments":":2}"}`) + finished("stop"), want: modeltest.Answer{Calls: ab, Finish: "calls"}},
		"id and name repeated": {body: piece(`"index":0,"id":"1","function":{"name":"a","arguments":"{\"x\""}`) + piece(`"index":0,"id":"1","function":{"name":"a","arguments":":1}"}`) + finished("tool_calls"), want: modeltest.Answer{Calls: ab[:1], Finish: "calls"}},
		"no index, by id": {body: piece(`"id":"1","function":{"name":"a","arguments":"{\"x\""}`) + piece(`"id":"2","function":{"name":"b","arguments":"{\"y\":2}"}`) +
			piece(`"id":"1","function":{"arguments":":1}"}`) + finished("tool_calls"), want: modeltest.Answer{Calls: ab, Finish: "calls"}},
		"arguments as an object":    {body: piece(`"index":0,"id":"1","function":{"name":"a","arguments":{"x":1}}`) + finished("tool_calls"), want: modeltest.Answer{Calls: ab[:1], Finish: "calls"}},
		"arguments before the name": {body: piece(`"index":0,"id":"1","function":{"arguments":"{\"x\""}`) + piece(`"index":0,"function":{"name":"a","arguments":":1}"}`) + finished("tool_calls"), want: modeltest.Answer{Calls: ab[:1], Finish: "calls"}},
		"no arguments":              {body: piece(`"index":0,"id":"1","function":{"name":"a"}`) + finished("tool_calls"), want: modeltest.Answer{Calls: []model.Call{{ID: "1", Tool: "a", Arguments: "{}"}}, Finish: "calls"}},
		"numbered from 1":           {body: piece(`"index":1,"id":"1","function":{"name":"a","arguments":{"x":1}}`) + piece(`"index":2,"id":"2","function":{"name":"b","arguments":{"y":2}}`) + finished("tool_calls"), want: modeltest.Answer{Calls: ab, Finish: "calls"}},

		"calls announced, none sent": {body: delta(`"content":"x"`) + finished("tool_calls"), want: modeltest.Answer{Text: "x"}, kind: model.Truncated},
		"a call of no tool":          {body: delta(`"content":"x"`) + piece(`"index":0,"id":"1","function":{"arguments":"{}"}`) + finished("tool_calls"), want: modeltest.Answer{Text: "x"}, kind: model.Truncated},
		"unknown finish":             {body: delta(`"content":"x"`) + finished("network_error"), want: modeltest.Answer{Text: "x"}, kind: model.Truncated},
		"done without finish":        {body: delta(`"content":"x"`) + "data: [DONE]\n\n", want: modeltest.Answer{Text: "x"}, kind: model.Truncated},
		"end without finish":         {body: delta(`"content":"x"`), want: modeltest.Answer{Text: "x"}, kind: model.Truncated},
		"HTML":                       {body: "<html>\n\n<body>Gateway</body>\n", kind: model.Unavailable},
		"nothing":                    {kind: model.Unavailable},
		"content of another kind":    {body: delta(`"content":"x"`) + delta(`"content":[{"type":"image"}]`) + finished("stop"), want: modeltest.Answer{Text: "x"}, kind: model.Truncated},
		"error at first":             {body: `data: {"error":{"message":"bad","code":400}}` + "\n\n", kind: model.Refused},
		"error as text":              {body: delta(`"content":"x"`) + `data: {"error":"it broke"}` + "\n\n" + finished("stop"), want: modeltest.Answer{Text: "x"}, kind: model.Truncated},
		"error event":                {body: delta(`"content":"x"`) + "event: error\ndata: {\"message\":\"busy\",\"type\":\"overloaded_error\"}\n\n" + finished("stop"), want: modeltest.Answer{Text: "x"}, kind: model.Unavailable},
		"error after the finish":     {body: `data: {"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}` + "\n\n" + `data: {"error":{"message":"x"}}` + "\n\n", want: modeltest.Answer{Text: "x"}, kind: model.Truncated},
		"quota":                      {body: `data: {"error":{"message":"x","code":"insufficient_quota"}}` + "\n\n", kind: model.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{0, 1, 7} {
				g := modeltest.Collect(t, t.Context(), cannedModel(t, canned{body: c.body, piece: n}), modeltest.Request("x"))
				if modeltest.KindOf(g.Err) != c.kind || g.Text != c.want.Text || g.Thinking != c.want.Thinking || g.Finish != c.want.Finish {
					t.Fatalf("reads of %d: %+v, want %+v and %q", n, g, c.want, c.kind)
				}
				if u := c.want.Usage; u != nil && (g.Usage == nil || *g.Usage != *u) {
					t.Errorf("usage %v", g.Usage)
				}
				if len(g.Calls) != len(c.want.Calls) && c.kind == "" {
					t.Fatalf("calls %+v", g.Calls)
				}
				for i, x := range c.want.Calls {
					if g.Calls[i] != x {
						t.Errorf("call %d: %+v, want %+v", i, g.Calls[i], x)
					}
				}
			}
		})
	}
}

// TestCutAnywhere cuts a whole answer after every byte: only what holds its finish reason may finish.
func TestCutAnywhere(t *testing.T) {
	whole := delta(`"role":"assistant","content":""`) + delta(`"reasoning":"hm"`) + delta(`"content":"Hello, "`) + delta(`"content":"wörld"`) +
		piece(`"index":0,"id":"1","function":{"name":"a","arguments":"{\"x\""}`) + piece(`"index":0,"function":{"arguments":":1}"}`)
	last := whole + strings.TrimSuffix(finished("tool_calls"), "data: [DONE]\n\n")
	body := whole + finished("tool_calls")
	for n := range len(body) + 1 {
		g := modeltest.Collect(t, t.Context(), cannedModel(t, canned{body: body[:n]}), modeltest.Request("x"))
		if n >= len(last) {
			if g.Err != nil || g.Finish != model.FinishCalls || g.Text != "Hello, wörld" || g.Calls[0].Arguments != `{"x":1}` {
				t.Fatalf("%d bytes: %+v", n, g)
			}
		} else if g.Finish != "" || modeltest.KindOf(g.Err) == "" || !strings.HasPrefix("Hello, wörld", g.Text) {
			t.Fatalf("%d bytes of %d: %+v", n, len(body), g)
		}
	}
	c := canned{contentType: "application/json; charset=utf-8"}
	body = `{"choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}`
	for n := range len(body) + 1 {
		c.body = body[:n]
		if g := modeltest.Collect(t, t.Context(), cannedModel(t, c), modeltest.Request("x")); (g.Err == nil) != (n == len(body)) {
			t.Fatalf("%d bytes of %d: %+v", n, len(body), g)
		}
	}
}

func FuzzStream(f *testing.F) {
	f.Add([]byte(delta(`"content":"x"`) + piece(`"index":0,"id":"1","function":{"name":"a","arguments":"{}"}`) + finished("tool_calls")))
	f.Add([]byte("event: error\ndata: {}\n\n"))
	f.Add([]byte(delta(`"reasoning":"hm"`) + "data: {\n\n: comment\r\ndata\n\n" + finished("stop")))
	f.Add([]byte(`{"choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		g := modeltest.Collect(t, t.Context(), cannedModel(t, canned{body: string(body)}), modeltest.Request("x"))
		if g.Finish != "" && !bytes.Contains(body, []byte("finish_reason")) && !bytes.Contains(body, []byte(`\u`)) {
			t.Errorf("finished without a finish reason: %q", body)
		}
	})
}

// BenchmarkStream reports the cost of one chunk of text.
func BenchmarkStream(b *testing.B) {
	const chunks = 1000
	line := `data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o-mini","system_fingerprint":"fp_44709d6fcb","choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}]}` + "\n\n"
	m := newModel(b, openai.Config{BaseURL: "http://canned.example/v1",
		Policy: wire.Policy{HTTPClient: &http.Client{Transport: canned{body: strings.Repeat(line, chunks) + finished("stop")}}}})
	r := modeltest.Request("x")
	b.ReportAllocs()
	b.SetBytes(int64(len(line)))
	for n := 0; n < b.N; n += chunks {
		for _, err := range m.Stream(b.Context(), r) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
