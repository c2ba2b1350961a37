// Package model is the port to language models: a request goes in, a stream of chunks comes out.
//
// A Model keeps no state between requests and may be used concurrently. It never retries after the first chunk was
// given: what a reader has seen is not taken back. A stream that ends without a Finish chunk ends with an error, so half
// an answer is never taken for a whole one.
package model

import (
	"context"
	"encoding/json"
	"iter"
	"time"
)

// Model streams answers.
type Model interface {
	// Name is the model's name, as shown to users.
	Name() string
	// Stream asks the model. The sequence yields chunks in order and ends after the chunk that has Finish, or with one
	// *Error. Cancelling ctx ends it with ctx's cause. The caller may stop early.
	Stream(ctx context.Context, r Request) iter.Seq2[Chunk, error]
}

// Request is what a model is asked.
type Request struct {
	System      string
	Messages    []Message
	Tools       []Tool
	Temperature *float64 // nil: the provider's
	Thread, Run string   // name the conversation and the run to an agent elsewhere that keeps them apart
}

// Role says who wrote a message.
type Role string

// The roles of messages.
const (
	User      Role = "user"
	Assistant Role = "assistant"
	ToolRole  Role = "tool" // the result of a call
)

// Message is an entry of the conversation.
type Message struct {
	Role   Role
	Text   string
	Calls  []Call // of an assistant message
	CallID string // of a tool message

	// State is what the model gave with this assistant message to have it back: opaque, JSON, at most MaxState.
	State json.RawMessage
}

// MaxState bounds the State of a message, in bytes. It lies in a header of the log, of 64 KiB, which holds more than that.
const MaxState = 56 << 10

// Call is a tool call that a model asks for. Arguments is JSON if the model wrote JSON; it may be anything.
type Call struct {
	ID        string
	Tool      string
	Arguments string
}

// Tool is what a model is told of a tool.
type Tool struct {
	Name        string
	Description string
	Schema      json.RawMessage // JSON Schema (2020-12) of the arguments
}

// Chunk is a piece of an answer; any of its fields may be set.
type Chunk struct {
	Thinking string
	Text     string
	Call     *CallChunk
	Result   *CallResult
	State    json.RawMessage // JSON to be kept with the message and given back; more than MaxState is left out
	Usage    *Usage
	Finish   Finish
}

// CallResult is the result of the Index-th call, which the model's side has run itself. What follows it belongs to a new
// message.
type CallResult struct {
	Index  int
	Result string // JSON if that side wrote JSON; it may be anything
	Failed bool
}

// CallChunk is a piece of the Index-th call: ID and Tool come in its first piece, Arguments in any. Where results divide
// an answer into messages, the calls of each may be numbered from 0, or on.
type CallChunk struct {
	Index     int
	ID        string
	Tool      string
	Arguments string
}

// Finish says why an answer ended.
type Finish string

// The ends of answers.
const (
	FinishStop   Finish = "stop"
	FinishCalls  Finish = "calls"
	FinishLength Finish = "length" // cut at the model's limit
	FinishFilter Finish = "filter" // refused by the provider
)

// Usage counts tokens.
type Usage struct{ Input, Output int64 }

// Kind classifies errors of models.
type Kind string

// The kinds of errors.
const (
	Unavailable Kind = "unavailable" // cannot be reached, is overloaded, stalls: try again later
	Refused     Kind = "refused"     // bad credentials or a request that will never be taken
	Truncated   Kind = "truncated"   // the stream broke before its end
)

// Error is why a stream failed. Its text never holds a key.
type Error struct {
	Kind       Kind
	Message    string        // safe to show to a user
	RetryAfter time.Duration // as the provider said, 0 if not
	Err        error         // the cause, for logs
}

func (e *Error) Error() string {
	if e.Err != nil {
		return "model " + string(e.Kind) + ": " + e.Message + ": " + e.Err.Error()
	}
	return "model " + string(e.Kind) + ": " + e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
