package transport

import (
	"context"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/auth"
	"github.com/netra-systems/switchboard/router"
)

// Authenticator says who is speaking. Errors are *switchboard.Error: Unauthenticated, RateLimited, Unavailable.
type Authenticator interface {
	// Login checks a password; from is the client's address, for limits.
	Login(ctx context.Context, name, password, from string) (token string, id auth.Identity, err error)
	Verify(ctx context.Context, token string) (auth.Identity, error)
	Logout(ctx context.Context, id auth.Identity) error
	// Ended returns a channel that is closed when the session ends.
	Ended(session string) <-chan struct{}
}

// Router treats what devices and clients of the JSON API send. Errors are *switchboard.Error.
type Router interface {
	// Route answers a frame with exactly one encoded reply.
	Route(ctx context.Context, c router.Caller, frame []byte) []byte
	// Do returns a switchboard.Ack or the result of the message.
	Do(ctx context.Context, c router.Caller, m switchboard.Message) (any, error)
	// Refused spends one of the user's refusals; RateLimited when none is left.
	Refused(user switchboard.UserID) error
}

// Outbox is what a device is still to be given. Next has one caller: the writer loop.
type Outbox interface {
	router.Device
	// Opening is the place the device goes on from, or why that cannot be honoured.
	Opening() (switchboard.Cursor, *switchboard.Resync)
	// Next waits for the frame to write next. A *switchboard.Error ends the device with the close code of its code.
	Next(ctx context.Context) ([]byte, error)
	// Reply queues a reply; it waits while the device does not read.
	Reply(ctx context.Context, frame []byte) error
	// Notice queues a notice, likewise.
	Notice(ctx context.Context, frame []byte) error
	Close()
}

// OpenFunc opens the outbox of a device of the user that goes on from the cursor, "": from now on.
type OpenFunc func(ctx context.Context, user switchboard.UserID, c switchboard.Cursor) (Outbox, error)
