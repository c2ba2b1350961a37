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
	DevicesPerUser     int `json:"devices_per_user" doc:"devices of a user; the newest stay"`
	ConnectionsPerIP   int `json:"connections_per_ip" doc:"connections of an address, but for loopback"`
	ActiveRunsPerUser  int `json:"active_runs_per_user" doc:"runs of a user at work at once, over all nodes"`
	QueuedRunsPerUser  int `json:"queued_runs_per_user" doc:"runs of a user that wait, in one thread"`
	HandshakeMS        int `json:"handshake_ms" doc:"longest time from a connection to its first frame"`
	PingMS             int `json:"ping_ms" doc:"time between pings; a device is dead after two missed ones"`
	OutboxFrames       int `json:"outbox_frames" doc:"live frames waiting for a device"`
	OutboxBytes        int `json:"outbox_bytes" doc:"size of the live frames waiting for a device"`
	EventBytes         int `json:"event_bytes" doc:"largest encoded event"`
	RunMS              int `json:"run_ms" doc:"longest time of a run"`
	RunSteps           int `json:"run_steps" doc:"steps of a run"`
	RunCalls           int `json:"run_calls" doc:"tool calls of a run"`
	ToolMS             int `json:"tool_ms" doc:"longest time of a tool call"`
	ToolResultBytes    int `json:"tool_result_bytes" doc:"largest result of a tool; what is longer is cut"`
	ToolCallsPerUser   int `json:"tool_calls_per_user" doc:"tools running at once"`
	ToolCallsPerMinute int `json:"tool_calls_per_minute" doc:"tool calls per user"`
	PageEvents         int `json:"page_events" doc:"events of a get_thread page"`
	PageThreads        int `json:"page_threads" doc:"threads of a list_threads page"`
	PageBytes          int `json:"page_bytes" doc:"size of a get_thread page"`
	TitleChars         int `json:"title_chars" doc:"characters of a title"`
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
