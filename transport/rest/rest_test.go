package rest

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/auth"
	"github.com/netra-systems/switchboard/router"
	"github.com/netra-systems/switchboard/transport"
)

const secret = "correct horse battery"

// fakeAuth knows the user ann.
type fakeAuth struct{ ended chan struct{} }

func (a *fakeAuth) Login(ctx context.Context, name, password, from string) (string, auth.Identity, error) {
	if name != "ann" || password != secret || from != "127.0.0.1" {
		return "", auth.Identity{}, switchboard.Errorf(switchboard.Unauthenticated, "wrong name or password")
	}
	id, err := a.Verify(ctx, "good")
	return "good", id, err
}

func (a *fakeAuth) Verify(_ context.Context, token string) (auth.Identity, error) {
	if token != "good" {
		return auth.Identity{}, switchboard.Errorf(switchboard.Unauthenticated, "the token is not valid")
	}
	u := switchboard.User{ID: switchboard.NewUserID("test", "", "ann"), Name: "ann", Roles: []string{"user"}}
	return auth.Identity{User: u, Session: "s", Expires: time.Now().Add(time.Hour)}, nil
}

func (a *fakeAuth) Logout(context.Context, auth.Identity) error { close(a.ended); return nil }

func (a *fakeAuth) Ended(string) <-chan struct{} { return a.ended }

// fakeRouter answers from a table and keeps what it was asked.
type fakeRouter struct {
	mu     sync.Mutex
	asked  []switchboard.Message
	answer func(switchboard.Message) (any, error)
	budget int
}

func (r *fakeRouter) Route(context.Context, router.Caller, []byte) []byte { panic("not asked") }

func (r *fakeRouter) Do(_ context.Context, c router.Caller, m switchboard.Message) (any, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.Device != nil || c.User.Name != "ann" {
		return nil, switchboard.Errorf(switchboard.Internal, "wrong caller")
	}
	r.asked = append(r.asked, m)
	return r.answer(m)
}

func (r *fakeRouter) Refused(switchboard.UserID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.budget--; r.budget < 0 {
		return switchboard.Errorf(switchboard.RateLimited, "too many requests").After(1500 * time.Millisecond)
	}
	return nil
}

var (
	threadID = switchboard.NewThreadID("u", "m")
	runID    = threadID.Run(2)
	callID   = runID.Call(1, 0)
)

func answerAll(m switchboard.Message) (any, error) {
	switch m.Type {
	case switchboard.TypeListThreads:
		return switchboard.ThreadList{Threads: []switchboard.ThreadSummary{{ThreadID: threadID}}}, nil
	case switchboard.TypeGetThread:
		if m.ThreadID != string(threadID) {
			return nil, switchboard.Errorf(switchboard.NotFound, "no such thing").At("thread_id")
		}
		return page(m.Payload.(*switchboard.GetThread)), nil
	}
	return switchboard.Ack{ThreadID: threadID, RunID: runID, N: 2}, nil
}

// page gives the thread two events a time.
func page(p *switchboard.GetThread) switchboard.EventPage {
	at := switchboard.At(time.Unix(0, 0))
	all := []switchboard.Event{
		{Type: switchboard.ThreadRenamed, Payload: &switchboard.ThreadRenamedEvent{Title: "t"}},
		{Type: switchboard.UserMessageAccepted, RunID: runID, Payload: &switchboard.UserMessageEvent{RunID: runID, Text: "hi"}},
		{Type: switchboard.AgentStarted, RunID: runID, Payload: &switchboard.AgentStartedEvent{Attempt: 1}},
		{Type: switchboard.ToolApprovalRequired, RunID: runID, Payload: &switchboard.ToolApprovalRequiredEvent{CallID: callID, Arguments: json.RawMessage("{}")}},
		{Type: switchboard.ThreadRenamed, Payload: &switchboard.ThreadRenamedEvent{Title: "t2"}},
		{Type: switchboard.ToolDecided, RunID: runID, Payload: &switchboard.ToolDecidedEvent{CallID: callID}},
		{Type: switchboard.AgentCompleted, RunID: runID, Payload: &switchboard.AgentCompletedEvent{Text: "done"}},
	}
	var out switchboard.EventPage
	for i, e := range all {
		e.ThreadID, e.N, e.Time = threadID, uint64(i+1), at
		if e.N <= p.After {
			continue
		}
		if len(out.Events) == 2 {
			out.Next = e.N - 1
			break
		}
		b, _ := switchboard.EncodeEvent(e)
		out.Events = append(out.Events, b)
	}
	return out
}

type rig struct {
	url    string
	auth   *fakeAuth
	router *fakeRouter
	server *transport.Server
}

func newRig(t *testing.T) *rig {
	r := &rig{auth: &fakeAuth{make(chan struct{})}, router: &fakeRouter{answer: answerAll, budget: 1000}}
	var err error
	r.server, err = transport.New(transport.Config{Version: "1.2.3", Log: slog.New(slog.NewTextHandler(io.Discard, nil))}, r.auth, r.router, nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		Agents: func(context.Context, switchboard.UserID) ([]Agent, error) { return []Agent{{Name: "assistant"}}, nil },
	}
	if err := Mount(cfg, r.server, r.auth, r.router); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(r.server.Handler())
	t.Cleanup(s.Close)
	r.url = s.URL
	return r
}

type header map[string]string

// do sends a request with the token and, with a body, as JSON, unless the header says otherwise ("" removes).
func (r *rig) do(t *testing.T, method, path, body string, h header) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer good")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for k, v := range h {
		if req.Header.Set(k, v); v == "" {
			req.Header.Del(k)
		}
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

func TestEveryOperationIsAMessage(t *testing.T) {
	thread, run := string(threadID), string(runID)
	for _, c := range []struct {
		method, path, body string
		status             int
		want               switchboard.Message
	}{
		{"GET", "/threads", "", 200, switchboard.Message{Payload: &switchboard.ListThreads{}}},
		{"GET", "/threads?before=x&limit=5", "", 200, switchboard.Message{Payload: &switchboard.ListThreads{Before: "x", Limit: 5}}},
		{"GET", "/threads/" + thread, "", 200, switchboard.Message{ThreadID: thread, Payload: &switchboard.GetThread{}}},
		{"GET", "/threads/" + thread + "/events?after=3&limit=7", "", 200, switchboard.Message{ThreadID: thread, Payload: &switchboard.GetThread{After: 3, Limit: 7}}},
		{"GET", "/threads/" + thread + "/events?before=3", "", 200, switchboard.Message{ThreadID: thread, Payload: &switchboard.GetThread{Before: 3}}},
		{"PATCH", "/threads/" + thread, `{"title":"new"}`, 200, switchboard.Message{ID: "key", ThreadID: thread, Payload: &switchboard.RenameThread{Title: "new"}}},
		{"DELETE", "/threads/" + thread, "", 200, switchboard.Message{ID: "key", ThreadID: thread, Payload: &switchboard.DeleteThread{}}},
		{"POST", "/threads/messages", `{"text":"hi"}`, 202, switchboard.Message{ID: "key", Payload: &switchboard.UserMessage{Text: "hi"}}},
		{"POST", "/threads/" + thread + "/messages", ` {"text":"hi","on_busy":"steer"} `, 202, switchboard.Message{ID: "key", ThreadID: thread, Payload: &switchboard.UserMessage{Text: "hi", OnBusy: "steer"}}},
		{"POST", "/threads/messages", `{"agent":"a","input":{"x":1}}`, 202, switchboard.Message{ID: "key", Payload: &switchboard.StartAgent{Agent: "a", Input: json.RawMessage(`{"x":1}`)}}},
		{"POST", "/runs/" + run + "/stop", "", 202, switchboard.Message{ID: "key", Payload: &switchboard.StopAgent{RunID: run}}},
		{"POST", "/runs/" + run + "/stop", "{}", 202, switchboard.Message{ID: "key", Payload: &switchboard.StopAgent{RunID: run}}},
		{"POST", "/runs/" + run + "/ratings", `{"rating":"down","comment":"no"}`, 202, switchboard.Message{ID: "key", Payload: &switchboard.RateAnswer{RunID: run, Rating: "down", Comment: "no"}}},
		{"POST", "/runs/" + run + "/decisions", `{"call_id":"` + string(callID) + `","decision":"deny"}`, 202, switchboard.Message{ID: "key", ThreadID: thread, Payload: &switchboard.ToolDecision{CallID: string(callID), Decision: "deny"}}},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			r := newRig(t)
			h := header{}
			if c.method != "GET" {
				h["Idempotency-Key"] = "key"
			}
			res, body := r.do(t, c.method, "/api/v1"+c.path, c.body, h)
			if res.StatusCode != c.status || len(r.router.asked) != 1 {
				t.Fatalf("%d %s, asked %d times", res.StatusCode, body, len(r.router.asked))
			}
			got := r.router.asked[0]
			if got.ID == "" || c.want.ID != "" && got.ID != c.want.ID || got.ThreadID != c.want.ThreadID || !reflect.DeepEqual(got.Payload, c.want.Payload) {
				t.Errorf("asked %+v %+v, want %+v %+v", got, got.Payload, c.want, c.want.Payload)
			}
			if c.method != "GET" && !strings.Contains(body, `"run_id":"`+run) {
				t.Errorf("no ack: %s", body)
			}
			if c.method != "GET" {
				_, _ = r.do(t, c.method, "/api/v1"+c.path, c.body, nil)
				if made := r.router.asked[1].ID; len(made) < 20 || made == got.ID {
					t.Errorf("id %q was made for a request without a key", made)
				}
			}
		})
	}
}

func TestErrors(t *testing.T) {
	thread, run := string(threadID), string(runID)
	const messages = "/threads/messages"
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	for _, c := range []struct {
		name, method, path, body string
		h                        header
		status                   int
		code, field              string
	}{
		{"no token", "GET", "/me", "", header{"Authorization": ""}, 401, "unauthenticated", ""},
		{"bad token", "GET", "/threads", "", header{"Authorization": "Bearer bad"}, 401, "unauthenticated", ""},
		{"no token goes before bad body", "POST", messages, "x", header{"Authorization": ""}, 401, "unauthenticated", ""},
		{"wrong password", "POST", "/auth/login", `{"username":"ann","password":"` + secret + `x"}`, nil, 401, "unauthenticated", ""},
		{"login, unknown field", "POST", "/auth/login", `{"username":"ann","password":"` + secret + `","x":1}`, nil, 400, "invalid", "x"},
		{"login, other case", "POST", "/auth/login", `{"username":"ann","Password":"` + secret + `"}`, nil, 400, "invalid", "Password"},
		{"login, twice", "POST", "/auth/login", `{"username":"ann","password":"` + secret + `","password":"` + secret + `"}`, nil, 400, "invalid", "password"},
		{"login, missing", "POST", "/auth/login", `{"username":"ann"}`, nil, 400, "invalid", "password"},
		{"login, wrong type", "POST", "/auth/login", `{"username":"ann","password":["` + secret + `"]}`, nil, 400, "invalid", "password"},
		{"login, no JSON", "POST", "/auth/login", secret, nil, 400, "invalid", ""},
		{"login, form", "POST", "/auth/login", "username=ann", header{"Content-Type": "application/x-www-form-urlencoded"}, 400, "invalid", "Content-Type"},
		{"login, empty", "POST", "/auth/login", "", header{"Content-Type": "application/json"}, 400, "invalid", ""},
		{"text/plain", "POST", messages, `{"text":"hi"}`, header{"Content-Type": "text/plain"}, 400, "invalid", "Content-Type"},
		{"no content type", "POST", messages, `{"text":"hi"}`, header{"Content-Type": ""}, 400, "invalid", "Content-Type"},
		{"no text", "POST", messages, `{}`, nil, 400, "invalid", "text"},
		{"predecessor's field", "POST", messages, `{"content":"` + secret + `"}`, nil, 400, "invalid", "content"},
		{"mass assignment", "POST", messages, `{"text":"hi","user_id":"` + secret + `"}`, nil, 400, "invalid", "user_id"},
		{"duplicate", "POST", messages, `{"text":"a","text":"b"}`, nil, 400, "invalid", "text"},
		{"other case", "POST", messages, `{"Text":"a"}`, nil, 400, "invalid", "Text"},
		{"wrong type", "POST", messages, `{"text":7}`, nil, 400, "invalid", "text"},
		{"enum", "POST", messages, `{"text":"hi","on_busy":"` + secret + `"}`, nil, 400, "invalid", "on_busy"},
		{"array", "POST", messages, `[]`, nil, 400, "invalid", ""},
		{"null", "POST", messages, `null`, nil, 400, "invalid", ""},
		{"empty", "POST", messages, "", header{"Content-Type": "application/json"}, 400, "invalid", ""},
		{"cut", "POST", messages, `{"text":"hi"`, nil, 400, "invalid", ""},
		{"two values", "POST", messages, `{"text":"hi"} {}`, nil, 400, "invalid", ""},
		{"breaks out of the payload", "POST", messages, `{"text":"hi"},"thread_id":"` + thread + `"`, nil, 400, "invalid", ""},
		{"bad UTF-8", "POST", messages, "{\"text\":\"\xff\"}", nil, 400, "invalid", "text"},
		{"lone surrogate", "POST", messages, `{"text":"\ud800"}`, nil, 400, "invalid", "text"},
		{"NUL", "POST", messages, `{"text":"\u0000"}`, nil, 400, "invalid", "text"},
		{"1e400", "POST", messages, `{"agent":"a","input":{"x":1e400}}`, nil, 400, "invalid", "input.x"},
		{"NaN", "POST", messages, `{"agent":"a","input":{"x":NaN}}`, nil, 400, "invalid", "input.x"},
		{"deep", "POST", messages, `{"agent":"a","input":` + deep + `}`, nil, 400, "invalid", "*"},
		{"large", "POST", messages, `{"text":"` + strings.Repeat("x", 256<<10) + `"}`, nil, 413, "too_large", ""},
		{"bad key", "POST", messages, `{"text":"hi"}`, header{"Idempotency-Key": "a b"}, 400, "invalid", "Idempotency-Key"},
		{"long key", "DELETE", "/threads/" + thread, "", header{"Idempotency-Key": strings.Repeat("a", 65)}, 400, "invalid", "*"},
		{"no title", "PATCH", "/threads/" + thread, `{"title":" "}`, nil, 400, "invalid", "title"},
		{"limit", "GET", "/threads?limit=" + "9999", "", nil, 400, "invalid", "limit"},
		{"limit, no number", "GET", "/threads?limit=" + "abc", "", nil, 400, "invalid", "query.limit"},
		{"limit, negative", "GET", "/threads?limit=-1", "", nil, 400, "invalid", "query.limit"},
		{"after and before", "GET", "/threads/" + thread + "/events?after=1&before=3", "", nil, 400, "invalid", "before"},
		{"unknown parameter", "GET", "/threads?user=bob", "", nil, 400, "invalid", "query.user"},
		{"foreign thread", "GET", "/threads/" + string(switchboard.NewThreadID("x", "y")), "", nil, 404, "not_found", "thread_id"},
		{"malformed run", "GET", "/runs/x", "", nil, 404, "not_found", "run_id"},
		{"run that is no run", "GET", "/runs/" + string(threadID.Run(3)), "", nil, 404, "not_found", "run_id"},
		{"run beyond the end", "GET", "/runs/" + string(threadID.Run(99)), "", nil, 404, "not_found", "run_id"},
		{"foreign run", "GET", "/runs/" + string(switchboard.NewThreadID("x", "y").Run(1)), "", nil, 404, "not_found", "thread_id"},
		{"call of another run", "POST", "/runs/" + string(threadID.Run(7)) + "/decisions", `{"call_id":"` + string(callID) + `","decision":"deny"}`, nil, 404, "not_found", "call_id"},
		{"decision", "POST", "/runs/" + run + "/decisions", `{"call_id":"` + string(callID) + `","decision":"maybe"}`, nil, 400, "invalid", "decision"},
		{"stop with a body", "POST", "/runs/" + run + "/stop", `{"x":1}`, nil, 400, "invalid", "x"},
		{"unknown path", "GET", "/nothing", "", nil, 404, "not_found", ""},
		{"unknown method", "PUT", "/threads", "", nil, 405, "unsupported", ""},
		{"cookie without origin", "POST", messages, `{"text":"hi"}`, header{"Authorization": "", "Cookie": "switchboard_session=good"}, 403, "forbidden", "Origin"},
		{"cookie, foreign origin", "POST", messages, `{"text":"hi"}`, header{"Authorization": "", "Cookie": "switchboard_session=good", "Origin": "http://evil.example"}, 403, "forbidden", "Origin"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			res, body := r.do(t, c.method, "/api/v1"+c.path, c.body, c.h)
			var p transport.Problem
			if err := json.Unmarshal([]byte(body), &p); err != nil {
				t.Fatalf("%d %q: %v", res.StatusCode, body, err)
			}
			if res.StatusCode != c.status || p.Status != c.status || string(p.Code) != c.code || c.field != "*" && p.Field != c.field {
				t.Errorf("%d %s, want %d %s %q", res.StatusCode, body, c.status, c.code, c.field)
			}
			if ct := res.Header.Get("Content-Type"); ct != "application/problem+json" || p.Type != "about:blank" || p.Title != http.StatusText(c.status) || p.Detail == "" {
				t.Errorf("%s %s", ct, body)
			}
			if strings.Contains(body, secret) || strings.Contains(body, "9999") || strings.Contains(body, "abc") {
				t.Errorf("echoes a value: %s", body)
			}
			if asked := len(r.router.asked); asked > 0 && c.status != 404 {
				t.Errorf("asked the router %d times", asked)
			}
		})
	}
}

func TestErrorsOfTheRouter(t *testing.T) {
	r := newRig(t)
	for code, info := range switchboard.Codes {
		if info.HTTP == 0 {
			continue
		}
		r.router.answer = func(switchboard.Message) (any, error) {
			return nil, switchboard.Errorf(code, "because").At("payload.text").After(1200 * time.Millisecond)
		}
		res, body := r.do(t, "POST", "/api/v1/threads/messages", `{"text":"hi"}`, nil)
		if res.StatusCode != info.HTTP || !strings.Contains(body, `"code":"`+string(code)+`"`) ||
			!strings.Contains(body, `"field":"text"`) || !strings.Contains(body, `"retry_after_ms":1200`) || res.Header.Get("Retry-After") != "2" {
			t.Errorf("%s: %d %s %v", code, res.StatusCode, body, res.Header)
		}
	}
	r.router.answer = func(switchboard.Message) (any, error) { return nil, io.ErrUnexpectedEOF }
	if res, body := r.do(t, "GET", "/api/v1/threads", "", nil); res.StatusCode != 500 || strings.Contains(body, "EOF") {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}

func TestRefusedRequestsAreLimited(t *testing.T) {
	r := newRig(t)
	r.router.budget = 1
	for i, want := range []int{400, 429, 429} {
		if res, body := r.do(t, "POST", "/api/v1/threads/messages", `{}`, nil); res.StatusCode != want {
			t.Errorf("request %d: %d %s", i, res.StatusCode, body)
		}
	}
}

func TestSession(t *testing.T) {
	r := newRig(t)
	res, body := r.do(t, "POST", "/api/v1/auth/login", `{"username":"ann","password":"`+secret+`"}`, header{"Authorization": ""})
	var s Session
	if err := json.Unmarshal([]byte(body), &s); err != nil || res.StatusCode != 200 || s.Token != "good" || s.User.Name != "ann" || s.ExpiresAt.Before(time.Now()) {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	cookies := res.Cookies()
	if len(cookies) != 1 || cookies[0].Name != "switchboard_session" || cookies[0].Value != "good" || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteStrictMode {
		t.Fatalf("cookies %v", cookies)
	}
	withCookie := header{"Authorization": "", "Cookie": "switchboard_session=good", "Origin": r.url}
	if res, body := r.do(t, "GET", "/api/v1/me", "", header{"Authorization": "", "Cookie": "switchboard_session=good"}); res.StatusCode != 200 || !strings.Contains(body, `"ann"`) {
		t.Errorf("me: %d %s", res.StatusCode, body)
	}
	res, body = r.do(t, "POST", "/api/v1/auth/logout", "", withCookie)
	if res.StatusCode != 200 || len(res.Cookies()) != 1 || res.Cookies()[0].MaxAge >= 0 {
		t.Errorf("logout: %d %s %v", res.StatusCode, body, res.Cookies())
	}
	select {
	case <-r.auth.ended:
	default:
		t.Error("the session goes on")
	}
}

func TestRun(t *testing.T) {
	r := newRig(t)
	res, body := r.do(t, "GET", "/api/v1/runs/"+string(runID), "", nil)
	var run Run
	if err := json.Unmarshal([]byte(body), &run); err != nil || res.StatusCode != 200 {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	if run.RunID != runID || run.ThreadID != threadID || run.Status != RunCompleted || len(run.Events) != 5 {
		t.Errorf("%+v", run)
	}
	waiting := map[switchboard.CallID]bool{}
	var got []RunStatus
	s := RunQueued
	for _, b := range run.Events {
		e, err := switchboard.DecodeEvent(b)
		if err != nil {
			t.Fatal(err)
		}
		s = follow(s, e, waiting)
		got = append(got, s)
	}
	if want := []RunStatus{RunQueued, RunRunning, RunWaiting, RunRunning, RunCompleted}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestAgents(t *testing.T) {
	r := newRig(t)
	if _, body := r.do(t, "GET", "/api/v1/agents", "", nil); !strings.Contains(body, `{"agents":[{"name":"assistant"}]}`) {
		t.Error(body)
	}
	if _, body := r.do(t, "GET", "/api/v1/tools", "", nil); !strings.Contains(body, `{"tools":[]}`) {
		t.Error(body)
	}
}
