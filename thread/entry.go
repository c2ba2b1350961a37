// Package thread is the one fold of a conversation: from the entries of a thread's log to its state, what it needs
// next, who must do it, and what a message may add to it.
//
// A State is a function of the log alone: two nodes that have read the same entries hold equal states. Nothing here
// does I/O. A State is not safe for concurrent use; Entries are immutable once read.
package thread

import (
	"encoding/json"

	"github.com/netra-systems/switchboard"
)

// Entry is an event as the log holds it.
type Entry struct {
	User   switchboard.UserID
	Seq    uint64 // sequence in the user's shard; with gaps within a thread
	Event  switchboard.Event
	Header Header
	Data   []byte // the encoded event, without a cursor
}

// Size is what remembering the entry costs, in bytes: the event, and what the model wants back with it.
func (e Entry) Size() int { return len(e.Data) + len(e.Header.Note.State) }

// Header is what the log keeps beside an event and never sends to a device.
type Header struct {
	N        uint64                    `json:"n"`           // number within the thread, also of a tombstone
	In       uint64                    `json:"i,omitzero"`  // entries that people wrote, up to this one: of theirs, and of a title that an agent gave
	Window   Window                    `json:"f,omitzero"`  // before this entry
	Append   string                    `json:"a"`           // random per writer and decision, kept over its retries
	Digest   string                    `json:"g,omitempty"` // of the message that was accepted
	Worker   string                    `json:"w,omitempty"`
	Wake     uint64                    `json:"k,omitzero"` // sequence of the wake-up under which a claim was made
	Attempt  int                       `json:"t,omitzero"` // of the run that holds the thread, after this event
	Held     bool                      `json:"h,omitzero"` // by a worker: it does not wait for a person
	Delivery uint64                    `json:"d,omitzero"` // delivery count of that wake-up
	Usage    switchboard.Usage         `json:"u,omitzero"` // of a model, as far as no entry before has it
	Total    switchboard.Usage         `json:"z,omitzero"` // of the thread, after this event
	Named    bool                      `json:"l,omitzero"` // the thread's title was given, by a person or an agent, after this event
	Note     Note                      `json:"o,omitzero"`
	Chain    string                    `json:"c"` // hash of the previous chain value and the event
	Summary  switchboard.ThreadSummary `json:"s"` // the thread's row in the list, after this event
}

// Note is what a worker must know of an agent's event, and a device need not.
type Note struct {
	State     json.RawMessage    `json:"m,omitzero"`  // what the model wants back with its message: JSON
	Elsewhere []int              `json:"e,omitempty"` // the message's calls that the model's side ran itself, from 0
	Ask       switchboard.CallID `json:"q,omitempty"` // of agent_handoff: the call that the other agent answers
	Back      bool               `json:"b,omitzero"`  // of agent_handoff: the agent that was asked has answered
	Failed    string             `json:"x,omitempty"` // of agent_message: why an agent that was asked could not answer
	Advice    string             `json:"v,omitempty"` // of agent_message: the answer is withdrawn, to be written anew so
	Covers    uint64             `json:"c,omitzero"`  // of agent_thinking: the n up to which its text sums the thread up
	Keep      bool               `json:"k,omitzero"`  // the agent that begins here sums up what it cannot keep
}

// Draft is an event that is to be appended; the log fills in the rest.
type Draft struct {
	Event  switchboard.Event
	Header Header
}

// Position is a place in a thread: an append is taken only if the thread still ends there.
type Position struct {
	N     uint64 `json:"n"`
	Seq   uint64 `json:"s"`
	Chain string `json:"c"`
}

// Wakeup is the delivery of a person's entry to a worker. Acks, naks and heartbeats prove nothing: only the log
// decides who may write.
type Wakeup interface {
	User() switchboard.UserID
	Thread() switchboard.ThreadID
	Seq() uint64             // of the entry
	Delivery() uint64        // 1 for the first delivery
	Ack() error              // never deliver again; returns when the log has taken note
	Nak(afterMS int64) error // deliver again after so many milliseconds
	Heartbeat() error        // keeps the wake-up from being delivered to another worker
}
