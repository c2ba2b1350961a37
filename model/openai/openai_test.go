package openai_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/netra-systems/switchboard/internal/fakemodel"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/model/openai"
)

const key = "sk-secret/0123456789+abcdef"

// got is all of an answer.
type got struct {
	thinking, text string
	calls          []model.Call
	finish         model.Finish
	usage          *model.Usage
	err            error
}

// collect reads an answer and checks what the port promises of every one.
func collect(t *testing.T, ctx context.Context, m model.Model, r model.Request) got {
	t.Helper()
	var g got
	for c, err := range m.Stream(ctx, r) {
		if g.err != nil || g.finish != "" {
			t.Fatalf("a chunk after the end: %+v", c)
		}
		if err != nil {
			if !reflect.DeepEqual(c, model.Chunk{}) {
				t.Fatalf("a chunk with an error: %+v", c)
			}
			g.err = err
			continue
		}
		g.text += c.Text
		g.thinking += c.Thinking
		if p := c.Call; p != nil {
			if p.Index == len(g.calls) {
				if p.ID == "" || p.Tool == "" {
					t.Fatalf("the first piece of a call has no id or tool: %+v", p)
				}
				g.calls = append(g.calls, model.Call{ID: p.ID, Tool: p.Tool})
			} else if p.Index > len(g.calls) || p.ID != "" || p.Tool != "" {
				t.Fatalf("bad piece of a call: %+v", p)
			}
			g.calls[p.Index].Arguments += p.Arguments
		}
		if c.Usage != nil {
			g.usage = c.Usage
		}
		g.finish = c.Finish
	}
	if g.err == nil && g.finish == "" {
		t.Fatal("the answer has no end")
	}
	return g
}

func kindOf(err error) model.Kind {
	if e, ok := errors.AsType[*model.Error](err); ok {
		return e.Kind
	}
	return ""
}

func newModel(t *testing.T, c openai.Config) *openai.Model {
	t.Helper()
	if c.Model == "" {
		c.Model = "fake"
	}
	if c.Backoff == 0 {
		c.Backoff = time.Millisecond
	}
	m, err := openai.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func startFake(t *testing.T, c fakemodel.Config) *fakemodel.Server {
	t.Helper()
	s, err := fakemodel.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func request(text string) model.Request {
	return model.Request{System: "Be brief.", Messages: []model.Message{{Role: model.User, Text: text}},
		Tools: []model.Tool{{Name: "calculator", Schema: []byte(`{"type":"object"}`)}, {Name: "clock"}}}
}

// TestScripts runs every script of the fake server.
func TestScripts(t *testing.T) {
	for _, c := range []struct {
		text     string
		want     got
		kind     model.Kind
		requests int // 0: 1
	}{
		{text: "[[fake:text Hello, wörld 🙂]]", want: got{text: "Hello, wörld 🙂", finish: "stop", usage: &model.Usage{Input: 1, Output: 3}}},
		{text: "[[fake:nousage]] [[fake:text a b]]", want: got{text: "a b", finish: "stop"}},
		{text: "[[fake:think why]] [[fake:text so]]", want: got{thinking: "why", text: "so", finish: "stop"}},
		{text: "[[fake:reasoning]] [[fake:think why]] [[fake:text so]]", want: got{thinking: "why", text: "so", finish: "stop"}},
		{text: `[[fake:tool calculator {"expression":"1+1"}]]`, want: got{calls: []model.Call{{Tool: "calculator", Arguments: `{"expression":"1+1"}`}}, finish: "calls"}},
		{text: `[[fake:tool clock {}]] [[fake:tool clock {"zone":"UTC"}]]`, want: got{calls: []model.Call{{Tool: "clock", Arguments: "{}"}, {Tool: "clock", Arguments: `{"zone":"UTC"}`}}, finish: "calls"}},
		{text: `[[fake:noindex]] [[fake:tool clock {"a":1}]] [[fake:tool clock {"zone":"UTC"}]]`, want: got{calls: []model.Call{{Tool: "clock", Arguments: `{"a":1}`}, {Tool: "clock", Arguments: `{"zone":"UTC"}`}}, finish: "calls"}},
		{text: `[[fake:whole]] [[fake:think a]] [[fake:text b]] [[fake:tool clock {"a":1}]]`, want: got{thinking: "a", text: "b", calls: []model.Call{{Tool: "clock", Arguments: `{"a":1}`}}, finish: "calls"}},
		{text: "[[fake:badjson]]", want: got{calls: []model.Call{{Tool: "calculator", Arguments: `{"expression": "2 + `}}, finish: "calls"}},
		{text: "[[fake:unknown]]", want: got{calls: []model.Call{{Tool: "no_such_tool", Arguments: "{}"}}, finish: "calls"}},
		{text: "[[fake:delay 2ms]] [[fake:text a b c]]", want: got{text: "a b c", finish: "stop"}},
		{text: "[[fake:nodone]] [[fake:text a b]]", want: got{text: "a b", finish: "stop"}},
		{text: "[[fake:linger]] [[fake:text a b]]", want: got{text: "a b", finish: "stop"}},

		{text: "[[fake:429]] [[fake:text a]]", kind: model.Unavailable, requests: 3},
		{text: "[[fake:429 times=2]] [[fake:text a]]", want: got{text: "a", finish: "stop"}, requests: 3},
		{text: "[[fake:429 times=1 retry_after=0]] [[fake:text a]]", want: got{text: "a", finish: "stop"}, requests: 2},
		{text: "[[fake:429 retry_after=3600]]", kind: model.Unavailable},
		{text: "[[fake:500 times=1]] [[fake:text a]]", want: got{text: "a", finish: "stop"}, requests: 2},
		{text: "[[fake:500]]", kind: model.Unavailable, requests: 3},
		{text: "[[fake:503]]", kind: model.Unavailable, requests: 3},
		{text: "[[fake:400]]", kind: model.Refused},
		{text: "[[fake:401]]", kind: model.Refused},
		{text: "[[fake:403]]", kind: model.Refused},
		{text: "[[fake:404]]", kind: model.Refused},
		{text: "[[fake:307]]", kind: model.Refused},
		{text: "[[fake:stall]]", kind: model.Unavailable, requests: 3},
		{text: "[[fake:stall times=1]] [[fake:text a]]", want: got{text: "a", finish: "stop"}, requests: 2},
		{text: "[[fake:stall after=2]] [[fake:text a b c d]]", want: got{text: "a b "}, kind: model.Unavailable},
		{text: "[[fake:cut]] [[fake:text a b]]", kind: model.Unavailable, requests: 3},
		{text: "[[fake:cut times=1]] [[fake:text a b]]", want: got{text: "a b", finish: "stop"}, requests: 2},
		{text: "[[fake:cut after=1]] [[fake:text a b]]", want: got{text: "a "}, kind: model.Truncated},
		{text: "[[fake:cut after=2]] [[fake:text a b]]", want: got{text: "a b"}, kind: model.Truncated},
		{text: `[[fake:cut after=2]] [[fake:tool clock {"zone":"UTC"}]]`, want: got{calls: []model.Call{{Tool: "clock", Arguments: `{"zone"`}}}, kind: model.Truncated},
		{text: "[[fake:garbage]] [[fake:text a b]]", kind: model.Unavailable, requests: 3},
		{text: "[[fake:garbage after=1]] [[fake:text a b]]", want: got{text: "a "}, kind: model.Truncated},
		{text: "[[fake:eof]] [[fake:text a b]]", kind: model.Unavailable, requests: 3},
		{text: "[[fake:eof after=2]] [[fake:text a b]]", want: got{text: "a b"}, kind: model.Truncated},
		{text: "[[fake:error times=2]] [[fake:text a b]]", want: got{text: "a b", finish: "stop"}, requests: 3},
		{text: "[[fake:error after=1]] [[fake:text a b]]", want: got{text: "a "}, kind: model.Unavailable},
		{text: "[[fake:huge after=1]] [[fake:text a b]]", want: got{text: "a "}, kind: model.Truncated},
		{text: "[[fake:huge]] [[fake:text a b]]", kind: model.Truncated},
	} {
		t.Run(c.text, func(t *testing.T) {
			idle := time.Minute
			if strings.Contains(c.text, "stall") || strings.Contains(c.text, "linger") {
				idle = 700 * time.Millisecond
				t.Parallel()
			}
			s := startFake(t, fakemodel.Config{Key: key})
			m := newModel(t, openai.Config{BaseURL: s.URL(), Key: key, IdleTimeout: idle})
			g := collect(t, t.Context(), m, request(c.text))
			if kindOf(g.err) != c.kind || g.text != c.want.text || g.thinking != c.want.thinking || g.finish != c.want.finish {
				t.Errorf("%+v, want %+v and %q", g, c.want, c.kind)
			}
			if u := c.want.usage; u != nil && (g.usage == nil || *g.usage != *u) {
				t.Errorf("usage %v", g.usage)
			}
			if len(g.calls) != len(c.want.calls) {
				t.Fatalf("calls %+v", g.calls)
			}
			for i, x := range g.calls {
				if x.Tool != c.want.calls[i].Tool || x.Arguments != c.want.calls[i].Arguments {
					t.Errorf("call %d: %+v", i, x)
				}
			}
			if n := len(s.Requests()); n != max(c.requests, 1) {
				t.Errorf("%d requests, want %d", n, c.requests)
			}
			leaks(t, g.err)
		})
	}
}

// leaks looks for the key wherever an error could be written.
func leaks(t *testing.T, err error) {
	t.Helper()
	for ; err != nil; err = errors.Unwrap(err) {
		for _, s := range []string{err.Error(), fmt.Sprintf("%v %+v %#v", err, err, err)} {
			if strings.Contains(s, key) || strings.Contains(s, "0123456789") {
				t.Errorf("the key is in %q", s)
			}
		}
	}
}

func TestEndlessAnswer(t *testing.T) {
	s := startFake(t, fakemodel.Config{})
	m := newModel(t, openai.Config{BaseURL: s.URL(), MaxBytes: 20_000})
	g := collect(t, t.Context(), m, request("[[fake:endless]]"))
	if kindOf(g.err) != model.Truncated || len(g.text) > 20_000 || len(g.text) < 19_000 {
		t.Errorf("%d bytes, %v", len(g.text), g.err)
	}
}

// The loop of model and tools works over the protocol as it does with the script alone.
func TestConversation(t *testing.T) {
	s := startFake(t, fakemodel.Config{})
	m := newModel(t, openai.Config{BaseURL: s.URL()})
	r := request("What is 2+3?")
	g := collect(t, t.Context(), m, r)
	if g.finish != model.FinishCalls || len(g.calls) != 1 || g.thinking == "" || g.usage == nil {
		t.Fatalf("%+v", g)
	}
	// Ids of ours may be longer than a server takes, and a model's arguments may be no JSON.
	long := model.Call{ID: strings.Repeat("x", 90), Tool: "calculator", Arguments: g.calls[0].Arguments}
	bad := model.Call{ID: "bad", Tool: "clock", Arguments: `{"zo`}
	r.Messages = append(r.Messages, model.Message{Role: model.Assistant, Calls: []model.Call{long, bad}},
		model.Message{Role: model.ToolRole, CallID: "bad", Text: "the arguments are no JSON"},
		model.Message{Role: model.ToolRole, CallID: long.ID, Text: `{"result":"5"}`})
	if g = collect(t, t.Context(), m, r); g.text != "2 + 3 = 5" || g.finish != model.FinishStop {
		t.Errorf("%+v", g)
	}
	asked := s.Requests()[1].Asked
	if asked.System != "Be brief." || len(asked.Tools) != 2 || len(asked.Messages) != 4 {
		t.Errorf("asked %+v", asked)
	}
	for _, c := range asked.Messages[1].Calls {
		if len(c.ID) != 9 || !json.Valid([]byte(c.Arguments)) {
			t.Errorf("sent %+v", c)
		}
	}
	r.Messages = append(r.Messages, model.Message{Role: model.ToolRole, CallID: "never made"})
	if g = collect(t, t.Context(), m, r); kindOf(g.err) != model.Refused || len(s.Requests()) != 2 {
		t.Errorf("a result without a call: %+v", g)
	}
}

func TestRetryAfter(t *testing.T) {
	for header, want := range map[string][2]time.Duration{
		"7":    {7 * time.Second, 7 * time.Second},
		"0.5":  {500 * time.Millisecond, 500 * time.Millisecond},
		"-1":   {0, 0},
		"soon": {0, 0},
		time.Now().Add(time.Hour).UTC().Format(http.TimeFormat):  {59 * time.Minute, time.Hour},
		time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat): {0, 0},
	} {
		s := startFake(t, fakemodel.Config{Script: func(fakemodel.Request) *fakemodel.Answer {
			return &fakemodel.Answer{Status: 503, RetryAfter: header}
		}})
		m := newModel(t, openai.Config{BaseURL: s.URL(), Attempts: 1})
		g := collect(t, t.Context(), m, request("x"))
		e, ok := errors.AsType[*model.Error](g.err)
		if !ok || e.RetryAfter < want[0] || e.RetryAfter > want[1] {
			t.Errorf("%q: %v", header, g.err)
		}
	}
}

func TestRetryAfterIsWaitedOut(t *testing.T) {
	var came []time.Time
	s := startFake(t, fakemodel.Config{Script: func(r fakemodel.Request) *fakemodel.Answer {
		if came = append(came, r.Received); len(came) == 1 {
			return &fakemodel.Answer{Status: 429, RetryAfter: "0.2"}
		}
		return nil
	}})
	g := collect(t, t.Context(), newModel(t, openai.Config{BaseURL: s.URL()}), request("[[fake:text ok]]"))
	if g.text != "ok" || len(came) != 2 || came[1].Sub(came[0]) < 190*time.Millisecond {
		t.Errorf("%+v, requests at %v", g, came)
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	m := newModel(t, openai.Config{BaseURL: "http://" + l.Addr().String() + "/v1", Key: key})
	g := collect(t, t.Context(), m, request("x"))
	if kindOf(g.err) != model.Unavailable {
		t.Errorf("%v", g.err)
	}
	leaks(t, g.err)
}

func TestCancelEndsWithItsCause(t *testing.T) {
	cause := errors.New("stopped by its user")
	for _, text := range []string{"[[fake:stall]]", "[[fake:endless]] [[fake:delay 1ms]]", "[[fake:stall after=1]] [[fake:text a b]]", "[[fake:429 retry_after=5]]"} {
		answered := make(chan struct{}, 10)
		s := startFake(t, fakemodel.Config{Script: func(r fakemodel.Request) *fakemodel.Answer {
			answered <- struct{}{}
			return nil
		}})
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			<-answered
			cancel(cause)
		}()
		if g := collect(t, ctx, newModel(t, openai.Config{BaseURL: s.URL()}), request(text)); g.err != cause {
			t.Errorf("%s: %+v", text, g)
		}
	}
}

func TestTheCallerMayStop(t *testing.T) {
	s := startFake(t, fakemodel.Config{})
	m := newModel(t, openai.Config{BaseURL: s.URL()})
	for n := 1; n < 4; n++ {
		seen := 0
		for _, err := range m.Stream(t.Context(), request("[[fake:endless]]")) {
			if err != nil {
				t.Fatal(err)
			}
			if seen++; seen == n {
				break
			}
		}
	}
}

func TestConnectionsAreReused(t *testing.T) {
	s := startFake(t, fakemodel.Config{})
	dials := 0
	m := newModel(t, openai.Config{BaseURL: s.URL(), HTTPClient: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			dials++
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		}}}})
	for range 5 {
		collect(t, t.Context(), m, request("[[fake:text a b]]"))
	}
	if dials != 1 {
		t.Errorf("%d connections for 5 requests", dials)
	}
}

func TestTheKeyIsNeverWritten(t *testing.T) {
	c := openai.Config{BaseURL: "http://127.0.0.1:1/v1", Model: "m", Key: key}
	m := newModel(t, c)
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "config", c, "model", m)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "config", c, "model", m)
	b, err := json.Marshal(c)
	written := []string{log.String(), string(b), fmt.Sprint(err), m.String(), m.Name()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		written = append(written, fmt.Sprintf(verb, c), fmt.Sprintf(verb, &c), fmt.Sprintf(verb, m), fmt.Sprintf(verb, *m), fmt.Sprintf(verb, []any{c, m}))
	}
	for _, s := range written {
		if strings.Contains(s, key) || strings.Contains(s, fmt.Sprintf("%x", key)) || strings.Contains(s, "0123456789") {
			t.Errorf("the key is in %q", s)
		}
	}
	_, err = openai.New(openai.Config{BaseURL: c.BaseURL, Model: "m", Key: key + "\n"})
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}

func TestValidate(t *testing.T) {
	good := openai.Config{BaseURL: "https://api.example.com/v1", Model: "m"}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for _, change := range []func(*openai.Config){
		func(c *openai.Config) { c.BaseURL = "" },
		func(c *openai.Config) { c.BaseURL = "ftp://example.com" },
		func(c *openai.Config) { c.BaseURL = "https://user:pass@example.com/v1" },
		func(c *openai.Config) { c.BaseURL += "?key=1" },
		func(c *openai.Config) { c.Model = "" },
		func(c *openai.Config) { c.Key = "a b" },
		func(c *openai.Config) { c.IdleTimeout = -1 },
	} {
		c := good
		change(&c)
		if c.Validate() == nil {
			t.Errorf("%v is valid", c)
		}
	}
}
