package journal

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// The engine's error codes that mean something to us (nats-server errors.json).
const (
	wrongLastSequence         jetstream.ErrorCode = 10071
	wrongLastSequenceConstant jetstream.ErrorCode = 10164
	insufficientResources     jetstream.ErrorCode = 10023
	storageExceeded           jetstream.ErrorCode = 10047
	maximumBytes              jetstream.ErrorCode = 10077
	messageTooLarge           jetstream.ErrorCode = 10054
	headerTooLarge            jetstream.ErrorCode = 10097
)

// ErrDamaged says that the store does not hold what was written to it.
var ErrDamaged = errors.New("the store is damaged")

// appendError maps what the engine says of an append.
func appendError(err error) error {
	var api *jetstream.APIError
	switch {
	case errors.As(err, &api) && (api.ErrorCode == wrongLastSequence || api.ErrorCode == wrongLastSequenceConstant):
		return thread.ErrConflict
	case errors.As(err, &api) && (api.ErrorCode == insufficientResources || api.ErrorCode == storageExceeded || api.ErrorCode == maximumBytes):
		return switchboard.Wrap(switchboard.Unavailable, "the store is full", err)
	case errors.As(err, &api) && (api.ErrorCode == messageTooLarge || api.ErrorCode == headerTooLarge), errors.Is(err, nats.ErrMaxPayload):
		return switchboard.Wrap(switchboard.TooLarge, "the event is too large", err)
	case errors.As(err, &api):
		return switchboard.Wrap(switchboard.Unavailable, "the store refuses to write", err)
	}
	return fmt.Errorf("%w: %w", thread.ErrUnknown, err)
}

// readError maps what the engine says of a read.
func readError(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, ErrDamaged) {
		return err
	}
	return switchboard.Wrap(switchboard.Unavailable, "the store cannot be read", err)
}
