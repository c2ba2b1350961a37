// Package builtin holds the tools that come with Switchboard: a calculator, a clock, the search of the caller's own
// conversations, and the fetching of public web pages.
//
// A tool keeps nothing between calls and may be called concurrently. It acts for the user of its Invocation and for
// nobody else. Errors are safe to show: they name what is wrong with the arguments or, in a few words, with the world.
package builtin

import (
	"encoding/json"

	strictjson "github.com/go-json-experiment/json"

	"github.com/netra-systems/switchboard"
)

// decode reads arguments, which the Dispatcher has compared with the tool's schema.
func decode(args json.RawMessage, v any) error {
	if err := strictjson.Unmarshal(args, v); err != nil {
		return switchboard.Wrap(switchboard.Invalid, "the arguments could not be read", err)
	}
	return nil
}

// invalid is an error of the arguments.
func invalid(format string, args ...any) *switchboard.Error {
	return switchboard.Errorf(switchboard.Invalid, format, args...)
}

// encode writes a result.
func encode(v any) (json.RawMessage, error) { return strictjson.Marshal(v) }
