package switchboard

import "time"

// Limits are the figures a node enforces and tells its devices in connection_established. They count per node unless
// said otherwise.
type Limits struct {
	FrameBytes         int `json:"frame_bytes" doc:"largest frame a device may send"`
	JSONDepth          int `json:"json_depth" doc:"deepest nesting of arrays and objects"`
	MessagesPerMinute  int `json:"messages_per_minute" doc:"accepted messages per user"`
	MessageBurst       int `json:"message_burst" doc:"accepted messages per user at once"`
	RefusalsPerMinute  int `json:"refusals_per_minute" doc:"refused, repeated and asking frames per user"`
	DevicesPerUser     int `json:"devices_per_user" doc:"the newest wins"`
	ConnectionsPerIP   int `json:"connections_per_ip" doc:"not counted on loopback"`
	ActiveRunsPerUser  int `json:"active_runs_per_user"`
	QueuedRunsPerUser  int `json:"queued_runs_per_user"`
	HandshakeMS        int `json:"handshake_ms"`
	PingMS             int `json:"ping_ms" doc:"a device is dead after two missed pings"`
	OutboxFrames       int `json:"outbox_frames" doc:"live frames waiting for a device"`
	OutboxBytes        int `json:"outbox_bytes"`
	EventBytes         int `json:"event_bytes" doc:"largest encoded event"`
	RunMS              int `json:"run_ms"`
	RunSteps           int `json:"run_steps"`
	RunCalls           int `json:"run_calls"`
	ToolMS             int `json:"tool_ms"`
	ToolResultBytes    int `json:"tool_result_bytes"`
	ToolCallsPerUser   int `json:"tool_calls_per_user" doc:"tools running at once"`
	ToolCallsPerMinute int `json:"tool_calls_per_minute" doc:"tool calls per user"`
	PageEvents         int `json:"page_events" doc:"events of a get_thread page"`
	PageThreads        int `json:"page_threads" doc:"threads of a list_threads page"`
	PageBytes          int `json:"page_bytes"`
	TitleChars         int `json:"title_chars"`
}

// DefaultLimits returns the documented defaults.
func DefaultLimits() Limits {
	return Limits{
		FrameBytes: 256 << 10, JSONDepth: 32,
		MessagesPerMinute: 600, MessageBurst: 100, RefusalsPerMinute: 600,
		DevicesPerUser: 10, ConnectionsPerIP: 200, ActiveRunsPerUser: 4, QueuedRunsPerUser: 100,
		HandshakeMS: 10_000, PingMS: 25_000, OutboxFrames: 256, OutboxBytes: 1 << 20, EventBytes: 512 << 10,
		RunMS: 600_000, RunSteps: 32, RunCalls: 64, ToolMS: 30_000, ToolResultBytes: 256 << 10,
		ToolCallsPerUser: 10, ToolCallsPerMinute: 100,
		PageEvents: 200, PageThreads: 50, PageBytes: 1 << 20, TitleChars: 200,
	}
}

// Milliseconds returns ms as a duration.
func Milliseconds(ms int) time.Duration { return time.Duration(ms) * time.Millisecond }
