package client

import (
	"errors"
	"strconv"

	"github.com/coder/websocket"

	"github.com/netra-systems/switchboard"
)

// CloseError says how a connection ended. Code is that of the close frame (RFC 6455 §7.4), or 1006 if the connection was
// cut without one.
type CloseError struct {
	Code   int
	Reason string
	cause  error
}

// Error says the code, the server's reason and what broke the connection.
func (e *CloseError) Error() string {
	s := "connection closed: " + strconv.Itoa(e.Code)
	if e.Reason != "" {
		s += " " + e.Reason
	}
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

// Unwrap returns what broke the connection, nil if a close frame ended it.
func (e *CloseError) Unwrap() error { return e.cause }

// Reconnect reports whether a client may reconnect by itself: with codes 4000–4499 and wherever the connection or the
// server failed; not with 4500–4999, nor where RFC 6455 blames what we sent.
func (e *CloseError) Reconnect() bool {
	switch websocket.StatusCode(e.Code) {
	case websocket.StatusProtocolError, websocket.StatusUnsupportedData, websocket.StatusInvalidFramePayloadData,
		websocket.StatusPolicyViolation, websocket.StatusMessageTooBig, websocket.StatusMandatoryExtension:
		return false
	}
	return e.Code < 4500 || e.Code > 4999
}

// Meaning returns the code of the protocol's table that closes with this code, "" if none does.
func (e *CloseError) Meaning() switchboard.Code {
	for code, info := range switchboard.Codes {
		if info.Close == e.Code {
			return code
		}
	}
	return ""
}

// closeError turns the error of a read into a *CloseError.
func closeError(err error) *CloseError {
	var ce websocket.CloseError
	if errors.As(err, &ce) {
		return &CloseError{Code: int(ce.Code), Reason: ce.Reason}
	}
	return &CloseError{Code: int(websocket.StatusAbnormalClosure), cause: err}
}

// final reports whether err tells a client not to try again by itself.
func final(err error) bool {
	var ce *CloseError
	if errors.As(err, &ce) {
		return !ce.Reconnect()
	}
	var e *switchboard.Error
	if errors.As(err, &e) {
		return e.Code == switchboard.Unauthenticated || e.Code == switchboard.Forbidden || e.Code == switchboard.Invalid
	}
	return false
}
