// Package tool is the port to tools and holds the one Dispatcher, the only code that runs a tool and the only one that
// says tool_executing and tool_completed.
package tool

import (
	"context"
	"encoding/json"
	"errors"
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
	ReadOnly    bool            // changes nothing; one that does not say so is taken to write
	Destructive bool            // what it writes may replace or delete what was there
	Idempotent  bool            // may be run again for the same call after a crash
	Approval    bool            // a person must agree before each call, unless the operator says otherwise
	Timeout     time.Duration   // 0: the Dispatcher's
}

// Invocation is one run of a tool. CallID is its idempotency key: the same in every attempt.
type Invocation struct {
	User      switchboard.UserID
	Thread    switchboard.ThreadID
	CallID    switchboard.CallID
	Arguments json.RawMessage
	// Progress tells how far the call has come, of a total that is 0 if not known, and in a few words. It may be called
	// by any goroutine, as often as one likes and after the call has ended; at most ten times a second the newest is
	// passed on, as a preview that may be lost. It is never nil.
	Progress func(progress, total float64, text string)
}

// ErrUnknown in the error of a call says that nobody knows whether it took effect: its status is unknown.
var ErrUnknown = errors.New("the call was interrupted: it may have taken effect or not")
