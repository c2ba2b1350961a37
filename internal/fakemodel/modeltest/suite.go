package modeltest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/netra-systems/switchboard/internal/fakemodel"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/model/wire"
)

// Test runs the whole suite.
func Test(t *testing.T, a Adapter) {
	t.Run("Scripts", func(t *testing.T) { RunCases(t, a, scripts) })
	for name, f := range map[string]func(*testing.T, Adapter){
		"EndlessAnswer": endless, "Conversation": conversation, "RetryAfterIsWaitedOut": waitedOut,
		"NobodyListens": nobody, "CancelEndsWithItsCause": cancelled, "TheCallerMayStop": stops, "TotalTimeout": total,
		"ConnectionsAreReused": reused, "TheKeyIsNeverWritten": unwritten, "BadPolicy": badPolicy,
	} {
		t.Run(name, func(t *testing.T) { f(t, a) })
	}
}

func endless(t *testing.T, a Adapter) {
	_, url := Start(t, fakemodel.Config{})
	g := Collect(t, t.Context(), a.open(t, url, "", wire.Policy{MaxBytes: 20_000}), Request("[[fake:endless]]"))
	if KindOf(g.Err) != model.Truncated || len(g.Text) > 20_000 || len(g.Text) < 19_000 {
		t.Errorf("%d bytes, %v", len(g.Text), g.Err)
	}
}

func total(t *testing.T, a Adapter) {
	_, url := Start(t, fakemodel.Config{Delay: time.Millisecond})
	m := a.open(t, url, "", wire.Policy{Timeout: 300 * time.Millisecond})
	if g := Collect(t, t.Context(), m, Request("[[fake:endless]]")); KindOf(g.Err) != model.Unavailable || !strings.Contains(g.Err.Error(), "too long") {
		t.Errorf("%v", g.Err)
	}
	m = a.open(t, url, "", wire.Policy{Timeout: 20 * time.Second, Backoff: time.Hour, MaxWait: time.Hour})
	if g := Collect(t, t.Context(), m, Request("[[fake:429 retry_after=60]]")); KindOf(g.Err) != model.Unavailable || !strings.Contains(g.Err.Error(), "too many") {
		t.Errorf("a wait that cannot end in time is begun: %v", g.Err)
	}
}

// conversation shows that the loop of model and tools works over the protocol as it does with the script alone.
func conversation(t *testing.T, a Adapter) {
	s, url := Start(t, fakemodel.Config{})
	m := a.open(t, url, "", wire.Policy{})
	r := Request("What is 2+3?")
	g := Collect(t, t.Context(), m, r)
	if g.Finish != model.FinishCalls || len(g.Calls) != 1 || g.Thinking == "" || g.Usage == nil {
		t.Fatalf("%+v", g)
	}
	// Ids of ours may be longer than a server takes, and a model's arguments may be no JSON.
	long := model.Call{ID: strings.Repeat("x", 90), Tool: "calculator", Arguments: g.Calls[0].Arguments}
	bad := model.Call{ID: "bad", Tool: "clock", Arguments: `{"zo`}
	r.Messages = append(r.Messages, model.Message{Role: model.Assistant, Calls: []model.Call{long, bad}},
		model.Message{Role: model.ToolRole, CallID: long.ID, Text: `{"result":"5"}`},
		model.Message{Role: model.ToolRole, CallID: "bad", Text: "the arguments are no JSON \xff"})
	if g = Collect(t, t.Context(), m, r); g.Text != "2 + 3 = 5" || g.Finish != model.FinishStop {
		t.Errorf("%+v", g)
	}
	asked := s.Requests()[1].Asked
	if asked.System != "Be brief." || len(asked.Tools) != 2 || len(asked.Messages) != 4 {
		t.Errorf("asked %+v", asked)
	}
	for _, c := range asked.Messages[1].Calls {
		if len(c.ID) > 40 || !json.Valid([]byte(c.Arguments)) {
			t.Errorf("sent %+v", c)
		}
	}
	r.Messages = append(r.Messages, model.Message{Role: model.ToolRole, CallID: "never made"})
	if g = Collect(t, t.Context(), m, r); KindOf(g.Err) != model.Refused || len(s.Requests()) != 2 {
		t.Errorf("a result without a call: %+v", g)
	}
	r.Messages = []model.Message{{Role: "robot", Text: "x"}}
	if g = Collect(t, t.Context(), m, r); KindOf(g.Err) != model.Refused || len(s.Requests()) != 2 {
		t.Errorf("an unknown role: %+v", g)
	}
}

func waitedOut(t *testing.T, a Adapter) {
	var came []time.Time
	_, url := Start(t, fakemodel.Config{Script: func(r fakemodel.Request) *fakemodel.Answer {
		if came = append(came, r.Received); len(came) == 1 {
			return &fakemodel.Answer{Status: 429, RetryAfter: "0.2"}
		}
		return nil
	}})
	g := Collect(t, t.Context(), a.open(t, url, "", wire.Policy{}), Request("[[fake:text ok]]"))
	if g.Text != "ok" || len(came) != 2 || came[1].Sub(came[0]) < 190*time.Millisecond {
		t.Errorf("%+v, requests at %v", g, came)
	}
}

func nobody(t *testing.T, a Adapter) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	dials := 0
	m := a.open(t, "http://"+l.Addr().String(), Key, wire.Policy{HTTPClient: counting(&dials)})
	g := Collect(t, t.Context(), m, Request("x"))
	if KindOf(g.Err) != model.Unavailable || dials != 3 {
		t.Errorf("%d connections tried, %v", dials, g.Err)
	}
	NoLeak(t, g.Err)
}

// counting is a client that counts its connections.
func counting(dials *int) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		*dials++
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}}}
}

func cancelled(t *testing.T, a Adapter) {
	cause := errors.New("stopped by its user")
	for _, text := range []string{"[[fake:stall]]", "[[fake:endless]] [[fake:delay 1ms]]", "[[fake:stall after=1]] [[fake:text a b]]", "[[fake:429 retry_after=5]]"} {
		answered := make(chan struct{}, 10)
		_, url := Start(t, fakemodel.Config{Script: func(fakemodel.Request) *fakemodel.Answer {
			answered <- struct{}{}
			return nil
		}})
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			<-answered
			cancel(cause)
		}()
		if g := Collect(t, ctx, a.open(t, url, "", wire.Policy{}), Request(text)); g.Err != cause {
			t.Errorf("%s: %+v", text, g)
		}
	}
}

func stops(t *testing.T, a Adapter) {
	_, url := Start(t, fakemodel.Config{})
	m := a.open(t, url, "", wire.Policy{})
	for n := 1; n < 4; n++ {
		seen := 0
		for _, err := range m.Stream(t.Context(), Request("[[fake:endless]]")) {
			if err != nil {
				t.Fatal(err)
			}
			if seen++; seen == n {
				break
			}
		}
	}
}

func reused(t *testing.T, a Adapter) {
	_, url := Start(t, fakemodel.Config{})
	dials := 0
	m := a.open(t, url, "", wire.Policy{HTTPClient: counting(&dials)})
	for range 5 {
		Collect(t, t.Context(), m, Request("[[fake:text a b]]"))
	}
	if dials != 1 {
		t.Errorf("%d connections for 5 requests", dials)
	}
}

func unwritten(t *testing.T, a Adapter) {
	m := a.open(t, "http://127.0.0.1:1", Key, wire.Policy{})
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "model", m)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "model", m)
	written := []string{log.String(), m.Name()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		written = append(written, fmt.Sprintf(verb, m), fmt.Sprintf(verb, []any{m}))
	}
	for _, s := range written {
		if strings.Contains(s, Key) || strings.Contains(s, fmt.Sprintf("%x", Key)) || strings.Contains(s, "0123456789") {
			t.Errorf("the key is in %q", s)
		}
	}
	if _, err := a.Open("http://127.0.0.1:1", Key+"\n", wire.Policy{}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a key with a line end: %v", err)
	}
}

func badPolicy(t *testing.T, a Adapter) {
	for _, p := range []wire.Policy{{IdleTimeout: -1}, {Timeout: -1}, {Attempts: -1}, {Backoff: -1}, {MaxWait: -1}, {MaxBytes: -1}} {
		if _, err := a.Open("http://127.0.0.1:1", "", p); err == nil {
			t.Errorf("%+v is valid", p)
		}
	}
}
