package switchboard

import "encoding/json"

// EventType is the type of a durable event.
type EventType string

// The types of events. The first six say what people did; the others what agents did.
const (
	UserMessageAccepted  EventType = "user_message"
	StopRequested        EventType = "stop_requested"
	ToolDecided          EventType = "tool_decided"
	ThreadRenamed        EventType = "thread_renamed"
	ThreadDeleted        EventType = "thread_deleted"
	AnswerRated          EventType = "answer_rated"
	AgentStarted         EventType = "agent_started"
	AgentThinking        EventType = "agent_thinking"
	AgentMessage         EventType = "agent_message"
	MessagesTaken        EventType = "messages_taken"
	ToolApprovalRequired EventType = "tool_approval_required"
	ToolExecuting        EventType = "tool_executing"
	ToolCompleted        EventType = "tool_completed"
	AgentHandoff         EventType = "agent_handoff"
	AgentResumed         EventType = "agent_resumed"
	AgentCompleted       EventType = "agent_completed"
	AgentFailed          EventType = "agent_failed"
	AgentStopped         EventType = "agent_stopped"
)

// eventInfo is a row of the table of event types.
type eventInfo struct {
	person   bool // said by a person: stored in the thread's .in subject, and a wake-up
	terminal bool // ends a run
	payload  func() EventPayload
}

// eventTypes is the one table of event types.
var eventTypes = map[EventType]eventInfo{
	UserMessageAccepted:  {person: true, payload: func() EventPayload { return new(UserMessageEvent) }},
	StopRequested:        {person: true, payload: func() EventPayload { return new(StopRequestedEvent) }},
	ToolDecided:          {person: true, payload: func() EventPayload { return new(ToolDecidedEvent) }},
	ThreadRenamed:        {person: true, payload: func() EventPayload { return new(ThreadRenamedEvent) }},
	ThreadDeleted:        {person: true, payload: func() EventPayload { return new(ThreadDeletedEvent) }},
	AnswerRated:          {person: true, payload: func() EventPayload { return new(AnswerRatedEvent) }},
	AgentStarted:         {payload: func() EventPayload { return new(AgentStartedEvent) }},
	AgentThinking:        {payload: func() EventPayload { return new(AgentThinkingEvent) }},
	AgentMessage:         {payload: func() EventPayload { return new(AgentMessageEvent) }},
	MessagesTaken:        {payload: func() EventPayload { return new(MessagesTakenEvent) }},
	ToolApprovalRequired: {payload: func() EventPayload { return new(ToolApprovalRequiredEvent) }},
	ToolExecuting:        {payload: func() EventPayload { return new(ToolExecutingEvent) }},
	ToolCompleted:        {payload: func() EventPayload { return new(ToolCompletedEvent) }},
	AgentHandoff:         {payload: func() EventPayload { return new(AgentHandoffEvent) }},
	AgentResumed:         {payload: func() EventPayload { return new(AgentResumedEvent) }},
	AgentCompleted:       {terminal: true, payload: func() EventPayload { return new(AgentCompletedEvent) }},
	AgentFailed:          {terminal: true, payload: func() EventPayload { return new(AgentFailedEvent) }},
	AgentStopped:         {terminal: true, payload: func() EventPayload { return new(AgentStoppedEvent) }},
}

// ByPerson reports whether events of this type say what a person did (and not what an agent did).
func (t EventType) ByPerson() bool { return eventTypes[t].person }

// Terminal reports whether events of this type end a run.
func (t EventType) Terminal() bool { return eventTypes[t].terminal }

// Event is an immutable, ordered, durable entry of a thread.
type Event struct {
	Type     EventType    `json:"type"`
	ThreadID ThreadID     `json:"thread_id"`
	RunID    RunID        `json:"run_id,omitempty"`
	N        uint64       `json:"n,omitzero"` // 1, 2, 3 … within the thread, without gaps; none for thread_deleted
	Cursor   Cursor       `json:"cursor,omitempty"`
	Time     Time         `json:"time"`
	Payload  EventPayload `json:"payload"`
}

// EventPayload is the payload of one event type.
type EventPayload interface{ EventType() EventType }

// Usage counts the tokens of a run.
type Usage struct {
	InputTokens  int64 `json:"input_tokens"`
	OutputTokens int64 `json:"output_tokens"`
}

// Call is a tool call that a model asks for.
type Call struct {
	CallID    CallID          `json:"call_id"`
	Tool      string          `json:"tool"`
	Arguments json.RawMessage `json:"arguments"`
}

// CallStatus says how a tool call ended.
type CallStatus string

// The ends of tool calls.
const (
	CallOK      CallStatus = "ok"
	CallError   CallStatus = "error"
	CallDenied  CallStatus = "denied"
	CallExpired CallStatus = "expired"
	CallTimeout CallStatus = "timeout"
	CallUnknown CallStatus = "unknown"
)

// StopReason says why a run was stopped.
type StopReason string

// The reasons of agent_stopped.
const (
	StoppedByUser     StopReason = "user"
	StoppedInterrupt  StopReason = "interrupted"
	StoppedRollback   StopReason = "rolled_back"
	StoppedByShutdown StopReason = "shutdown"
)

// The reasons of agent_resumed.
const (
	ResumedTakeover = "takeover"
	ResumedDecision = "decision"
	ResumedStop     = "stop"
)

type (
	// UserMessageEvent: a message was accepted. With N = 1 it creates the thread and has its title.
	UserMessageEvent struct {
		ID          FrameID         `json:"id"`
		RunID       RunID           `json:"run_id"`
		Text        string          `json:"text"`
		Agent       string          `json:"agent"`
		Input       json.RawMessage `json:"input,omitzero"`
		OnBusy      OnBusy          `json:"on_busy,omitempty"`
		Attachments []Attachment    `json:"attachments,omitempty"`
		Title       string          `json:"title,omitempty"`
	}
	// StopRequestedEvent: someone asked to stop a run.
	StopRequestedEvent struct {
		ID    FrameID `json:"id"`
		RunID RunID   `json:"run_id"`
		By    string  `json:"by"`
	}
	// ToolDecidedEvent: an approval was given or denied, or expired (by "timeout").
	ToolDecidedEvent struct {
		ID        FrameID         `json:"id,omitempty"`
		CallID    CallID          `json:"call_id"`
		Decision  Decision        `json:"decision"`
		Arguments json.RawMessage `json:"arguments,omitzero"`
		Reason    string          `json:"reason,omitempty"`
		By        string          `json:"by"`
	}
	// ThreadRenamedEvent: the thread has a new title.
	ThreadRenamedEvent struct {
		ID    FrameID `json:"id"`
		Title string  `json:"title"`
	}
	// ThreadDeletedEvent is the tombstone of a thread: it has no n.
	ThreadDeletedEvent struct {
		ID FrameID `json:"id"`
	}
	// AnswerRatedEvent: a person says what they think of the outcome of a run that has ended; the latest counts.
	AnswerRatedEvent struct {
		ID      FrameID `json:"id"`
		RunID   RunID   `json:"run_id"`
		Rating  Rating  `json:"rating"`
		Comment string  `json:"comment,omitempty"`
	}
	// AgentStartedEvent is the first event of every run.
	AgentStartedEvent struct {
		Agent   string `json:"agent"`
		Model   string `json:"model,omitempty"`
		Attempt int    `json:"attempt"`
	}
	// AgentThinkingEvent: the model's reasoning (source "model"), or what this step is about to do (source "agent").
	AgentThinkingEvent struct {
		MessageID MessageID `json:"message_id"`
		Step      int       `json:"step"`
		Text      string    `json:"text"`
		Source    string    `json:"source"`
	}
	// AgentMessageEvent is the result of a model step that calls tools.
	AgentMessageEvent struct {
		MessageID MessageID `json:"message_id"`
		Step      int       `json:"step"`
		Text      string    `json:"text"`
		Calls     []Call    `json:"calls"`
	}
	// MessagesTakenEvent: steering messages were handed to the agent.
	MessagesTakenEvent struct {
		IDs  []FrameID `json:"ids"`
		Step int       `json:"step"`
	}
	// ToolApprovalRequiredEvent: a person must decide before Expires.
	ToolApprovalRequiredEvent struct {
		CallID    CallID          `json:"call_id"`
		Tool      string          `json:"tool"`
		Arguments json.RawMessage `json:"arguments"`
		Expires   Time            `json:"expires"`
	}
	// ToolExecutingEvent: a call begins, also one that will be refused.
	ToolExecutingEvent struct {
		CallID    CallID          `json:"call_id"`
		Tool      string          `json:"tool"`
		Arguments json.RawMessage `json:"arguments"`
		Title     string          `json:"title,omitempty"`
	}
	// ToolCompletedEvent: a call ended; exactly one for each tool_executing. Result is JSON.
	ToolCompletedEvent struct {
		CallID     CallID          `json:"call_id"`
		Tool       string          `json:"tool"`
		Status     CallStatus      `json:"status"`
		Result     json.RawMessage `json:"result,omitzero"`
		Error      string          `json:"error,omitempty"`
		DurationMS int64           `json:"duration_ms"`
		Truncated  bool            `json:"truncated,omitzero"`
	}
	// AgentHandoffEvent: another agent goes on.
	AgentHandoffEvent struct {
		From   string `json:"from"`
		To     string `json:"to"`
		Reason string `json:"reason,omitempty"`
	}
	// AgentResumedEvent: a worker goes on with the run; open text of the discarded messages is void.
	AgentResumedEvent struct {
		Attempt  int         `json:"attempt"`
		Reason   string      `json:"reason"`
		Discards []MessageID `json:"discards"`
	}
	// AgentCompletedEvent ends a run with its answer.
	AgentCompletedEvent struct {
		MessageID  MessageID `json:"message_id"`
		Text       string    `json:"text"`
		Usage      Usage     `json:"usage"`
		DurationMS int64     `json:"duration_ms"`
		Quality    *Quality  `json:"quality,omitempty"`
	}
	// Quality is the verdict of the quality gate: Retried says that it is of an answer that was not written anew any more.
	Quality struct {
		Score   float64  `json:"score"`
		Level   string   `json:"level"`
		Issues  []string `json:"issues"`
		Retried bool     `json:"retried,omitzero"`
	}
	// AgentFailedEvent ends a run without an answer.
	AgentFailedEvent struct {
		Code        FailureCode `json:"code"`
		Message     string      `json:"message"`
		Retryable   bool        `json:"retryable"`
		PartialText string      `json:"partial_text,omitempty"`
	}
	// AgentStoppedEvent ends a run that was stopped. Withdrawn events stay in the log; context and page skip them.
	AgentStoppedEvent struct {
		Reason      StopReason `json:"reason"`
		Withdraws   []uint64   `json:"withdraws,omitempty"`
		PartialText string     `json:"partial_text,omitempty"`
	}
)

func (*UserMessageEvent) EventType() EventType          { return UserMessageAccepted }
func (*StopRequestedEvent) EventType() EventType        { return StopRequested }
func (*ToolDecidedEvent) EventType() EventType          { return ToolDecided }
func (*ThreadRenamedEvent) EventType() EventType        { return ThreadRenamed }
func (*ThreadDeletedEvent) EventType() EventType        { return ThreadDeleted }
func (*AnswerRatedEvent) EventType() EventType          { return AnswerRated }
func (*AgentStartedEvent) EventType() EventType         { return AgentStarted }
func (*AgentThinkingEvent) EventType() EventType        { return AgentThinking }
func (*AgentMessageEvent) EventType() EventType         { return AgentMessage }
func (*MessagesTakenEvent) EventType() EventType        { return MessagesTaken }
func (*ToolApprovalRequiredEvent) EventType() EventType { return ToolApprovalRequired }
func (*ToolExecutingEvent) EventType() EventType        { return ToolExecuting }
func (*ToolCompletedEvent) EventType() EventType        { return ToolCompleted }
func (*AgentHandoffEvent) EventType() EventType         { return AgentHandoff }
func (*AgentResumedEvent) EventType() EventType         { return AgentResumed }
func (*AgentCompletedEvent) EventType() EventType       { return AgentCompleted }
func (*AgentFailedEvent) EventType() EventType          { return AgentFailed }
func (*AgentStoppedEvent) EventType() EventType         { return AgentStopped }
