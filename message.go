package switchboard

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// MessageType is the type of a frame that a device sends.
type MessageType string

// The types of messages.
const (
	TypeUserMessage            MessageType = "user_message"
	TypeStartAgent             MessageType = "start_agent"
	TypeStopAgent              MessageType = "stop_agent"
	TypeToolDecision           MessageType = "tool_decision"
	TypeRateAnswer             MessageType = "rate_answer"
	TypeRenameThread           MessageType = "rename_thread"
	TypeDeleteThread           MessageType = "delete_thread"
	TypeResume                 MessageType = "resume"
	TypeResyncMessage          MessageType = "resync_message"
	TypeListThreads            MessageType = "list_threads"
	TypeGetThread              MessageType = "get_thread"
	TypeAuthenticate           MessageType = "authenticate"
	TypePing                   MessageType = "ping"
	TypeGetQualityMetrics      MessageType = "get_quality_metrics"
	TypeSubscribeQualityAlerts MessageType = "subscribe_quality_alerts"
	TypeValidateContent        MessageType = "validate_content"
	TypeGenerateQualityReport  MessageType = "generate_quality_report"
)

// messageTypes is the one table of message types: each with a maker of its payload.
var messageTypes = map[MessageType]func() MessagePayload{
	TypeUserMessage:            func() MessagePayload { return new(UserMessage) },
	TypeStartAgent:             func() MessagePayload { return new(StartAgent) },
	TypeStopAgent:              func() MessagePayload { return new(StopAgent) },
	TypeToolDecision:           func() MessagePayload { return new(ToolDecision) },
	TypeRateAnswer:             func() MessagePayload { return new(RateAnswer) },
	TypeRenameThread:           func() MessagePayload { return new(RenameThread) },
	TypeDeleteThread:           func() MessagePayload { return new(DeleteThread) },
	TypeResume:                 func() MessagePayload { return new(Resume) },
	TypeResyncMessage:          func() MessagePayload { return new(ResyncMessage) },
	TypeListThreads:            func() MessagePayload { return new(ListThreads) },
	TypeGetThread:              func() MessagePayload { return new(GetThread) },
	TypeAuthenticate:           func() MessagePayload { return new(Authenticate) },
	TypePing:                   func() MessagePayload { return new(Ping) },
	TypeGetQualityMetrics:      func() MessagePayload { return new(GetQualityMetrics) },
	TypeSubscribeQualityAlerts: func() MessagePayload { return new(SubscribeQualityAlerts) },
	TypeValidateContent:        func() MessagePayload { return new(ValidateContent) },
	TypeGenerateQualityReport:  func() MessagePayload { return new(GenerateQualityReport) },
}

// MessageTypes returns the types of messages, sorted.
func MessageTypes() []MessageType { return slices.Sorted(maps.Keys(messageTypes)) }

// oldNames are the predecessor's types, refused with a message that names ours.
var oldNames = map[MessageType]MessageType{
	"chat": TypeUserMessage, "user_input": TypeUserMessage,
	"agent_request": TypeStartAgent, "execute_agent": TypeStartAgent,
	"heartbeat": TypePing,
}

// Message is a frame that a device sends. ThreadID is as sent: parse it before use.
type Message struct {
	Type     MessageType
	ID       FrameID
	ThreadID string
	Payload  MessagePayload
}

// MessagePayload is the payload of one message type.
type MessagePayload interface {
	// MessageType is the type whose payload this is.
	MessageType() MessageType
	// validate returns an Invalid error whose field is relative to the payload.
	validate(Limits) *Error
}

// OnBusy says what to do with a message when the thread has an active run.
type OnBusy string

// The ways to treat a message to a busy thread.
const (
	Enqueue   OnBusy = "enqueue"
	Reject    OnBusy = "reject"
	Interrupt OnBusy = "interrupt"
	Rollback  OnBusy = "rollback"
	Steer     OnBusy = "steer"
)

// Decision is the answer to tool_approval_required.
type Decision string

// The decisions.
const (
	Approve Decision = "approve"
	Deny    Decision = "deny"
)

// Attachment refers to content that a message brings along.
type Attachment struct {
	Name      string `json:"name"`
	MediaType string `json:"media_type"`
	URL       string `json:"url"`
}

type (
	// UserMessage asks an agent. Text is not empty unless there are attachments.
	UserMessage struct {
		Text        string       `json:"text"`
		Agent       string       `json:"agent,omitempty"`
		OnBusy      OnBusy       `json:"on_busy,omitempty" enum:"enqueue,reject,interrupt,rollback,steer"`
		Attachments []Attachment `json:"attachments,omitempty"`
	}
	// StartAgent asks a named agent, with structured input.
	StartAgent struct {
		Agent string          `json:"agent"`
		Text  string          `json:"text,omitempty"`
		Input json.RawMessage `json:"input,omitzero"`
	}
	// StopAgent stops a run.
	StopAgent struct {
		RunID string `json:"run_id"`
	}
	// ToolDecision answers tool_approval_required; Arguments, if any, replace those asked for.
	ToolDecision struct {
		CallID    string          `json:"call_id"`
		Decision  Decision        `json:"decision" enum:"approve,deny"`
		Reason    string          `json:"reason,omitempty"`
		Arguments json.RawMessage `json:"arguments,omitzero"`
	}
	// RateAnswer says what a person thinks of the outcome of a run that has ended; the latest rating counts.
	RateAnswer struct {
		RunID   string `json:"run_id"`
		Rating  Rating `json:"rating" enum:"up,down"`
		Comment string `json:"comment,omitempty"`
	}
	// RenameThread gives a thread a title.
	RenameThread struct {
		Title string `json:"title"`
	}
	// DeleteThread erases a thread.
	DeleteThread struct{}
	// Resume replays from a cursor.
	Resume struct {
		Cursor Cursor `json:"cursor"`
	}
	// ResyncMessage asks for the open message's text so far.
	ResyncMessage struct {
		RunID string `json:"run_id"`
	}
	// ListThreads asks for a page of threads, newest activity first.
	ListThreads struct {
		Before string `json:"before,omitempty"`
		Limit  int    `json:"limit,omitzero"`
	}
	// GetThread asks for a page of events: those after After in order, or the last ones before Before.
	GetThread struct {
		After  uint64 `json:"after,omitzero"`
		Before uint64 `json:"before,omitzero"`
		Limit  int    `json:"limit,omitzero"`
	}
	// Authenticate renews the identity of a socket.
	Authenticate struct {
		Token string `json:"token"`
	}
	// Ping asks for the time.
	Ping struct{}
	// GetQualityMetrics asks for the figures of an agent, or of all, over the last PeriodHours; 0: 24.
	GetQualityMetrics struct {
		Agent       string `json:"agent,omitempty"`
		PeriodHours int    `json:"period_hours,omitzero"`
	}
	// SubscribeQualityAlerts turns quality notices on or off.
	SubscribeQualityAlerts struct {
		Action string `json:"action" enum:"subscribe,unsubscribe"`
	}
	// ValidateContent scores a text.
	ValidateContent struct {
		Content     string      `json:"content"`
		ContentType ContentType `json:"content_type,omitempty" enum:"optimization,data_analysis,action_plan,report,error_message,general"`
		Strict      bool        `json:"strict,omitzero"`
	}
	// GenerateQualityReport asks for a report.
	GenerateQualityReport struct {
		ReportType string `json:"report_type" enum:"summary,detailed"`
		Period     string `json:"period" enum:"day,week"`
	}
)

func (*UserMessage) MessageType() MessageType            { return TypeUserMessage }
func (*StartAgent) MessageType() MessageType             { return TypeStartAgent }
func (*StopAgent) MessageType() MessageType              { return TypeStopAgent }
func (*ToolDecision) MessageType() MessageType           { return TypeToolDecision }
func (*RateAnswer) MessageType() MessageType             { return TypeRateAnswer }
func (*RenameThread) MessageType() MessageType           { return TypeRenameThread }
func (*DeleteThread) MessageType() MessageType           { return TypeDeleteThread }
func (*Resume) MessageType() MessageType                 { return TypeResume }
func (*ResyncMessage) MessageType() MessageType          { return TypeResyncMessage }
func (*ListThreads) MessageType() MessageType            { return TypeListThreads }
func (*GetThread) MessageType() MessageType              { return TypeGetThread }
func (*Authenticate) MessageType() MessageType           { return TypeAuthenticate }
func (*Ping) MessageType() MessageType                   { return TypePing }
func (*GetQualityMetrics) MessageType() MessageType      { return TypeGetQualityMetrics }
func (*SubscribeQualityAlerts) MessageType() MessageType { return TypeSubscribeQualityAlerts }
func (*ValidateContent) MessageType() MessageType        { return TypeValidateContent }
func (*GenerateQualityReport) MessageType() MessageType  { return TypeGenerateQualityReport }

func (m *UserMessage) validate(Limits) *Error {
	if strings.TrimSpace(m.Text) == "" && len(m.Attachments) == 0 {
		return missing("text")
	}
	if len(m.Attachments) > 16 {
		return Errorf(Invalid, "at most 16 attachments").At("attachments")
	}
	for i, a := range m.Attachments {
		if a.Name == "" || len(a.Name) > 255 {
			return Errorf(Invalid, "a name of 1 to 255 bytes is needed").At(fmt.Sprintf("attachments.%d.name", i))
		}
		if a.MediaType == "" || len(a.MediaType) > 127 {
			return Errorf(Invalid, "a media type is needed").At(fmt.Sprintf("attachments.%d.media_type", i))
		}
		if !strings.HasPrefix(a.URL, "https://") || len(a.URL) > 2048 {
			return Errorf(Invalid, "an https URL is needed").At(fmt.Sprintf("attachments.%d.url", i))
		}
	}
	if err := oneOf("on_busy", m.OnBusy, "", Enqueue, Reject, Interrupt, Rollback, Steer); err != nil {
		return err
	}
	return validName("agent", m.Agent, true)
}

func (m *StartAgent) validate(Limits) *Error {
	if err := validObject("input", m.Input); err != nil {
		return err
	}
	return validName("agent", m.Agent, false)
}

func (m *StopAgent) validate(Limits) *Error {
	if m.RunID == "" {
		return missing("run_id")
	}
	return nil
}

func (m *ToolDecision) validate(Limits) *Error {
	if m.CallID == "" {
		return missing("call_id")
	}
	if m.Decision == "" {
		return missing("decision")
	}
	if err := oneOf("decision", m.Decision, Approve, Deny); err != nil {
		return err
	}
	if len(m.Reason) > 2000 {
		return Errorf(Invalid, "at most 2000 bytes").At("reason")
	}
	return validObject("arguments", m.Arguments)
}

func (m *RateAnswer) validate(Limits) *Error {
	if m.RunID == "" {
		return missing("run_id")
	}
	if m.Rating == "" {
		return missing("rating")
	}
	if err := oneOf("rating", m.Rating, RatedUp, RatedDown); err != nil {
		return err
	}
	if len(m.Comment) > 2000 {
		return Errorf(Invalid, "at most 2000 bytes").At("comment")
	}
	return nil
}

func (m *RenameThread) validate(l Limits) *Error {
	if strings.TrimSpace(m.Title) == "" {
		return missing("title")
	}
	if utf8.RuneCountInString(m.Title) > l.TitleChars {
		return Errorf(Invalid, "at most %d characters", l.TitleChars).At("title")
	}
	return nil
}

func (m *DeleteThread) validate(Limits) *Error { return nil }

func (m *Resume) validate(Limits) *Error {
	if m.Cursor == "" {
		return missing("cursor")
	}
	return nil
}

func (m *ResyncMessage) validate(Limits) *Error {
	if m.RunID == "" {
		return missing("run_id")
	}
	return nil
}

func (m *ListThreads) validate(l Limits) *Error {
	if m.Limit < 0 || m.Limit > l.PageThreads {
		return Errorf(Invalid, "limit must be 1 to %d", l.PageThreads).At("limit")
	}
	return nil
}

func (m *GetThread) validate(l Limits) *Error {
	if m.Limit < 0 || m.Limit > l.PageEvents {
		return Errorf(Invalid, "limit must be 1 to %d", l.PageEvents).At("limit")
	}
	if m.After > 0 && m.Before > 0 {
		return Errorf(Invalid, "after and before exclude each other").At("before")
	}
	return nil
}

func (m *Authenticate) validate(Limits) *Error {
	if m.Token == "" {
		return missing("token")
	}
	return nil
}

func (m *Ping) validate(Limits) *Error { return nil }

// QualityHours is how far back figures about quality go.
const QualityHours = 7 * 24

func (m *GetQualityMetrics) validate(Limits) *Error {
	if m.PeriodHours < 0 || m.PeriodHours > QualityHours {
		return Errorf(Invalid, "must be 1 to %d hours", QualityHours).At("period_hours")
	}
	return validName("agent", m.Agent, true)
}

func (m *SubscribeQualityAlerts) validate(Limits) *Error {
	return oneOf("action", m.Action, "subscribe", "unsubscribe")
}

func (m *ValidateContent) validate(Limits) *Error {
	if m.Content == "" {
		return missing("content")
	}
	return oneOf("content_type", m.ContentType, "", OptimizationContent, DataAnalysisContent, ActionPlanContent, ReportContent,
		ErrorMessageContent, GeneralContent)
}

func (m *GenerateQualityReport) validate(Limits) *Error {
	if err := oneOf("report_type", m.ReportType, "summary", "detailed"); err != nil {
		return err
	}
	return oneOf("period", m.Period, "day", "week")
}

func missing(field string) *Error { return Errorf(Invalid, "%s is needed", field).At(field) }

func oneOf[T ~string](field string, v T, allowed ...T) *Error {
	names := make([]string, 0, len(allowed))
	for _, a := range allowed {
		if v == a {
			return nil
		}
		if a != "" {
			names = append(names, string(a))
		}
	}
	return Errorf(Invalid, "must be one of %s", strings.Join(names, ", ")).At(field)
}

// validName checks the name of an agent: 1–64 of [A-Za-z0-9._-].
func validName(field, s string, optional bool) *Error {
	if s == "" {
		if optional {
			return nil
		}
		return missing(field)
	}
	if _, err := ParseFrameID(s); err != nil || strings.Contains(s, ":") {
		return Errorf(Invalid, "must be 1 to 64 letters, digits and . _ -").At(field)
	}
	return nil
}

func validObject(field string, v json.RawMessage) *Error {
	if len(v) > 0 && v[0] != '{' {
		return Errorf(Invalid, "must be an object").At(field)
	}
	return nil
}
