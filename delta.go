package switchboard

// TypeAgentDelta is the frame type of deltas.
const TypeAgentDelta = "agent_delta"

// DeltaKind says what a delta is a piece of.
type DeltaKind string

// The kinds of deltas.
const (
	DeltaText          DeltaKind = "text"
	DeltaThinking      DeltaKind = "thinking"
	DeltaToolArguments DeltaKind = "tool_arguments"
	DeltaToolProgress  DeltaKind = "tool_progress"
)

// Delta is an ephemeral piece of something still being written. It is never stored.
type Delta struct {
	ThreadID ThreadID     `json:"thread_id"`
	RunID    RunID        `json:"run_id"`
	Payload  DeltaPayload `json:"payload"`
}

// DeltaPayload covers the chunks Index … Index+Count−1 of the stream (MessageID or CallID, Kind).
type DeltaPayload struct {
	Attempt   int       `json:"attempt"`
	MessageID MessageID `json:"message_id,omitempty"`
	CallID    CallID    `json:"call_id,omitempty"`
	Kind      DeltaKind `json:"kind"`
	Index     int       `json:"index"`
	Count     int       `json:"count"`
	Text      string    `json:"text,omitempty"`
	Progress  *float64  `json:"progress,omitempty"`
	Total     *float64  `json:"total,omitempty"`
}

// Assembly is a client's text of one stream of deltas. The zero value is empty. It is not safe for concurrent use.
type Assembly struct {
	Text string
	next int
}

// Add applies a delta by the rule of the protocol: a repeat is ignored, a piece that follows is appended, a piece from
// the start replaces everything. It returns false if pieces are missing: ask for the text with resync_message.
func (a *Assembly) Add(d DeltaPayload) bool {
	switch {
	case d.Index+d.Count <= a.next:
	case d.Index == a.next:
		a.Text += d.Text
		a.next += d.Count
	case d.Index == 0:
		a.Text, a.next = d.Text, d.Count
	default:
		return false
	}
	return true
}
