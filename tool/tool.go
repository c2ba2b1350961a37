// Package tool is the port to tools and holds the one Dispatcher, the only code that runs a tool and the only one that
// says tool_executing and tool_completed.
package tool

import (
	"context"
	"encoding/json"
	"time"

	"github.com/netra-systems/switchboard"
)

// Tool does something for a model. Call may run concurrently with itself.
type Tool interface {
	Definition() Definition
	// Call runs the tool; the result is JSON. An error's text is shown to the model and the user, so it must be safe. It
	// should return soon after ctx ends; the Dispatcher does not wait for it.
	Call(ctx context.Context, in Invocation) (json.RawMessage, error)
}

// Definition is what is known of a tool before it runs.
type Definition struct {
	Name        string          // 1–64 of [A-Za-z0-9_-]
	Title       string          // for people: what a call does, in a few words
	Description string          // for the model
	Schema      json.RawMessage // JSON Schema (2020-12) of the arguments, an object
	Idempotent  bool            // may be run again for the same call after a crash
	Approval    bool            // a person must agree before each call
	Timeout     time.Duration   // 0: the Dispatcher's
}

// Invocation is one run of a tool. CallID is its idempotency key: the same in every attempt.
type Invocation struct {
	User      switchboard.UserID
	Thread    switchboard.ThreadID
	CallID    switchboard.CallID
	Arguments json.RawMessage
}
