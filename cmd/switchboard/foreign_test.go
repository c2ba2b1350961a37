package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
)

// victim has a thread whose run waits for an approval.
type victim struct {
	token  string
	ack    switchboard.Ack
	call   switchboard.CallID
	cursor switchboard.Cursor
	seen   *history
}

func newVictim(t tb, s *server, name string) victim {
	t.Helper()
	v := victim{token: s.user(t, name), seen: newHistory()}
	conn := v.seen.connect(t, s, v.token)
	untilType(t, conn, switchboard.TypeCaughtUp)
	v.ack = say(t, conn, "Please fetch https://example.com/the-canary-of-"+name)
	f := untilType(t, conn, string(switchboard.ToolApprovalRequired))
	v.call, v.cursor = f.Event.Payload.(*switchboard.ToolApprovalRequiredEvent).CallID, f.Event.Cursor
	return v
}

// ids of three kinds: somebody else's, of nobody, and no ids.
func (v victim) kinds() map[string][3]string {
	nobody := switchboard.ThreadID("abcdefghijklmnopqrstuvwxyz")
	out := map[string][3]string{
		"foreign": {string(v.ack.ThreadID), string(v.ack.RunID), string(v.call)},
		"unknown": {string(nobody), string(nobody.Run(1)), string(nobody.Run(1).Call(1, 0))},
	}
	for i, bad := range []string{"../..", "a.*.>", strings.ToUpper(string(v.ack.ThreadID)), string(v.ack.ThreadID) + "\r\nx", strings.Repeat("x", 4096), "$JS.API"} {
		out[fmt.Sprintf("malformed %d", i+1)] = [3]string{bad, bad + ".1", bad + ".1.1.0"}
	}
	return out
}

// TestE2EForeignIDs asks for everything of another user: over the socket and the JSON API it is as if it did not exist,
// and nothing of it changes or shows.
func TestE2EForeignIDs(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), "--fetch-url")
	bob := newVictim(t, s, "bob")
	before := s.stored(t, bob.token, bob.ack.ThreadID)
	ann := newVictim(t, s, "ann")
	d := s.raw(t, ann.token)

	socket := map[string]map[string]string{}
	api := map[string]map[string]string{}
	for kind, ids := range bob.kinds() {
		socket[kind], api[kind] = foreignFrames(t, d, ids), foreignRequests(t, s, ann.token, ids)
	}
	for name, unknown := range socket["unknown"] {
		if foreign := socket["foreign"][name]; foreign != unknown {
			t.Errorf("socket, %s: a foreign id answers\n%s\nand an unknown one\n%s", name, foreign, unknown)
		}
	}
	for name, unknown := range api["unknown"] {
		if foreign := api["foreign"][name]; foreign != unknown {
			t.Errorf("API, %s: a foreign id answers\n%s\nand an unknown one\n%s", name, foreign, unknown)
		}
	}

	// A thread of one's own with a run of another.
	for _, frame := range []string{
		fmt.Sprintf(`{"type":"stop_agent","id":"own","thread_id":%q,"payload":{"run_id":%q}}`, ann.ack.ThreadID, bob.ack.RunID),
		fmt.Sprintf(`{"type":"tool_decision","id":"own","thread_id":%q,"payload":{"call_id":%q,"decision":"approve"}}`, ann.ack.ThreadID, bob.call),
	} {
		d.refuses(frame, frame, switchboard.NotFound, "thread_id", "own")
	}
	foreignCursor(t, s, ann, bob)

	if after := s.stored(t, bob.token, bob.ack.ThreadID); !bytes.Equal(bytes.Join(before, nil), bytes.Join(after, nil)) {
		t.Errorf("the thread has changed:\n%s", lines(after))
	}
	// Its owner may decide, once.
	a := s.do(t, "POST", "/api/v1/runs/"+string(bob.ack.RunID)+"/decisions", fmt.Sprintf(`{"call_id":%q,"decision":"deny"}`, bob.call), "Authorization", "Bearer "+bob.token)
	if a.status != 202 {
		t.Errorf("deny: %d %s", a.status, a.body)
	}
	a = s.do(t, "POST", "/api/v1/runs/"+string(bob.ack.RunID)+"/decisions", fmt.Sprintf(`{"call_id":%q,"decision":"approve"}`, bob.call), "Authorization", "Bearer "+bob.token)
	if a.status != 409 {
		t.Errorf("approve after deny: %d %s", a.status, a.body)
	}
	s.end(t, "TERM")
}

// foreignFrames sends each type that has an id; all must be answered by not_found.
func foreignFrames(t *testing.T, d *rawDevice, ids [3]string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name, m := range map[string]switchboard.Message{
		"user_message":          {ThreadID: ids[0], Payload: &switchboard.UserMessage{Text: "x"}},
		"start_agent":           {ThreadID: ids[0], Payload: &switchboard.StartAgent{Agent: "assistant"}},
		"rename_thread":         {ThreadID: ids[0], Payload: &switchboard.RenameThread{Title: "x"}},
		"delete_thread":         {ThreadID: ids[0], Payload: &switchboard.DeleteThread{}},
		"get_thread":            {ThreadID: ids[0], Payload: &switchboard.GetThread{}},
		"stop_agent":            {Payload: &switchboard.StopAgent{RunID: ids[1]}},
		"stop_agent, thread":    {ThreadID: ids[0], Payload: &switchboard.StopAgent{RunID: ids[1]}},
		"rate_answer":           {Payload: &switchboard.RateAnswer{RunID: ids[1], Rating: switchboard.RatedUp}},
		"rate_answer, thread":   {ThreadID: ids[0], Payload: &switchboard.RateAnswer{RunID: ids[1], Rating: switchboard.RatedUp}},
		"resync_message":        {Payload: &switchboard.ResyncMessage{RunID: ids[1]}},
		"tool_decision":         {Payload: &switchboard.ToolDecision{CallID: ids[2], Decision: switchboard.Approve}},
		"tool_decision, thread": {ThreadID: ids[0], Payload: &switchboard.ToolDecision{CallID: ids[2], Decision: switchboard.Approve}},
	} {
		m.ID = "same"
		frame, err := switchboard.EncodeMessage(m)
		if err != nil {
			t.Fatal(err)
		}
		all := d.answers(string(frame))
		if len(all) != 1 || all[0].problem.Code != switchboard.NotFound || all[0].problem.Field == "" || strings.Contains(all[0].raw, ids[0]) {
			t.Errorf("%s: %+v", frame, all)
			continue
		}
		out[name] = all[0].raw
	}
	return out
}

// foreignRequests calls each route that has an id; all must be answered by 404.
func foreignRequests(t *testing.T, s *server, token string, ids [3]string) map[string]string {
	t.Helper()
	out := map[string]string{}
	path := func(format, id string) string {
		return fmt.Sprintf(format, strings.NewReplacer("/", "%2F", "\r", "%0D", "\n", "%0A", "*", "%2A", ">", "%3E", "$", "%24").Replace(id))
	}
	decision := fmt.Sprintf(`{"call_id":%s,"decision":"approve"}`, quote(ids[2]))
	for _, c := range []struct{ method, path, body string }{
		{"GET", path("/api/v1/threads/%s", ids[0]), ""},
		{"GET", path("/api/v1/threads/%s/events", ids[0]), ""},
		{"GET", path("/api/v1/threads/%s/events?before=5", ids[0]), ""},
		{"PATCH", path("/api/v1/threads/%s", ids[0]), `{"title":"x"}`},
		{"DELETE", path("/api/v1/threads/%s", ids[0]), ""},
		{"POST", path("/api/v1/threads/%s/messages", ids[0]), `{"text":"x"}`},
		{"POST", path("/api/v1/threads/%s/messages", ids[0]), `{"agent":"assistant","input":{}}`},
		{"GET", path("/api/v1/runs/%s", ids[1]), ""},
		{"POST", path("/api/v1/runs/%s/stop", ids[1]), ""},
		{"POST", path("/api/v1/runs/%s/decisions", ids[1]), decision},
		{"POST", path("/api/v1/runs/%s/ratings", ids[1]), `{"rating":"up"}`},
	} {
		a := s.do(t, c.method, c.path, c.body, "Authorization", "Bearer "+token)
		var p switchboard.Problem
		if err := json.Unmarshal(a.body, &p); err != nil || a.status != http.StatusNotFound || p.Code != switchboard.NotFound || bytes.Contains(a.body, []byte(ids[0])) {
			t.Errorf("%s %s: %d %s", c.method, c.path, a.status, a.body)
		}
		out[c.method+" "+strings.NewReplacer(ids[0], "ID").Replace(c.path)+" "+c.body[:min(len(c.body), 8)]] = string(a.body)
	}
	return out
}

func quote(s string) string {
	b, _ := json.Marshal(s) // strings always encode
	return string(b)
}

// foreignCursor uses a cursor of bob's on ann's connections: they are told to reload, and get nothing of his.
func foreignCursor(t *testing.T, s *server, ann, bob victim) {
	t.Helper()
	h := newHistory()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := client.Dial(ctx, client.Config{URL: s.url, Token: ann.token, Cursor: bob.cursor, Received: h.take})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if conn.Established().Resync == nil {
		t.Error("another user's cursor was honoured")
	}
	untilType(t, conn, switchboard.TypeCaughtUp)
	var r switchboard.ResumeResult
	if err := conn.Do(ctx, switchboard.Message{Payload: &switchboard.Resume{Cursor: bob.cursor}}, &r); err != nil || r.Resync == nil {
		t.Errorf("resume: %+v, %v", r, err)
	}
	settled(t, conn)
	for _, e := range h.events {
		if e.ThreadID == bob.ack.ThreadID {
			t.Errorf("an event of another user: %+v", e)
		}
	}
	a := s.do(t, "GET", "/api/v1/events", "", "Authorization", "Bearer "+ann.token, "Last-Event-ID", string(bob.cursor))
	if a.status != http.StatusGone || !bytes.Contains(a.body, []byte(`"code":"gap"`)) {
		t.Errorf("SSE: %d %s", a.status, a.body)
	}
}
