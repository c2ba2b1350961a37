package switchboard

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
)

// nested returns n arrays in one another.
func nested(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

// text returns a user_message whose text is a JSON string written as it is.
func text(s string) string { return `{"type":"user_message","id":"a","payload":{"text":"` + s + `"}}` }

var brokenFrames = []struct {
	name, frame string
	code        Code
	field, id   string
}{
	{"nothing", "", Invalid, "", ""},
	{"spaces", " \n", Invalid, "", ""},
	{"null", "null", Invalid, "", ""},
	{"an array", `[{"type":"ping","id":"a"}]`, Invalid, "", ""},
	{"a string", `"ping"`, Invalid, "", ""},
	{"a number", "5", Invalid, "", ""},
	{"binary garbage", "\x00\x01\x02\xff\xfe", Invalid, "", ""},
	{"a byte order mark", "\ufeff" + `{"type":"ping","id":"a"}`, Invalid, "", ""},
	{"cut", `{"type":"ping","id":"a"`, Invalid, "", "a"},
	{"cut before the id", `{"payload":{"id":"b"},"type":"ping"`, Invalid, "", ""},
	{"two frames in one", `{"type":"ping","id":"a"}{"type":"ping","id":"b"}`, Invalid, "", "a"},
	{"something behind it", `{"type":"ping","id":"a"} x`, Invalid, "", "a"},
	{"a comma too many", `{"type":"ping","id":"a",}`, Invalid, "", "a"},
	{"a comment", `{"type":"ping","id":"a" /**/}`, Invalid, "", "a"},
	{"single quotes", `{'type':'ping','id':'a'}`, Invalid, "", ""},

	{"nesting of 10,000 in the payload", `{"type":"ping","id":"a","payload":` + nested(10_000) + `}`, Invalid, "payload" + strings.Repeat(".0", 31), "a"},
	{"nesting of 10,000 without an end", strings.Repeat(`{"a":`, 10_000), Invalid, "a" + strings.Repeat(".a", 31), ""},
	{"nesting of 9,000 before the id", `{"payload":` + nested(9_000) + `,"id":"a"}`, Invalid, "payload" + strings.Repeat(".0", 31), "a"},
	{"nesting of 33", `{"type":"ping","id":"a","payload":` + nested(32) + `}`, Invalid, "payload" + strings.Repeat(".0", 31), "a"},

	{"duplicate id", `{"type":"ping","id":"a","id":"b"}`, Invalid, "id", "a"},
	{"duplicate type", `{"type":"ping","type":"resume","id":"a"}`, Invalid, "type", "a"},
	{"duplicate in the payload", `{"type":"user_message","id":"a","payload":{"text":"x","text":"y"}}`, Invalid, "payload.text", "a"},
	{"duplicate by an escape", `{"type":"user_message","id":"a","payload":{"text":"x","t\u0065xt":"y"}}`, Invalid, "payload.text", "a"},
	{"duplicate deep inside", `{"type":"start_agent","id":"a","payload":{"agent":"x","input":{"a":{"b":1,"b":2}}}}`, Invalid, "payload.input.a.b", "a"},
	{"case-variant type", `{"Type":"ping","id":"a"}`, Invalid, "Type", "a"},
	{"case-variant id", `{"type":"ping","ID":"a"}`, Invalid, "ID", ""},
	{"case-variant in the payload", `{"type":"user_message","id":"a","payload":{"text":"x","TEXT":"y"}}`, Invalid, "payload.TEXT", "a"},

	{"NaN", `{"type":"list_threads","id":"a","payload":{"limit":NaN}}`, Invalid, "payload.limit", "a"},
	{"Infinity", `{"type":"list_threads","id":"a","payload":{"limit":-Infinity}}`, Invalid, "payload.limit", "a"},
	{"1e400", `{"type":"list_threads","id":"a","payload":{"limit":1e400}}`, Invalid, "payload.limit", "a"},
	{"1e400 in free input", `{"type":"start_agent","id":"a","payload":{"agent":"x","input":{"v":[1,-1e400]}}}`, Invalid, "payload.input.v.1", "a"},
	{"a fraction", `{"type":"list_threads","id":"a","payload":{"limit":1.5}}`, Invalid, "payload.limit", "a"},
	{"more than 64 bits", `{"type":"get_thread","id":"a","payload":{"after":99999999999999999999}}`, Invalid, "payload.after", "a"},
	{"a negative count", `{"type":"get_thread","id":"a","payload":{"after":-1}}`, Invalid, "payload.after", "a"},

	{"lone high surrogate", text(`x\ud83d`), Invalid, "payload.text", "a"},
	{"lone low surrogate", text(`\udc4b`), Invalid, "payload.text", "a"},
	{"escaped NUL", text(`a\u0000b`), Invalid, "payload.text", "a"},
	{"raw NUL", text("a\x00b"), Invalid, "payload.text", "a"},
	{"raw line feed", text("a\nb"), Invalid, "payload.text", "a"},
	{"bad UTF-8", text("a\xffb"), Invalid, "", "a"},
	{"overlong UTF-8", text("a\xc0\xafb"), Invalid, "", "a"},
	{"a surrogate in UTF-8", text("a\xed\xa0\x80b"), Invalid, "", "a"},

	{"unknown type", `{"type":"nope","id":"a"}`, Unsupported, "type", "a"},
	{"an event's type", `{"type":"agent_completed","id":"a"}`, Unsupported, "type", "a"},
	{"a reply's type", `{"type":"ack","id":"a"}`, Unsupported, "type", "a"},
	{"a type in other letters", `{"type":"PING","id":"a"}`, Unsupported, "type", "a"},
	{"missing type", `{"id":"a","payload":{}}`, Invalid, "type", "a"},
	{"empty type", `{"type":"","id":"a"}`, Invalid, "type", "a"},
	{"type of another type", `{"type":5,"id":"a"}`, Invalid, "type", "a"},
	{"missing id", `{"type":"ping"}`, Invalid, "id", ""},
	{"null id", `{"type":"ping","id":null}`, Invalid, "id", ""},
	{"empty id", `{"type":"ping","id":""}`, Invalid, "id", ""},
	{"numeric id", `{"type":"ping","id":5}`, Invalid, "id", ""},
	{"id of 65", `{"type":"ping","id":"` + strings.Repeat("x", 65) + `"}`, Invalid, "id", ""},
	{"id with a space", `{"type":"ping","id":"a b"}`, Invalid, "id", ""},
	{"id with a wildcard", `{"type":"ping","id":"a.*.>"}`, Invalid, "id", ""},
	{"id that is not ASCII", `{"type":"ping","id":"ä"}`, Invalid, "id", ""},

	{"unknown field", `{"type":"ping","id":"a","room":"b"}`, Invalid, "room", "a"},
	{"a user's id", `{"type":"ping","id":"a","user_id":"b"}`, Invalid, "user_id", "a"},
	{"a number of one's own", `{"type":"user_message","id":"a","n":5,"payload":{"text":"x"}}`, Invalid, "n", "a"},
	{"a cursor of one's own", `{"type":"user_message","id":"a","cursor":"e.1.a","payload":{"text":"x"}}`, Invalid, "cursor", "a"},
	{"a role in the payload", `{"type":"user_message","id":"a","payload":{"text":"x","role":"admin"}}`, Invalid, "payload.role", "a"},
	{"content for text", `{"type":"user_message","id":"a","payload":{"content":"x"}}`, Invalid, "payload.content", "a"},
	{"JSON-RPC", `{"jsonrpc":"2.0","method":"ping","id":"a"}`, Invalid, "jsonrpc", "a"},
	{"a long unknown field", `{"type":"ping","id":"a","` + strings.Repeat("k", 300) + `":1}`, Invalid, strings.Repeat("k", 128), "a"},

	{"null payload", `{"type":"ping","id":"a","payload":null}`, Invalid, "payload", "a"},
	{"payload array", `{"type":"ping","id":"a","payload":[]}`, Invalid, "payload", "a"},
	{"payload string", `{"type":"ping","id":"a","payload":"{}"}`, Invalid, "payload", "a"},
	{"payload number", `{"type":"ping","id":"a","payload":1}`, Invalid, "payload", "a"},
	{"numeric thread", `{"type":"get_thread","id":"a","thread_id":5}`, Invalid, "thread_id", "a"},
	{"numeric text", `{"type":"user_message","id":"a","payload":{"text":5}}`, Invalid, "payload.text", "a"},
	{"limit as text", `{"type":"list_threads","id":"a","payload":{"limit":"1"}}`, Invalid, "payload.limit", "a"},
	{"input that is no object", `{"type":"start_agent","id":"a","payload":{"agent":"x","input":5}}`, Invalid, "payload.input", "a"},
	{"an attachment's wrong type", `{"type":"user_message","id":"a","payload":{"attachments":[{"name":5}]}}`, Invalid, "payload.attachments.0.name", "a"},
}

func TestDecodeMessageRefuses(t *testing.T) {
	for _, c := range brokenFrames {
		t.Run(c.name, func(t *testing.T) {
			m, err := DecodeMessage([]byte(c.frame), DefaultLimits())
			checkError(t, err, c.code, c.field)
			if string(m.ID) != c.id {
				t.Errorf("id %q, want %q", m.ID, c.id)
			}
			if m.Payload != nil {
				t.Errorf("a refused frame has a payload: %+v", m.Payload)
			}
		})
	}
}

func checkError(t *testing.T, err error, code Code, field string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want a typed one", err)
	}
	if e.Code != code || e.Field != field {
		t.Errorf("error %s at %q, want %s at %q", e.Code, e.Field, code, field)
	}
	if e.Message == "" {
		t.Error("the error says nothing")
	}
}

func TestDecodeMessageOversize(t *testing.T) {
	l := DefaultLimits()
	fits := text(strings.Repeat("x", l.FrameBytes-len(text(""))))
	if _, err := DecodeMessage([]byte(fits), l); err != nil {
		t.Errorf("a frame of exactly %d bytes: %v", len(fits), err)
	}
	_, err := DecodeMessage([]byte(fits+" "), l)
	checkError(t, err, TooLarge, "")
}

func TestDecodeMessageTakes(t *testing.T) {
	for name, frame := range map[string]string{
		"nesting of 32":     `{"type":"start_agent","id":"a","payload":{"agent":"x","input":{"v":` + nested(29) + `}}}`,
		"an escaped id":     `{"type":"ping","id":"\u0061"}`,
		"id of 64":          `{"type":"ping","id":"` + strings.Repeat("x", 64) + `"}`,
		"space around":      " {\n\t\"type\" : \"ping\" , \"id\" : \"a\" , \"payload\" : { } } ",
		"no payload":        `{"type":"ping","id":"a"}`,
		"a surrogate pair":  text(`\ud83d\udc4b`),
		"every other thing": text(`\u0001 \u2028 \ufffe <script>`),
		"a great number":    `{"type":"start_agent","id":"a","payload":{"agent":"x","input":{"v":1.7e308}}}`,
	} {
		if m, err := DecodeMessage([]byte(frame), DefaultLimits()); err != nil || m.ID == "" || m.Payload == nil {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}

// TestOldNames: the predecessor's types are refused by name, and the answer says what they are called now.
func TestOldNames(t *testing.T) {
	for old, now := range map[string]string{
		"chat": "user_message", "user_input": "user_message", "agent_request": "start_agent",
		"execute_agent": "start_agent", "heartbeat": "ping",
	} {
		m, err := DecodeMessage([]byte(`{"type":"`+old+`","id":"a","payload":{"content":"x"}}`), DefaultLimits())
		checkError(t, err, Unsupported, "type")
		if m.ID != "a" || !strings.HasSuffix(AsError(err).Message, now) {
			t.Errorf("%s: id %q, message %q", old, m.ID, AsError(err).Message)
		}
	}
}

func TestPayloadRules(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	attachment := `"attachments":[{"name":"a","media_type":"b/c","url":"https://d"}]`
	for _, c := range []struct {
		typ, payload, field string // field "": taken
	}{
		{"user_message", `{"text":" \t\n"}`, "payload.text"},
		{"user_message", `{}`, "payload.text"},
		{"user_message", `{"text":null}`, "payload.text"},
		{"user_message", `{` + attachment + `}`, ""},
		{"user_message", `{"text":"x","attachments":[{"name":"","media_type":"b","url":"https://d"}]}`, "payload.attachments.0.name"},
		{"user_message", `{"text":"x","attachments":[{"name":"a","media_type":"","url":"https://d"}]}`, "payload.attachments.0.media_type"},
		{"user_message", `{"text":"x","attachments":[{"name":"a","media_type":"b","url":"javascript:alert(1)"}]}`, "payload.attachments.0.url"},
		{"user_message", `{"text":"x","attachments":[` + strings.TrimSuffix(strings.Repeat(`{"name":"a","media_type":"b","url":"https://d"},`, 17), ",") + `]}`, "payload.attachments"},
		{"user_message", `{"text":"x","on_busy":"wait"}`, "payload.on_busy"},
		{"user_message", `{"text":"x","on_busy":"rollback"}`, ""},
		{"user_message", `{"text":"x","agent":"a b"}`, "payload.agent"},
		{"user_message", `{"text":"x","agent":"` + long(65) + `"}`, "payload.agent"},
		{"start_agent", `{}`, "payload.agent"},
		{"start_agent", `{"agent":"a:b"}`, "payload.agent"},
		{"start_agent", `{"agent":"a","input":[]}`, "payload.input"},
		{"stop_agent", `{}`, "payload.run_id"},
		{"tool_decision", `{"decision":"approve"}`, "payload.call_id"},
		{"tool_decision", `{"call_id":"x"}`, "payload.decision"},
		{"tool_decision", `{"call_id":"x","decision":"maybe"}`, "payload.decision"},
		{"tool_decision", `{"call_id":"x","decision":"deny","reason":"` + long(2001) + `"}`, "payload.reason"},
		{"tool_decision", `{"call_id":"x","decision":"approve","arguments":"{}"}`, "payload.arguments"},
		{"rate_answer", `{"rating":"up"}`, "payload.run_id"},
		{"rate_answer", `{"run_id":"x"}`, "payload.rating"},
		{"rate_answer", `{"run_id":"x","rating":"5 stars"}`, "payload.rating"},
		{"rate_answer", `{"run_id":"x","rating":"up","comment":"` + long(2001) + `"}`, "payload.comment"},
		{"get_quality_metrics", `{"period_hours":-1}`, "payload.period_hours"},
		{"get_quality_metrics", `{"period_hours":168}`, ""},
		{"get_quality_metrics", `{"period_hours":169}`, "payload.period_hours"},
		{"get_quality_metrics", `{"agent":"a b"}`, "payload.agent"},
		{"validate_content", `{"content":"x","content_type":"poem"}`, "payload.content_type"},
		{"rename_thread", `{"title":"  "}`, "payload.title"},
		{"rename_thread", `{"title":"` + strings.Repeat("ä", 200) + `"}`, ""},
		{"rename_thread", `{"title":"` + long(201) + `"}`, "payload.title"},
		{"resume", `{}`, "payload.cursor"},
		{"resync_message", `{}`, "payload.run_id"},
		{"list_threads", `{"limit":51}`, "payload.limit"},
		{"list_threads", `{"limit":-1}`, "payload.limit"},
		{"get_thread", `{"limit":201}`, "payload.limit"},
		{"get_thread", `{"after":1,"before":2}`, "payload.before"},
		{"authenticate", `{}`, "payload.token"},
		{"subscribe_quality_alerts", `{}`, "payload.action"},
		{"validate_content", `{}`, "payload.content"},
		{"generate_quality_report", `{"report_type":"summary","period":"year"}`, "payload.period"},
		{"generate_quality_report", `{"report_type":"poem","period":"day"}`, "payload.report_type"},
	} {
		m, err := DecodeMessage([]byte(`{"type":"`+c.typ+`","id":"a","payload":`+c.payload+`}`), DefaultLimits())
		if c.field == "" {
			if err != nil {
				t.Errorf("%s %s: %v", c.typ, c.payload, err)
			}
			continue
		}
		t.Run(c.typ+" "+c.field, func(t *testing.T) { checkError(t, err, Invalid, c.field) })
		if m.ID != "a" {
			t.Errorf("%s %s: id %q", c.typ, c.payload, m.ID)
		}
	}
}

// TestErrorsKeepSecrets: an error names the place, never the value.
func TestErrorsKeepSecrets(t *testing.T) {
	const secret = "canary7f3a"
	for _, frame := range []string{
		`{"type":"` + secret + `","id":"a"}`,
		`{"type":"ping","id":"` + secret + ` "}`,
		`{"type":"ping","id":"a","thread_id":["` + secret + `"]}`,
		`{"type":"list_threads","id":"a","payload":{"limit":"` + secret + `"}}`,
		`{"type":"user_message","id":"a","payload":{"text":"x","on_busy":"` + secret + `"}}`,
		`{"type":"user_message","id":"a","payload":{"text":"` + secret + `\ud800"}}`,
		`{"type":"user_message","id":"a","payload":{"text":"` + secret + `"}`,
	} {
		m, err := DecodeMessage([]byte(frame), DefaultLimits())
		if err == nil {
			t.Fatalf("%s was taken", frame)
		}
		if reply := string(EncodeReply(m.ID, AsError(err))); strings.Contains(reply, secret) {
			t.Errorf("%s is answered %s", frame, reply)
		}
	}
}

func TestInternalErrorsSayNothing(t *testing.T) {
	reply := string(EncodeReply("a", AsError(errors.New("dial tcp 10.0.0.7: refused"))))
	if !strings.Contains(reply, `"code":"internal"`) || strings.Contains(reply, "10.0.0.7") {
		t.Error(reply)
	}
	reply = string(EncodeReply("a", Wrap(Unavailable, "try again", errors.New("disk sda1"))))
	if strings.Contains(reply, "sda1") {
		t.Error(reply)
	}
}

// TestCodesComplete: every code says what it means at an edge, and what to do.
func TestCodesComplete(t *testing.T) {
	for code, info := range Codes {
		switch {
		case info.HTTP == 0 && info.Close == 0:
			t.Errorf("%s has neither a status nor a close code", code)
		case info.Client == "":
			t.Errorf("%s does not say what to do", code)
		case info.Close != 0 && info.Close != 1009 && (info.Close < 4000 || info.Close > 4999):
			t.Errorf("%s closes with %d", code, info.Close)
		case info.HTTP != 0 && (info.HTTP < 400 || info.HTTP > 599):
			t.Errorf("%s answers %d", code, info.HTTP)
		}
	}
}

func TestDecodeEventRefuses(t *testing.T) {
	for _, b := range []string{
		``, `{}`, `null`, `[]`, `{"type":"nope","payload":{}}`, `{"type":"agent_started"}`,
		`{"type":"agent_started","payload":[]}`, `{"type":"agent_started","payload":{"attempt":"1"}}`,
		`{"type":"agent_started","time":"yesterday","payload":{}}`, `{"type":"agent_started","n":-1,"payload":{}}`,
	} {
		if e, err := DecodeEvent([]byte(b)); err == nil {
			t.Errorf("%s was taken as %+v", b, e)
		}
	}
}

// TestFramesGrow: what a later server adds is ignored.
func TestFramesGrow(t *testing.T) {
	f, err := DecodeFrame([]byte(`{"type":"agent_started","x":1,"n":1,"time":"2026-11-23T17:49:03Z","payload":{"agent":"a","attempt":1,"new":[]}}`))
	if err != nil || f.Event == nil {
		t.Errorf("%+v, %v", f, err)
	}
	if f, err := DecodeFrame([]byte(`{"type":"agent_dreamt","payload":{"x":1}}`)); err != nil || f.Event != nil || f.Type != "agent_dreamt" {
		t.Errorf("%+v, %v", f, err)
	}
}

func FuzzDecodeMessage(f *testing.F) {
	for _, c := range brokenFrames {
		f.Add([]byte(c.frame))
	}
	for _, c := range wireMessages {
		if b, err := EncodeMessage(Message{ID: "a", ThreadID: c.m.ThreadID, Payload: c.m.Payload}); err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		m, err := DecodeMessage(frame, DefaultLimits())
		if m.ID != "" {
			if _, bad := ParseFrameID(string(m.ID)); bad != nil {
				t.Fatalf("a bad id %q was let through", m.ID)
			}
		}
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || Codes[e.Code].HTTP == 0 || len(e.Field) > 160 {
				t.Fatalf("not a good error: %v", err)
			}
			return
		}
		if fault := loose(frame, DefaultLimits().JSONDepth); fault != "" {
			t.Fatalf("%q was taken: %s", frame, fault)
		}
		if m.ID == "" || m.Payload == nil || m.Payload.MessageType() != m.Type {
			t.Fatalf("taken, but not whole: %+v", m)
		}
		b, err := EncodeMessage(m)
		if err != nil {
			t.Fatalf("cannot be encoded again: %v", err)
		}
		again, err := DecodeMessage(b, Limits{FrameBytes: 8 * len(frame), JSONDepth: 64, PageEvents: 200, PageThreads: 50, TitleChars: 200})
		if err != nil {
			t.Fatalf("%s became %s: %v", frame, b, err)
		}
		if c, err := EncodeMessage(again); err != nil || !bytes.Equal(b, c) || again.Type != m.Type || again.ID != m.ID || again.ThreadID != m.ThreadID {
			t.Fatalf("%s became %s, then %s: %v", frame, b, c, err)
		}
	})
}

// loose says what of our rules a frame breaks that the standard library, which is lenient, takes: "" if none.
func loose(frame []byte, depth int) string {
	d := json.NewDecoder(bytes.NewReader(frame))
	var names []map[string]bool // of the open objects, nil for arrays
	name := false               // whether a name comes next
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return ""
		} else if err != nil {
			return err.Error()
		}
		s, isString := t.(string)
		if name && isString {
			if names[len(names)-1][s] {
				return "the name " + s + " comes twice"
			}
			names[len(names)-1][s], name = true, false
			continue
		}
		switch t {
		case json.Delim('{'):
			names = append(names, map[string]bool{})
		case json.Delim('['):
			names = append(names, nil)
		case json.Delim('}'), json.Delim(']'):
			names = names[:len(names)-1]
		default:
			if strings.ContainsRune(s, 0) {
				return "a NUL"
			}
		}
		if len(names) > depth {
			return "too deep"
		}
		name = len(names) > 0 && names[len(names)-1] != nil
	}
}

func FuzzDecodeEvent(f *testing.F) {
	for _, c := range wireEvents {
		if b, err := EncodeEvent(Event{Type: c.p.EventType(), ThreadID: wireThread, N: 1, Time: wireTime, Payload: c.p}); err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := DecodeEvent(b)
		if err != nil {
			return
		}
		if e.Payload.EventType() != e.Type {
			t.Fatalf("type %s has the payload of %s", e.Type, e.Payload.EventType())
		}
		again, err := EncodeEvent(e)
		if err != nil {
			t.Fatalf("cannot be encoded again: %v", err)
		}
		e2, err := DecodeEvent(again)
		if err != nil {
			t.Fatalf("%s became %s: %v", b, again, err)
		}
		if third, err := EncodeEvent(e2); err != nil || !bytes.Equal(again, third) {
			t.Fatalf("%s became %s, then %s: %v", b, again, third, err)
		}
	})
}

// FuzzDecodeDelta: what decodes encodes and decodes to the same, and an Assembly of anything holds what was added.
func FuzzDecodeDelta(f *testing.F) {
	for _, p := range []DeltaPayload{
		{Attempt: 1, MessageID: "m", Kind: DeltaText, Index: 0, Count: 2, Text: "a b"},
		{Attempt: 2, CallID: "c", Kind: DeltaToolProgress, Progress: new(float64)},
		{Kind: DeltaThinking, Index: 7, Count: -3, Text: "x"},
	} {
		if b, err := EncodeDelta(Delta{ThreadID: wireThread, RunID: wireThread.Run(1), Payload: p}); err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := DecodeDelta(b)
		if err != nil {
			return
		}
		again, err := EncodeDelta(d)
		if err != nil {
			t.Fatalf("cannot be encoded again: %v", err)
		}
		d2, err := DecodeDelta(again)
		if err != nil {
			t.Fatalf("%s became %s: %v", b, again, err)
		}
		if third, err := EncodeDelta(d2); err != nil || !bytes.Equal(again, third) {
			t.Fatalf("%s became %s, then %s: %v", b, again, third, err)
		}
		var a Assembly
		a.Add(DeltaPayload{Index: 0, Count: 1, Text: "begin"})
		if before := a.Text; !a.Add(d.Payload) && a.Text != before {
			t.Fatalf("a gap changed the text: %+v", d.Payload)
		}
	})
}
