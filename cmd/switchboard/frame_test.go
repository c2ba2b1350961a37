package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/netra-systems/switchboard"
)

// rawDevice sends whatever it is told.
type rawDevice struct {
	t     tb
	ws    *websocket.Conn
	pings int
}

func (s *server) raw(t tb, token string) *rawDevice {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, s.url+"/ws", &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}, Subprotocols: []string{switchboard.Protocol},
	})
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	ws.SetReadLimit(8 << 20)
	t.Cleanup(func() { _ = ws.CloseNow() })
	return &rawDevice{t: t, ws: ws}
}

func (d *rawDevice) write(typ websocket.MessageType, frame string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := d.ws.Write(ctx, typ, []byte(frame)); err != nil {
		d.t.Fatalf("write: %v", err)
	}
}

// reply is an answer to a frame, as it came.
type reply struct {
	switchboard.Frame
	raw     string
	problem switchboard.Problem
}

// answers sends a frame and returns all that answers it: what comes before the answer to a ping sent behind it.
func (d *rawDevice) answers(frame string) []reply {
	d.t.Helper()
	d.pings++
	last := fmt.Sprintf("ping-%d", d.pings)
	d.write(websocket.MessageText, frame)
	d.write(websocket.MessageText, `{"type":"ping","id":"`+last+`"}`)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var out []reply
	for {
		_, b, err := d.ws.Read(ctx)
		if err != nil {
			d.t.Fatalf("after %.200s: %v", frame, err)
		}
		f, err := switchboard.DecodeFrame(b)
		if err != nil {
			d.t.Fatalf("%s: %v", b, err)
		}
		switch f.Type {
		case switchboard.TypeAck, switchboard.TypeResult, switchboard.TypeError:
		default:
			continue
		}
		if string(f.ID) == last {
			return out
		}
		r := reply{Frame: f, raw: string(b)}
		if f.Type == switchboard.TypeError {
			if err := f.Decode(&r.problem); err != nil {
				d.t.Fatalf("%s: %v", b, err)
			}
		}
		out = append(out, r)
	}
}

// refuses checks that a frame is answered by exactly one error.
func (d *rawDevice) refuses(name, frame string, code switchboard.Code, field string, id switchboard.FrameID) {
	d.t.Helper()
	all := d.answers(frame)
	if len(all) != 1 || all[0].Type != switchboard.TypeError {
		d.t.Errorf("%s: answered by %+v", name, all)
		return
	}
	r := all[0]
	if r.problem.Code != code || r.problem.Field != field || r.ID != id || r.problem.Message == "" {
		d.t.Errorf("%s: %s, want %s at %q for %q", name, r.raw, code, field, id)
	}
	if len(id) > 3 && strings.Contains(r.problem.Message, string(id)) {
		d.t.Errorf("%s: the message echoes the id: %s", name, r.raw)
	}
}

func nest(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

func userMessage(text string) string {
	return `{"type":"user_message","id":"a","payload":{"text":"` + text + `"}}`
}

var depth32 = strings.Repeat(".0", 31)

// badFrames are refused whoever sends them; id is that of the answer.
var badFrames = []struct {
	name, frame string
	code        switchboard.Code
	field       string
	id          switchboard.FrameID
}{
	{"nothing", "", switchboard.Invalid, "", ""},
	{"no JSON", "hello", switchboard.Invalid, "", ""},
	{"null", "null", switchboard.Invalid, "", ""},
	{"an array", `[{"type":"ping","id":"a"}]`, switchboard.Invalid, "", ""},
	{"cut", `{"type":"ping","id":"a"`, switchboard.Invalid, "", "a"},
	{"two in one", `{"type":"ping","id":"a"}{"type":"ping","id":"b"}`, switchboard.Invalid, "", "a"},
	{"nesting of 10,000", `{"type":"ping","id":"a","payload":` + nest(10_000) + `}`, switchboard.Invalid, "payload" + depth32, "a"},
	{"nesting of 10,000 open", strings.Repeat(`{"a":`, 10_000), switchboard.Invalid, "a" + strings.Repeat(".a", 31), ""},
	{"nesting of 33", `{"type":"ping","id":"a","payload":` + nest(32) + `}`, switchboard.Invalid, "payload" + depth32, "a"},
	{"duplicate id", `{"type":"ping","id":"a","id":"b"}`, switchboard.Invalid, "id", "a"},
	{"duplicate type", `{"type":"ping","type":"user_message","id":"a"}`, switchboard.Invalid, "type", "a"},
	{"duplicate in the payload", `{"type":"user_message","id":"a","payload":{"text":"x","text":"y"}}`, switchboard.Invalid, "payload.text", "a"},
	{"case variant", `{"Type":"ping","id":"a"}`, switchboard.Invalid, "Type", "a"},
	{"case variant twice", `{"type":"ping","Type":"user_message","id":"a"}`, switchboard.Invalid, "Type", "a"},
	{"case variant in the payload", `{"type":"user_message","id":"a","payload":{"Text":"x"}}`, switchboard.Invalid, "payload.Text", "a"},
	{"NaN", `{"type":"list_threads","id":"a","payload":{"limit":NaN}}`, switchboard.Invalid, "payload.limit", "a"},
	{"1e400", `{"type":"list_threads","id":"a","payload":{"limit":1e400}}`, switchboard.Invalid, "payload.limit", "a"},
	{"1e400 in free input", `{"type":"start_agent","id":"a","payload":{"agent":"assistant","input":{"v":1e400}}}`, switchboard.Invalid, "payload.input.v", "a"},
	{"lone surrogate", userMessage(`x\ud83d`), switchboard.Invalid, "payload.text", "a"},
	{"NUL", userMessage(`a\u0000b`), switchboard.Invalid, "payload.text", "a"},
	{"raw NUL", userMessage("a\x00b"), switchboard.Invalid, "payload.text", "a"},
	{"unknown type", `{"type":"make_me_admin","id":"a"}`, switchboard.Unsupported, "type", "a"},
	{"an event's type", `{"type":"agent_completed","id":"a","payload":{"text":"x"}}`, switchboard.Unsupported, "type", "a"},
	{"a reply's type", `{"type":"ack","id":"a"}`, switchboard.Unsupported, "type", "a"},
	{"missing type", `{"id":"a"}`, switchboard.Invalid, "type", "a"},
	{"missing id", `{"type":"user_message","payload":{"text":"x"}}`, switchboard.Invalid, "id", ""},
	{"null id", `{"type":"ping","id":null}`, switchboard.Invalid, "id", ""},
	{"empty id", `{"type":"ping","id":""}`, switchboard.Invalid, "id", ""},
	{"number as id", `{"type":"ping","id":5}`, switchboard.Invalid, "id", ""},
	{"id of 65", `{"type":"ping","id":"` + strings.Repeat("x", 65) + `"}`, switchboard.Invalid, "id", ""},
	{"id of subjects", `{"type":"user_message","id":"$JS.>","payload":{"text":"x"}}`, switchboard.Invalid, "id", ""},
	{"id with a line", `{"type":"user_message","id":"a\r\nb","payload":{"text":"x"}}`, switchboard.Invalid, "id", ""},
	{"content for text", `{"type":"user_message","id":"a","payload":{"content":"x"}}`, switchboard.Invalid, "payload.content", "a"},
	{"empty text", userMessage(" "), switchboard.Invalid, "payload.text", "a"},
	{"JSON-RPC", `{"jsonrpc":"2.0","method":"user_message","id":"a"}`, switchboard.Invalid, "jsonrpc", "a"},
	{"old: chat", `{"type":"chat","id":"a","payload":{"content":"x"}}`, switchboard.Unsupported, "type", "a"},
	{"old: user_input", `{"type":"user_input","id":"a"}`, switchboard.Unsupported, "type", "a"},
	{"old: agent_request", `{"type":"agent_request","id":"a"}`, switchboard.Unsupported, "type", "a"},
	{"old: execute_agent", `{"type":"execute_agent","id":"a"}`, switchboard.Unsupported, "type", "a"},
	{"old: heartbeat", `{"type":"heartbeat","id":"a"}`, switchboard.Unsupported, "type", "a"},
	{"unknown agent", `{"type":"start_agent","id":"a","payload":{"agent":"root"}}`, switchboard.NotFound, "payload.agent", "a"},
	{"no thread to rename", `{"type":"rename_thread","id":"a","payload":{"title":"x"}}`, switchboard.Invalid, "thread_id", "a"},
	{"no thread to delete", `{"type":"delete_thread","id":"a"}`, switchboard.Invalid, "thread_id", "a"},
	{"no thread to get", `{"type":"get_thread","id":"a"}`, switchboard.Invalid, "thread_id", "a"},
}

// payloads has a payload of each type that can be read; later are the types that come with later versions.
var payloads = []struct {
	payload switchboard.MessagePayload
	later   bool
}{
	{&switchboard.UserMessage{Text: "x", Agent: "assistant", OnBusy: switchboard.Enqueue, Attachments: []switchboard.Attachment{}}, false},
	{&switchboard.StartAgent{Agent: "assistant", Text: "x", Input: json.RawMessage("{}")}, false},
	{&switchboard.StopAgent{RunID: "x"}, false},
	{&switchboard.ToolDecision{CallID: "x", Decision: switchboard.Deny, Reason: "x", Arguments: json.RawMessage("{}")}, false},
	{&switchboard.RateAnswer{RunID: "x", Rating: switchboard.RatedUp, Comment: "x"}, false},
	{&switchboard.RenameThread{Title: "x"}, false},
	{&switchboard.DeleteThread{}, false},
	{&switchboard.Resume{Cursor: "x"}, false},
	{&switchboard.ResyncMessage{RunID: "x"}, false},
	{&switchboard.ListThreads{Before: "x", Limit: 1}, false},
	{&switchboard.GetThread{After: 1, Limit: 1}, false},
	{&switchboard.Authenticate{Token: "x"}, true},
	{&switchboard.Ping{}, false},
	{&switchboard.GetQualityMetrics{Agent: "x", PeriodHours: 1}, false},
	{&switchboard.SubscribeQualityAlerts{Action: "subscribe"}, false},
	{&switchboard.ValidateContent{Content: "x", ContentType: "general", Strict: true}, false},
	{&switchboard.GenerateQualityReport{ReportType: "summary", Period: "day"}, false},
}

// fields returns the names of a payload's fields with a value of another type for each.
func fields(p switchboard.MessagePayload) map[string]any {
	out := map[string]any{}
	v := reflect.TypeOf(p).Elem()
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Field(i).Tag.Get("json"), ",")
		out[name] = 5
		switch v.Field(i).Type.Kind() {
		case reflect.Int, reflect.Uint64, reflect.Bool:
			out[name] = "5"
		}
	}
	return out
}

// with returns a frame whose payload has one field set, and whose envelope has one.
func with(t tb, p switchboard.MessagePayload, field string, value any, envelope string) string {
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatalf("%v", err)
	}
	payload := map[string]any{}
	if err := json.Unmarshal(b, &payload); err != nil {
		t.Fatalf("%v", err)
	}
	if field != "" {
		payload[field] = value
	}
	frame := map[string]any{"type": p.MessageType(), "id": "some-id", "payload": payload}
	if envelope != "" {
		frame[envelope] = value
	}
	if b, err = json.Marshal(frame); err != nil {
		t.Fatalf("%v", err)
	}
	return string(b)
}

// TestE2EBadFrames sends what must be refused to a real server: each is answered by exactly one typed error, none is
// acknowledged, nothing is stored, and the server lives.
func TestE2EBadFrames(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	t.Run("frames", func(t *testing.T) {
		for _, group := range []struct {
			user string
			send func(t *testing.T, d *rawDevice)
		}{
			{"ann", func(t *testing.T, d *rawDevice) {
				for _, c := range badFrames {
					d.refuses(c.name, c.frame, c.code, c.field, c.id)
				}
			}},
			{"bob", wrongPayloads}, {"cleo", massAssignment},
		} {
			token := s.user(t, group.user)
			t.Run(group.user, func(t *testing.T) {
				t.Parallel()
				d := s.raw(t, token)
				group.send(t, d)
				t.Logf("%d frames refused, each once", d.pings)
				if all := d.answers(`{"type":"list_threads","id":"list"}`); len(all) != 1 || !strings.Contains(all[0].raw, `"threads":[]`) {
					t.Errorf("something was stored: %+v", all)
				}
			})
		}
	})
	t.Run("closes", func(t *testing.T) {
		for _, c := range []struct {
			name  string
			typ   websocket.MessageType
			frame string
			code  websocket.StatusCode
		}{
			{"binary", websocket.MessageBinary, `{"type":"ping","id":"a"}`, websocket.StatusUnsupportedData},
			{"bad UTF-8", websocket.MessageText, userMessage("\xff"), websocket.StatusInvalidFramePayloadData},
			{"surrogate in UTF-8", websocket.MessageText, userMessage("\xed\xa0\x80"), websocket.StatusInvalidFramePayloadData},
			{"oversize", websocket.MessageText, userMessage(strings.Repeat("x", 256<<10)), websocket.StatusMessageTooBig},
		} {
			d := s.raw(t, s.token(t, "ann"))
			d.write(c.typ, c.frame)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			var err error
			for err == nil {
				var b []byte
				if _, b, err = d.ws.Read(ctx); strings.Contains(string(b), `"type":"ack"`) {
					t.Errorf("%s: %s", c.name, b)
				}
			}
			cancel()
			if got := websocket.CloseStatus(err); got != c.code {
				t.Errorf("%s: closed with %v (%v), want %v", c.name, got, err, c.code)
			}
		}
	})
	if a := s.do(t, "GET", "/readyz", ""); a.status != 200 {
		t.Errorf("readyz: %d %s", a.status, a.body)
	}
	s.end(t, "TERM")
}

// wrongPayloads sends payloads of every wrong kind to every type.
func wrongPayloads(t *testing.T, d *rawDevice) {
	for _, p := range payloads {
		typ := p.payload.MessageType()
		for _, v := range []string{"null", "[]", `"x"`, "5", "true"} {
			frame := fmt.Sprintf(`{"type":%q,"id":"a","payload":%s}`, typ, v)
			d.refuses(frame, frame, switchboard.Invalid, "payload", "a")
		}
		for name, value := range fields(p.payload) {
			frame := with(t, p.payload, name, value, "")
			d.refuses(frame, frame, switchboard.Invalid, "payload."+name, "some-id")
		}
		frame := with(t, p.payload, "nope", 1, "")
		d.refuses(frame, frame, switchboard.Invalid, "payload.nope", "some-id")
		if p.later {
			d.refuses(string(typ), with(t, p.payload, "", nil, ""), switchboard.Unsupported, "type", "some-id")
		}
	}
}

// massAssignment sends what only the server may say.
func massAssignment(t *testing.T, d *rawDevice) {
	for _, p := range payloads {
		known := fields(p.payload)
		for _, name := range []string{"user_id", "n", "cursor", "role"} {
			if known[name] == nil {
				frame := with(t, p.payload, name, "admin", "")
				d.refuses(frame, frame, switchboard.Invalid, "payload."+name, "some-id")
			}
			frame := with(t, p.payload, "", "admin", name)
			d.refuses(frame, frame, switchboard.Invalid, name, "some-id")
		}
	}
	for _, name := range []string{"user", "roles", "run_id", "time", "attempt", "seq"} {
		frame := with(t, payloads[0].payload, "", "admin", name)
		d.refuses(frame, frame, switchboard.Invalid, name, "some-id")
	}
}
