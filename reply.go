package switchboard

import "encoding/json"

// The types of replies and notices.
const (
	TypeAck                   = "ack"
	TypeResult                = "result"
	TypeError                 = "error"
	TypeConnectionEstablished = "connection_established"
	TypeCaughtUp              = "caught_up"
	TypeExpiring              = "expiring"
	TypeDraining              = "draining"
)

// Ack says that a message is on disk.
type Ack struct {
	ThreadID  ThreadID `json:"thread_id"`
	RunID     RunID    `json:"run_id,omitempty"`
	N         uint64   `json:"n,omitzero"`
	Duplicate bool     `json:"duplicate"`
}

// Problem is the payload of an error reply.
type Problem struct {
	Code         Code   `json:"code"`
	Message      string `json:"message"`
	Field        string `json:"field,omitempty"`
	RetryAfterMS int64  `json:"retry_after_ms,omitzero"`
}

// Problem returns what a client may know of the error.
func (e *Error) Problem() Problem {
	p := Problem{Code: e.Code, Message: e.Message, Field: e.Field}
	if e.RetryAfter > 0 {
		p.RetryAfterMS = max(1, e.RetryAfter.Milliseconds())
	}
	return p
}

// User is what the server says of a user.
type User struct {
	ID    UserID   `json:"id"`
	Name  string   `json:"name"`
	Roles []string `json:"roles"`
}

// Resync says why a cursor could not be honoured: the device reloads its threads.
type Resync struct {
	Reason string `json:"reason"`
}

// ConnectionEstablished is the first frame of a connection.
type ConnectionEstablished struct {
	ConnectionID string  `json:"connection_id"`
	User         User    `json:"user"`
	Protocol     string  `json:"protocol"`
	Server       Server  `json:"server"`
	Cursor       Cursor  `json:"cursor,omitempty"`
	Resync       *Resync `json:"resync,omitempty"`
	Limits       Limits  `json:"limits"`
	ExpiresAt    Time    `json:"expires_at"`
}

// Server says who answers.
type Server struct {
	Version string `json:"version"`
	Node    string `json:"node"`
}

// CaughtUp ends the replay.
type CaughtUp struct {
	Cursor Cursor `json:"cursor,omitempty"`
}

// Expiring tells when the identity of the connection ends.
type Expiring struct {
	At Time `json:"at"`
}

// Draining tells that the node goes away.
type Draining struct {
	InMS int64 `json:"in_ms"`
}

// ThreadSummary is a row of the thread list.
type ThreadSummary struct {
	ThreadID  ThreadID `json:"thread_id"`
	Title     string   `json:"title"`
	Created   Time     `json:"created"`
	Updated   Time     `json:"updated"`
	LastText  string   `json:"last_text"`
	ActiveRun RunID    `json:"active_run,omitempty"`
}

// ThreadList is the result of list_threads; Next, if any, is the Before of the next page.
type ThreadList struct {
	Threads []ThreadSummary `json:"threads"`
	Next    string          `json:"next,omitempty"`
}

// EventPage is the result of get_thread: encoded events; Next, if any, is the After (or Before) of the next page.
type EventPage struct {
	Events []json.RawMessage `json:"events"`
	Next   uint64            `json:"next,omitzero"`
}

// ResumeResult is the result of resume.
type ResumeResult struct {
	Resync *Resync `json:"resync,omitempty"`
}

// PingResult is the result of ping.
type PingResult struct {
	Time Time `json:"time"`
}

// Empty is the result of messages that answer nothing.
type Empty struct{}
