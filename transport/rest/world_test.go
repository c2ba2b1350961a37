package rest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/internal/world"
	"github.com/netra-systems/switchboard/journal/journaltest"
	"github.com/netra-systems/switchboard/transport/rest"
)

func TestMain(m *testing.M) { journaltest.Main(m) }

// person calls the JSON API of a real node.
type person struct {
	t     *testing.T
	node  *world.Node
	token string
}

// do sends a request, wants a status, and decodes the answer into v, if there is one.
func (p person) do(want int, method, path, body, key string, v any) string {
	p.t.Helper()
	req, err := http.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	c := p.node.HTTP()
	defer c.CloseIdleConnections()
	res, err := c.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	if res.StatusCode != want {
		p.t.Fatalf("%s %s: %d %s, want %d", method, path, res.StatusCode, b, want)
	}
	if v != nil {
		if err := json.Unmarshal(b, v); err != nil {
			p.t.Fatalf("%v: %s", err, b)
		}
	}
	return string(b)
}

// TestRealNode walks the JSON API and the event stream of a real node.
func TestRealNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := world.New(t, world.Config{})
		defer w.Close()
		n := w.Start()
		ann, bob := person{t, n, n.Token("ann")}, person{t, n, n.Token("bob")}
		events := ann.events()

		var ack, again switchboard.Ack
		const say = `{"text":"What is 19 * 23 - 4?"}`
		ann.do(202, "POST", "/api/v1/threads/messages", say, "m1", &ack)
		ann.do(202, "POST", "/api/v1/threads/messages", say, "m1", &again)
		if ack.N != 1 || ack.Duplicate || again.RunID != ack.RunID || !again.Duplicate {
			t.Errorf("%+v, then %+v", ack, again)
		}
		ann.do(409, "POST", "/api/v1/threads/messages", `{"text":"other"}`, "m1", nil)

		run := "/api/v1/runs/" + string(ack.RunID)
		var r rest.Run
		for r.Status != rest.RunCompleted {
			e := <-events
			if e == "agent_completed" {
				ann.do(200, "GET", run, "", "", &r)
			} else if e == "" {
				t.Fatal("the stream ended")
			}
		}
		last, err := switchboard.DecodeEvent(r.Events[len(r.Events)-1])
		if err != nil || !strings.Contains(last.Payload.(*switchboard.AgentCompletedEvent).Text, "433") {
			t.Errorf("%v %+v", err, last)
		}
		ann.do(409, "POST", run+"/stop", "", "", nil)

		ann.do(202, "POST", run+"/ratings", `{"rating":"down","comment":"too long"}`, "rate", nil)
		ann.do(202, "POST", run+"/ratings", `{"rating":"up"}`, "", nil)
		ann.do(400, "POST", run+"/ratings", `{"rating":"up","run_id":"x"}`, "", nil)
		var m switchboard.QualityMetrics
		for m.Total.RatedUp == 0 {
			ann.do(200, "GET", "/api/v1/quality/metrics?period_hours=1&agent=assistant", "", "", &m)
			time.Sleep(10 * time.Millisecond) // of the bubble: until the tail has come so far
		}
		if m.Total.Completed != 1 || m.Total.RatedDown != 0 || m.Scope != "own" {
			t.Errorf("%+v", m)
		}
		ann.do(400, "GET", "/api/v1/quality/metrics?period_hours=200", "", "", nil)

		thread := "/api/v1/threads/" + string(ack.ThreadID)
		ann.do(200, "PATCH", thread, `{"title":"Sums"}`, "", nil)
		ann.do(202, "POST", thread+"/messages", `{"text":"What is 2+2?"}`, "", nil)
		var page switchboard.EventPage
		ann.do(200, "GET", thread+"/events?after=1&limit=2", "", "", &page)
		if len(page.Events) != 2 || page.Next != 3 {
			t.Errorf("%d events, next %d", len(page.Events), page.Next)
		}
		for _, c := range []struct{ method, path, body string }{
			{"GET", thread, ""}, {"GET", thread + "/events", ""}, {"PATCH", thread, `{"title":"x"}`}, {"DELETE", thread, ""},
			{"POST", thread + "/messages", `{"text":"x"}`}, {"GET", run, ""}, {"POST", run + "/stop", ""},
			{"POST", run + "/ratings", `{"rating":"up"}`},
			{"POST", run + "/decisions", `{"call_id":"` + string(ack.RunID.Call(1, 0)) + `","decision":"deny"}`},
		} {
			foreign := bob.do(404, c.method, c.path, c.body, "k", nil)
			unknown := bob.do(404, c.method, strings.ReplaceAll(c.path, string(ack.ThreadID), string(switchboard.NewThreadID("no", "one"))),
				strings.ReplaceAll(c.body, string(ack.ThreadID), string(switchboard.NewThreadID("no", "one"))), "k", nil)
			if foreign != unknown {
				t.Errorf("%s %s: a foreign thread answers %s, an unknown one %s", c.method, c.path, foreign, unknown)
			}
		}
		if list := bob.do(200, "GET", "/api/v1/threads", "", "", nil); strings.Contains(list, string(ack.ThreadID)) {
			t.Errorf("a foreign thread is listed: %s", list)
		}
		ann.do(200, "DELETE", thread, "", "", nil)
		ann.do(404, "GET", thread, "", "", nil)
		ann.do(200, "POST", "/api/v1/auth/logout", "", "", nil)
		began := time.Now()
		for e := range events { // ends with the session
			_ = e
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("the stream ended %s after the logout", took)
		}
		ann.do(401, "GET", "/api/v1/me", "", "", nil)
	})
}

// events opens the event stream and returns the types of what it gives, until it ends.
func (p person) events() <-chan string {
	req, err := http.NewRequestWithContext(context.Background(), "GET", "http://localhost/api/v1/events", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	c := p.node.HTTP()
	res, err := c.Do(req)
	if err != nil || res.StatusCode != 200 {
		p.t.Fatal(res, err)
	}
	out := make(chan string, 1024)
	go func() {
		defer close(out)
		defer c.CloseIdleConnections()
		defer func() { _ = res.Body.Close() }()
		for s := bufio.NewScanner(res.Body); s.Scan(); {
			if name, ok := strings.CutPrefix(s.Text(), "event: "); ok {
				out <- name
			}
		}
	}()
	return out
}
