package switchboard

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	wireUser   UserID   = "mzxw6ytboi3dkmrqgqzdamjqge"
	wireThread ThreadID = "nbswy3dpeb3w64tmmqqho33snr"
	wireRun    RunID    = "nbswy3dpeb3w64tmmqqho33snr.1"
	wireCall   CallID   = "nbswy3dpeb3w64tmmqqho33snr.1.1.0"
	wireText            = "Grüße, 世界 👋\n<b>&\u2028\"\\"
)

var wireMetrics = QualityMetrics{
	Scope: "all", PeriodHours: 24, Since: wireTime, Complete: true, Total: wireFigures, Agents: []AgentFigures{{Agent: "demo", Figures: wireFigures}},
}

var wireFigures = QualityFigures{
	Completed: 40, Failed: 2, Stopped: 1, Scored: 39, MeanScore: 0.71, Rejected: 3, RejectedShare: 0.075, Retried: 4, RatedUp: 5, RatedDown: 1,
}

var wireTime = At(time.Date(2026, 11, 23, 17, 49, 3, 120_456_789, time.UTC))

// golden compares an encoded frame with its file, which holds it in one line, and returns it.
func golden(t *testing.T, name string, frame []byte) []byte {
	t.Helper()
	path := filepath.Join("testdata", "wire", name+".json")
	if *update {
		if err := os.WriteFile(path, append(frame, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want = bytes.TrimSuffix(want, []byte("\n"))
	if !bytes.Equal(frame, want) {
		t.Errorf("the wire has changed (go test -run Wire -update . writes it anew)\n got %s\nwant %s", frame, want)
	}
	return want
}

// object is how a compared RawMessage must look: compact JSON.
func object(s string) json.RawMessage { return json.RawMessage(s) }

var wireMessages = []struct {
	name string
	m    Message
}{
	{"message.user_message", Message{ThreadID: string(wireThread), Payload: &UserMessage{
		Text: wireText, Agent: "demo", OnBusy: Steer,
		Attachments: []Attachment{{Name: "plan.pdf", MediaType: "application/pdf", URL: "https://files.example.com/plan.pdf"}},
	}}},
	{"message.user_message.least", Message{Payload: &UserMessage{Text: "hello"}}},
	{"message.start_agent", Message{ThreadID: string(wireThread), Payload: &StartAgent{Agent: "demo", Text: "go", Input: object(`{"depth":3}`)}}},
	{"message.start_agent.least", Message{Payload: &StartAgent{Agent: "demo"}}},
	{"message.stop_agent", Message{ThreadID: string(wireThread), Payload: &StopAgent{RunID: string(wireRun)}}},
	{"message.tool_decision", Message{Payload: &ToolDecision{CallID: string(wireCall), Decision: Approve, Reason: "fine", Arguments: object(`{"url":"https://example.com"}`)}}},
	{"message.tool_decision.least", Message{Payload: &ToolDecision{CallID: string(wireCall), Decision: Deny}}},
	{"message.rate_answer", Message{ThreadID: string(wireThread), Payload: &RateAnswer{RunID: string(wireRun), Rating: RatedDown, Comment: wireText}}},
	{"message.rate_answer.least", Message{Payload: &RateAnswer{RunID: string(wireRun), Rating: RatedUp}}},
	{"message.rename_thread", Message{ThreadID: string(wireThread), Payload: &RenameThread{Title: "Weather"}}},
	{"message.delete_thread", Message{ThreadID: string(wireThread), Payload: &DeleteThread{}}},
	{"message.resume", Message{Payload: &Resume{Cursor: "e3a.1842.9f"}}},
	{"message.resync_message", Message{Payload: &ResyncMessage{RunID: string(wireRun)}}},
	{"message.list_threads", Message{Payload: &ListThreads{Before: "1842", Limit: 20}}},
	{"message.list_threads.least", Message{Payload: &ListThreads{}}},
	{"message.get_thread", Message{ThreadID: string(wireThread), Payload: &GetThread{After: 7, Limit: 50}}},
	{"message.get_thread.before", Message{ThreadID: string(wireThread), Payload: &GetThread{Before: 7}}},
	{"message.authenticate", Message{Payload: &Authenticate{Token: "secret"}}},
	{"message.ping", Message{Payload: &Ping{}}},
	{"message.get_quality_metrics", Message{Payload: &GetQualityMetrics{Agent: "demo", PeriodHours: 24}}},
	{"message.subscribe_quality_alerts", Message{Payload: &SubscribeQualityAlerts{Action: "subscribe"}}},
	{"message.validate_content", Message{Payload: &ValidateContent{Content: "text", ContentType: GeneralContent, Strict: true}}},
	{"message.generate_quality_report", Message{Payload: &GenerateQualityReport{ReportType: "summary", Period: "day"}}},
}

func TestWireMessages(t *testing.T) {
	seen := map[MessageType]bool{}
	for _, c := range wireMessages {
		t.Run(c.name, func(t *testing.T) {
			c.m.ID, c.m.Type = "0198f3a2-7c11-7d3e", c.m.Payload.MessageType()
			seen[c.m.Type] = true
			b, err := EncodeMessage(c.m)
			if err != nil {
				t.Fatal(err)
			}
			got, err := DecodeMessage(golden(t, c.name, b), DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, c.m) {
				t.Errorf("decoded %+v, want %+v", got, c.m)
			}
		})
	}
	for typ := range messageTypes {
		if !seen[typ] {
			t.Errorf("no golden file of message type %s", typ)
		}
	}
}

var wireEvents = []struct {
	name string
	p    EventPayload
}{
	{"event.user_message", &UserMessageEvent{
		ID: "m-1", RunID: wireRun, Text: wireText, Agent: "demo", Input: object(`{"depth":3}`), OnBusy: Enqueue, Title: "Grüße",
		Attachments: []Attachment{{Name: "plan.pdf", MediaType: "application/pdf", URL: "https://files.example.com/plan.pdf"}},
	}},
	{"event.user_message.least", &UserMessageEvent{ID: "m-1", RunID: wireRun, Text: "hello", Agent: "demo"}},
	{"event.stop_requested", &StopRequestedEvent{ID: "m-2", RunID: wireRun, By: "user"}},
	{"event.tool_decided", &ToolDecidedEvent{ID: "m-3", CallID: wireCall, Decision: Approve, Arguments: object(`{"url":"https://example.com"}`), Reason: "fine", By: "user"}},
	{"event.tool_decided.timeout", &ToolDecidedEvent{CallID: wireCall, Decision: Deny, By: "timeout"}},
	{"event.thread_renamed", &ThreadRenamedEvent{ID: "m-4", Title: "Weather"}},
	{"event.answer_rated", &AnswerRatedEvent{ID: "m-8", RunID: wireRun, Rating: RatedDown, Comment: wireText}},
	{"event.answer_rated.least", &AnswerRatedEvent{ID: "m-8", RunID: wireRun, Rating: RatedUp}},
	{"event.thread_deleted", &ThreadDeletedEvent{ID: "m-5"}},
	{"event.agent_started", &AgentStartedEvent{Agent: "demo", Model: "scripted", Attempt: 1}},
	{"event.agent_thinking", &AgentThinkingEvent{MessageID: wireRun.Message(1, 1), Step: 1, Text: "Adding 2 and 3", Source: "agent"}},
	{"event.agent_message", &AgentMessageEvent{
		MessageID: wireRun.Message(1, 1), Step: 1, Text: "Let me see.",
		Calls: []Call{{CallID: wireCall, Tool: "calculator", Arguments: object(`{"expression":"2+3"}`)}},
	}},
	{"event.messages_taken", &MessagesTakenEvent{IDs: []FrameID{"m-6", "m-7"}, Step: 2}},
	{"event.tool_approval_required", &ToolApprovalRequiredEvent{CallID: wireCall, Tool: "fetch_url", Arguments: object(`{"url":"https://example.com"}`), Expires: wireTime}},
	{"event.tool_executing", &ToolExecutingEvent{CallID: wireCall, Tool: "calculator", Arguments: object(`{"expression":"2+3"}`), Title: "Calculate"}},
	{"event.tool_completed", &ToolCompletedEvent{CallID: wireCall, Tool: "calculator", Status: CallOK, Result: object(`{"value":"5"}`), DurationMS: 3}},
	{"event.tool_completed.error", &ToolCompletedEvent{CallID: wireCall, Tool: "calculator", Status: CallError, Error: "division by zero", DurationMS: 1, Truncated: true}},
	{"event.agent_handoff", &AgentHandoffEvent{From: "demo", To: "expert", Reason: "needs one"}},
	{"event.agent_resumed", &AgentResumedEvent{Attempt: 2, Reason: ResumedTakeover, Discards: []MessageID{wireRun.Message(1, 2)}}},
	{"event.agent_resumed.none", &AgentResumedEvent{Attempt: 2, Reason: ResumedDecision, Discards: []MessageID{}}},
	{"event.agent_completed", &AgentCompletedEvent{
		MessageID: wireRun.Message(1, 2), Text: "5", Usage: Usage{InputTokens: 20, OutputTokens: 4}, DurationMS: 812,
		Quality: &Quality{Score: 0.9, Level: "good", Issues: []string{}},
	}},
	{"event.agent_completed.weak", &AgentCompletedEvent{
		MessageID: wireRun.Message(1, 2), Text: "5", Quality: &Quality{Score: 0.412, Level: "poor", Issues: []string{"below_minimum"}, Retried: true},
	}},
	{"event.agent_failed", &AgentFailedEvent{Code: ModelTruncated, Message: "the stream broke", Retryable: true, PartialText: "It is"}},
	{"event.agent_stopped", &AgentStoppedEvent{Reason: StoppedRollback, Withdraws: []uint64{1, 2, 3}}},
	{"event.agent_stopped.partial", &AgentStoppedEvent{Reason: StoppedByUser, PartialText: "It is"}},
}

func TestWireEvents(t *testing.T) {
	seen := map[EventType]bool{}
	for _, c := range wireEvents {
		t.Run(c.name, func(t *testing.T) {
			e := Event{Type: c.p.EventType(), ThreadID: wireThread, RunID: wireRun, N: 5, Time: wireTime, Payload: c.p}
			if e.Type == ThreadDeleted || e.Type == ThreadRenamed {
				e.RunID = ""
			}
			if e.Type == ThreadDeleted {
				e.N = 0
			}
			seen[e.Type] = true
			b, err := EncodeEvent(e)
			if err != nil {
				t.Fatal(err)
			}
			e.Cursor = "e3a.1842.9f"
			b = golden(t, c.name, WithCursor(b, e.Cursor))
			got, err := DecodeEvent(b)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, e) {
				t.Errorf("decoded %+v, want %+v", got, e)
			}
			f, err := DecodeFrame(b)
			if err != nil || f.Event == nil || !reflect.DeepEqual(*f.Event, e) {
				t.Errorf("as a frame: %+v, %v", f, err)
			}
		})
	}
	for typ := range eventTypes {
		if !seen[typ] {
			t.Errorf("no golden file of event type %s", typ)
		}
	}
}

func TestWireDeltas(t *testing.T) {
	half, whole := 0.5, 1.0
	for _, p := range []DeltaPayload{
		{Attempt: 1, MessageID: wireRun.Message(1, 1), Kind: DeltaText, Index: 7, Count: 3, Text: wireText},
		{Attempt: 1, MessageID: wireRun.Message(1, 1), Kind: DeltaThinking, Index: 0, Count: 1, Text: "Hm"},
		{Attempt: 2, CallID: wireCall, Kind: DeltaToolArguments, Index: 0, Count: 1, Text: `{"expr`},
		{Attempt: 2, CallID: wireCall, Kind: DeltaToolProgress, Progress: &half, Total: &whole, Text: "half"},
	} {
		t.Run(string(p.Kind), func(t *testing.T) {
			d := Delta{ThreadID: wireThread, RunID: wireRun, Payload: p}
			b, err := EncodeDelta(d)
			if err != nil {
				t.Fatal(err)
			}
			f, err := DecodeFrame(golden(t, "delta."+string(p.Kind), b))
			if err != nil || f.Type != TypeAgentDelta || f.Delta == nil {
				t.Fatalf("decoded %+v, %v", f, err)
			}
			if !reflect.DeepEqual(*f.Delta, d) {
				t.Errorf("decoded %+v, want %+v", *f.Delta, d)
			}
		})
	}
}

func TestWireReplies(t *testing.T) {
	problem := Errorf(RateLimited, "too many messages").At("payload.text").After(1500 * time.Millisecond)
	summary := ThreadSummary{ThreadID: wireThread, Title: "Weather", Created: wireTime, Updated: wireTime, LastText: "5", ActiveRun: wireRun}
	for _, c := range []struct {
		name, typ string
		payload   any // what is encoded
		want      any // what is decoded, the same if nil
	}{
		{"reply.ack", TypeAck, Ack{ThreadID: wireThread, RunID: wireRun, N: 5}, nil},
		{"reply.ack.duplicate", TypeAck, Ack{ThreadID: wireThread, Duplicate: true}, nil},
		{"reply.error", TypeError, problem, problem.Problem()},
		{"reply.error.least", TypeError, Errorf(Invalid, "not JSON"), Problem{Code: Invalid, Message: "not JSON"}},
		{"reply.result.resume", TypeResult, ResumeResult{Resync: &Resync{Reason: "epoch"}}, nil},
		{"reply.result.list_threads", TypeResult, ThreadList{Threads: []ThreadSummary{summary}, Next: "1842"}, nil},
		{"reply.result.list_threads.none", TypeResult, ThreadList{Threads: []ThreadSummary{}}, nil},
		{"reply.result.get_thread", TypeResult, EventPage{Events: []json.RawMessage{object(`{"type":"x"}`)}, Next: 9}, nil},
		{"reply.result.get_quality_metrics", TypeResult, wireMetrics, nil},
		{"reply.result.validate_content", TypeResult, Validation{
			Passed: true, Score: 0.71, Level: "good", Scores: QualityScores{Specificity: 0.5, Clarity: 1}, Issues: []string{"low_completeness"},
		}, nil},
		{"reply.result.generate_quality_report", TypeResult, QualityReport{Markdown: "# Quality", Data: QualityReportData{
			ReportType: "detailed", Period: "day", Until: wireTime, Metrics: wireMetrics,
			Slots: []QualitySlot{{From: wireTime, Figures: wireMetrics.Total}},
		}}, nil},
		{"reply.result.subscribe_quality_alerts", TypeResult, QualitySubscription{Subscribed: true}, nil},
		{"reply.result.ping", TypeResult, PingResult{Time: wireTime}, nil},
		{"reply.result.empty", TypeResult, Empty{}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkFrame(t, golden(t, c.name, EncodeReply("m-1", c.payload)), c.typ, "m-1", c.payload, c.want)
		})
	}
	if b := string(EncodeReply("", Errorf(Invalid, "not JSON"))); strings.Contains(b, `"id"`) {
		t.Errorf("a reply to a frame without an id has one: %s", b)
	}
}

func TestWireNotices(t *testing.T) {
	for _, c := range []struct {
		typ     string
		payload any
	}{
		{TypeConnectionEstablished, ConnectionEstablished{
			ConnectionID: "c1", User: User{ID: wireUser, Name: "ada", Roles: []string{"admin"}}, Protocol: Protocol,
			Server: Server{Version: "v1", Node: "a"}, Cursor: "e3a.1842.9f", Resync: &Resync{Reason: "epoch"},
			Limits: DefaultLimits(), ExpiresAt: wireTime,
		}},
		{TypeCaughtUp, CaughtUp{Cursor: "e3a.1842.9f"}},
		{TypeExpiring, Expiring{At: wireTime}},
		{TypeDraining, Draining{InMS: 1000}},
		{TypeQualityAlert, QualityAlert{Severity: "warning", Agent: "demo", Metric: "mean_score", Value: 0.41, Threshold: 0.5}},
		{TypeQualityUpdate, QualityUpdate{Agent: "demo", Answers: 20, MeanScore: 0.71, RejectedShare: 0.05}},
	} {
		t.Run(c.typ, func(t *testing.T) {
			checkFrame(t, golden(t, "notice."+c.typ, EncodeNotice(c.typ, c.payload)), c.typ, "", c.payload, nil)
		})
	}
}

// checkFrame decodes a frame whose payload must equal what was encoded, or want if that is set.
func checkFrame(t *testing.T, b []byte, typ string, id FrameID, payload, want any) {
	t.Helper()
	f, err := DecodeFrame(b)
	if err != nil || f.Type != typ || f.ID != id {
		t.Fatalf("decoded %+v, %v", f, err)
	}
	if want == nil {
		want = payload
	}
	got := reflect.New(reflect.TypeOf(want))
	if err := f.Decode(got.Interface()); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Elem().Interface(), want) {
		t.Errorf("decoded %+v, want %+v", got.Elem(), want)
	}
}

// TestWireFiles finds golden files that no test writes any more.
func TestWireFiles(t *testing.T) {
	known := map[string]bool{}
	for _, c := range wireMessages {
		known[c.name] = true
	}
	for _, c := range wireEvents {
		known[c.name] = true
	}
	files, err := filepath.Glob("testdata/wire/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".json")
		kind, _, _ := strings.Cut(name, ".")
		if (kind == "message" || kind == "event") && !known[name] {
			t.Errorf("%s belongs to no test", f)
		}
	}
}

// TestEventsLoseNothing holds the codec to what the log needs: a worker that reads an event sees what its writer meant,
// also where a value is JSON's idea of nothing.
func TestEventsLoseNothing(t *testing.T) {
	for _, v := range []string{`{}`, `[]`, `""`, `null`, `0`, `false`, `{"a":null}`} {
		for _, p := range []EventPayload{
			&ToolDecidedEvent{CallID: wireCall, Decision: Approve, Arguments: object(v), By: "user"},
			&ToolCompletedEvent{CallID: wireCall, Status: CallOK, Result: object(v)},
			&ToolExecutingEvent{CallID: wireCall, Arguments: object(v)},
		} {
			e := Event{Type: p.EventType(), ThreadID: wireThread, Time: wireTime, Payload: p}
			b, err := EncodeEvent(e)
			if err != nil {
				t.Fatal(err)
			}
			got, err := DecodeEvent(b)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, e) {
				t.Errorf("%s with %s came back as %s", e.Type, v, b)
			}
		}
	}
}

// TestProtocolDocument: docs/PROTOCOL.md names everything that this package declares.
func TestProtocolDocument(t *testing.T) {
	b, err := os.ReadFile("docs/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{TypeAgentDelta: true}
	for typ := range messageTypes {
		names[string(typ)] = true
	}
	for old := range oldNames {
		names[string(old)] = true
	}
	for typ := range eventTypes {
		names[string(typ)] = true
	}
	for code := range Codes {
		names[string(code)] = true
	}
	for _, v := range []any{
		Limits{}, Delta{}, DeltaPayload{}, Ack{}, Problem{}, ConnectionEstablished{}, ThreadSummary{}, ThreadList{}, EventPage{},
		UserMessageEvent{}, ToolDecidedEvent{}, AgentThinkingEvent{}, AgentMessageEvent{}, ToolCompletedEvent{},
		AgentResumedEvent{}, AgentCompletedEvent{}, Usage{}, AgentFailedEvent{}, AgentStoppedEvent{},
		UserMessage{}, StartAgent{}, ToolDecision{}, RateAnswer{}, GetQualityMetrics{}, ValidateContent{}, GenerateQualityReport{},
		AnswerRatedEvent{}, Quality{}, QualityScores{}, Validation{}, QualityFigures{}, QualityMetrics{}, AgentFigures{}, QualityReport{},
		QualityReportData{}, QualitySlot{}, QualitySubscription{}, QualityAlert{}, QualityUpdate{},
	} {
		typ := reflect.TypeOf(v)
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			names[name] = true
		}
	}
	for name := range names {
		if !regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`).Match(b) {
			t.Errorf("docs/PROTOCOL.md does not name %s", name)
		}
	}
	for code, info := range Codes {
		row := fmt.Sprintf("| `%s` | %s | %s |", code, dash(info.HTTP), dash(info.Close))
		if !strings.Contains(string(b), row) {
			t.Errorf("docs/PROTOCOL.md does not have the row %s", row)
		}
	}
}

func dash(n int) string {
	if n == 0 {
		return "–"
	}
	return strconv.Itoa(n)
}
