package modeltest

import (
	"strings"
	"testing"
	"time"

	"github.com/netra-systems/switchboard/internal/fakemodel"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/model/wire"
)

// Case is a script of the fake server (see fakemodel.ParseDirectives) and what an adapter makes of it. Ids of calls are
// not compared.
type Case struct {
	Script   string
	Want     Answer
	Kind     model.Kind // of the error
	Requests int        // 0: 1
	// Once is the kind of the error if the request is not repeated: then there is one request, and no text of a later one.
	Once model.Kind
}

// scripts are understood by every adapter.
var scripts = []Case{
	{Script: "[[fake:text Hello, wörld 🙂]]", Want: Answer{Text: "Hello, wörld 🙂", Finish: "stop", Usage: &model.Usage{Input: 1, Output: 3}}},
	{Script: "[[fake:nousage]] [[fake:text a b]]", Want: Answer{Text: "a b", Finish: "stop"}},
	{Script: "[[fake:think why]] [[fake:text so]]", Want: Answer{Thinking: "why", Text: "so", Finish: "stop"}},
	{Script: `[[fake:tool calculator {"expression":"1+1"}]]`, Want: Answer{Calls: []model.Call{{Tool: "calculator", Arguments: `{"expression":"1+1"}`}}, Finish: "calls"}},
	{Script: `[[fake:text I look.]] [[fake:tool clock {}]] [[fake:tool clock {"zone":"UTC"}]]`, Want: Answer{Text: "I look.", Calls: []model.Call{{Tool: "clock", Arguments: "{}"}, {Tool: "clock", Arguments: `{"zone":"UTC"}`}}, Finish: "calls"}},
	{Script: "[[fake:badjson]]", Want: Answer{Calls: []model.Call{{Tool: "calculator", Arguments: `{"expression": "2 + `}}, Finish: "calls"}},
	{Script: "[[fake:unknown]]", Want: Answer{Calls: []model.Call{{Tool: "no_such_tool", Arguments: "{}"}}, Finish: "calls"}},
	{Script: "[[fake:delay 2ms]] [[fake:text a b c]]", Want: Answer{Text: "a b c", Finish: "stop"}},
	{Script: "[[fake:nodone]] [[fake:text a b]]", Want: Answer{Text: "a b", Finish: "stop"}},
	{Script: "[[fake:linger]] [[fake:text a b]]", Want: Answer{Text: "a b", Finish: "stop"}},

	{Script: "[[fake:429]] [[fake:text a]]", Kind: model.Unavailable, Requests: 3},
	{Script: "[[fake:429 times=2]] [[fake:text a]]", Want: Answer{Text: "a", Finish: "stop"}, Requests: 3},
	{Script: "[[fake:429 times=1 retry_after=0]] [[fake:text a]]", Want: Answer{Text: "a", Finish: "stop"}, Requests: 2},
	{Script: "[[fake:429 retry_after=3600]]", Kind: model.Unavailable},
	{Script: "[[fake:408 times=1]] [[fake:text a]]", Want: Answer{Text: "a", Finish: "stop"}, Requests: 2, Once: model.Unavailable},
	{Script: "[[fake:409 times=1]] [[fake:text a]]", Want: Answer{Text: "a", Finish: "stop"}, Requests: 2, Once: model.Unavailable},
	{Script: "[[fake:500 times=1]] [[fake:text a]]", Want: Answer{Text: "a", Finish: "stop"}, Requests: 2, Once: model.Unavailable},
	{Script: "[[fake:500]]", Kind: model.Unavailable, Requests: 3, Once: model.Unavailable},
	{Script: "[[fake:503]]", Kind: model.Unavailable, Requests: 3},
	{Script: "[[fake:529 times=2]] [[fake:text a]]", Want: Answer{Text: "a", Finish: "stop"}, Requests: 3, Once: model.Unavailable},
	{Script: "[[fake:400]]", Kind: model.Refused},
	{Script: "[[fake:401]]", Kind: model.Refused},
	{Script: "[[fake:403]]", Kind: model.Refused},
	{Script: "[[fake:404]]", Kind: model.Refused},
	{Script: "[[fake:307]]", Kind: model.Refused},
	{Script: "[[fake:stall]]", Kind: model.Unavailable, Requests: 3, Once: model.Unavailable},
	{Script: "[[fake:stall times=1]] [[fake:text a]]", Want: Answer{Text: "a", Finish: "stop"}, Requests: 2, Once: model.Unavailable},
	{Script: "[[fake:stall after=2]] [[fake:text a b c d]]", Want: Answer{Text: "a b "}, Kind: model.Unavailable},
	{Script: "[[fake:cut]] [[fake:text a b]]", Kind: model.Unavailable, Requests: 3, Once: model.Truncated},
	{Script: "[[fake:cut times=1]] [[fake:text a b]]", Want: Answer{Text: "a b", Finish: "stop"}, Requests: 2, Once: model.Truncated},
	{Script: "[[fake:cut after=1]] [[fake:text a b]]", Want: Answer{Text: "a "}, Kind: model.Truncated},
	{Script: "[[fake:cut after=2]] [[fake:text a b]]", Want: Answer{Text: "a b"}, Kind: model.Truncated},
	{Script: "[[fake:garbage]] [[fake:text a b]]", Kind: model.Unavailable, Requests: 3, Once: model.Truncated},
	{Script: "[[fake:garbage after=1]] [[fake:text a b]]", Want: Answer{Text: "a "}, Kind: model.Truncated},
	{Script: "[[fake:eof]] [[fake:text a b]]", Kind: model.Unavailable, Requests: 3, Once: model.Truncated},
	{Script: "[[fake:eof after=2]] [[fake:text a b]]", Want: Answer{Text: "a b"}, Kind: model.Truncated},
	{Script: "[[fake:error times=2]] [[fake:text a b]]", Want: Answer{Text: "a b", Finish: "stop"}, Requests: 3, Once: model.Unavailable},
	{Script: "[[fake:error after=1]] [[fake:text a b]]", Want: Answer{Text: "a "}, Kind: model.Unavailable},
	{Script: "[[fake:huge after=1]] [[fake:text a b]]", Want: Answer{Text: "a "}, Kind: model.Truncated},
	{Script: "[[fake:huge]] [[fake:text a b]]", Kind: model.Truncated},
}

// RunCases runs scripts against an adapter.
func RunCases(t *testing.T, a Adapter, cases []Case) {
	for _, c := range cases {
		t.Run(c.Script, func(t *testing.T) {
			idle := time.Minute
			if strings.Contains(c.Script, "stall") || strings.Contains(c.Script, "linger") {
				idle = 700 * time.Millisecond
				t.Parallel()
			}
			if a.Once && c.Once != "" {
				c.Want, c.Kind, c.Requests = Answer{}, c.Once, 1
			}
			s, url := Start(t, fakemodel.Config{Key: Key})
			g := Collect(t, t.Context(), a.open(t, url, Key, wire.Policy{IdleTimeout: idle}), Request(c.Script))
			if KindOf(g.Err) != c.Kind || g.Text != c.Want.Text || g.Thinking != c.Want.Thinking || g.Finish != c.Want.Finish {
				t.Errorf("%+v, want %+v and %q", g, c.Want, c.Kind)
			}
			if u := c.Want.Usage; u != nil && (g.Usage == nil || *g.Usage != *u) {
				t.Errorf("usage %v", g.Usage)
			}
			if len(g.Calls) != len(c.Want.Calls) {
				t.Fatalf("calls %+v", g.Calls)
			}
			for i, x := range g.Calls {
				if x.Tool != c.Want.Calls[i].Tool || x.Arguments != c.Want.Calls[i].Arguments {
					t.Errorf("call %d: %+v", i, x)
				}
			}
			if n := len(s.Requests()); n != max(c.Requests, 1) {
				t.Errorf("%d requests, want %d", n, c.Requests)
			}
			NoLeak(t, g.Err)
		})
	}
}
