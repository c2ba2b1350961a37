package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
	"github.com/netra-systems/switchboard/internal/fakemodel"
)

const (
	weakAnswer = "It depends on various factors. There are many different things to consider, and several approaches might possibly help in some situations."
	goodAnswer = "Use 3 g of tea for 200 ml of water at 95 °C. Let it steep for 4 minutes, then remove the leaves. For green tea, wait until the water has 75 °C."
)

// TestE2EGate has answers judged: a weak one is written anew with advice, one that stays weak is given with its score or
// fails its run, and operators, and they alone, are told.
func TestE2EGate(t *testing.T) {
	t.Parallel()
	m := plays(t, func(r fakemodel.Request) *fakemodel.Answer {
		if last := r.Asked.Messages[len(r.Asked.Messages)-1].Text; strings.HasPrefix(last, "This answer is not good enough") && r.Asked.System == "Learn." {
			return says(goodAnswer)
		}
		return says(weakAnswer)
	})
	s := configured(t, fmt.Sprintf(`
models: {main: {provider: openai, model: m, base_url: %q}}
agents:
  learner: {instructions: Learn., quality: {on_fail: fail}}
  lazy: {instructions: Do not., quality: {on_fail: deliver}}
  failing: {instructions: Do not., quality: {on_fail: fail}}
`, m.URL()))
	token := s.user(t, "ann")
	if out, errs, code := switchboardCLI(t, nil, "the-password-of-boss\n", "user", "add", "boss", "--role", "operator", "--password-stdin", "--data", s.data); code != 0 {
		t.Fatalf("%s%s", out, errs)
	}
	boss := s.token(t, "boss")
	h := newHistory()
	conn := h.connect(t, s, token)
	run := func(agent string, want ...string) switchboard.Ack {
		t.Helper()
		ack := send(t, conn, client.NewID(), "", &switchboard.UserMessage{Text: "How do I make tea?", Agent: agent})
		untilEnd(t, conn, ack.RunID)
		if len(want) > 0 {
			inOrder(t, told(t, s, token, h, ack.ThreadID), want...)
		}
		return ack
	}
	weak := "agent_message " + weakAnswer
	learned := run("learner", weak, "agent_thinking The answer is written anew: ", "agent_completed "+goodAnswer+` {"score":0.`)
	delivered := run("lazy", weak, "agent_thinking The answer is written anew: ", "agent_completed "+weakAnswer+` {"score":0.436,"level":"poor","issues":["below_minimum"`)
	run("failing", weak, "agent_thinking The answer is written anew: ", "agent_failed quality_rejected")

	watch := newHistory().connect(t, s, boss)
	ask := func(c *client.Conn, p switchboard.MessagePayload, reply any) error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return c.Do(ctx, switchboard.Message{Payload: p}, reply)
	}
	for _, p := range []switchboard.MessagePayload{
		&switchboard.SubscribeQualityAlerts{Action: "subscribe"}, &switchboard.GenerateQualityReport{ReportType: "summary", Period: "day"},
	} {
		if err := ask(conn, p, nil); switchboard.CodeOf(err) != switchboard.Forbidden {
			t.Errorf("%s by a user: %v", p.MessageType(), err)
		}
	}
	if err := ask(watch, &switchboard.SubscribeQualityAlerts{Action: "subscribe"}, nil); err != nil {
		t.Fatal(err)
	}
	for range 9 {
		run("failing")
	}
	alert := untilType(t, watch, switchboard.TypeQualityAlert)
	t.Logf("the operator is told: %s", alert.Payload)
	var told switchboard.QualityAlert
	if err := alert.Decode(&told); err != nil || told.Agent != "failing" || told.Metric != "rejected_share" || told.Value != 1 || told.Severity != "critical" {
		t.Errorf("%+v, %v", told, err)
	}

	rate := func(token string, run switchboard.RunID, rating string) int {
		return s.do(t, "POST", "/api/v1/runs/"+url.PathEscape(string(run))+"/ratings", `{"rating":"`+rating+`"}`, "Authorization", "Bearer "+token, "Idempotency-Key", string(client.NewID())).status
	}
	if up, down, foreign := rate(token, learned.RunID, "up"), rate(token, delivered.RunID, "down"), rate(boss, learned.RunID, "down"); up != 202 || down != 202 || foreign != 404 {
		t.Errorf("ratings: %d, %d, by another user %d", up, down, foreign)
	}
	until(t, conn, "the second rating", func(f switchboard.Frame) bool {
		return f.Type == string(switchboard.AnswerRated) && f.Event.RunID == delivered.RunID
	})
	settled(t, conn)

	var own, all switchboard.QualityMetrics
	if err := ask(conn, &switchboard.GetQualityMetrics{}, &own); err != nil || own.Scope != "own" || own.Total.Completed != 2 || own.Total.RatedUp != 1 || own.Total.RatedDown != 1 {
		t.Errorf("a user's figures: %+v, %v", own, err)
	}
	var report switchboard.QualityReport
	if err := ask(watch, &switchboard.GetQualityMetrics{}, &all); err != nil || all.Scope != "all" || all.Total.Completed != 2 {
		t.Errorf("an operator's figures: %+v, %v", all, err)
	}
	if err := ask(watch, &switchboard.GenerateQualityReport{ReportType: "summary", Period: "day"}, &report); err != nil || !strings.Contains(report.Markdown, "| failing |") {
		t.Errorf("%v", err)
	}
	b, _ := json.Marshal(own)
	t.Logf("%s\n%s", b, report.Markdown)
	s.end(t, "TERM")
}
