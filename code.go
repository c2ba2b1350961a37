package switchboard

import (
	"errors"
	"fmt"
	"time"
)

// Code is a word of the one table of errors. Codes cross the wire: the table is append-only.
type Code string

// The codes of errors, replies and closes.
const (
	Invalid         Code = "invalid"
	Unsupported     Code = "unsupported"
	Unauthenticated Code = "unauthenticated"
	Forbidden       Code = "forbidden"
	NotFound        Code = "not_found"
	Conflict        Code = "conflict"
	Gap             Code = "gap"
	TooLarge        Code = "too_large"
	RateLimited     Code = "rate_limited"
	Replaced        Code = "replaced"
	Slow            Code = "slow"
	ShuttingDown    Code = "draining"
	Unavailable     Code = "unavailable"
	Internal        Code = "internal"
)

// CodeInfo is what a code means at the edges.
type CodeInfo struct {
	HTTP   int    // status of an HTTP answer, 0 if the code never is one (RFC 9110)
	Close  int    // WebSocket close code, 0 if the code never closes (RFC 6455 §7.4.2); 4000–4499 reconnect, 4500–4999 do not
	Client string // what the client should do
}

// Codes is the one table of codes.
var Codes = map[Code]CodeInfo{
	Invalid:         {400, 0, "fix the request; field names where"},
	Unsupported:     {400, 0, "use a known type"},
	Unauthenticated: {401, 4501, "get a new token, then reconnect"},
	Forbidden:       {403, 0, "ask for the role"},
	NotFound:        {404, 0, "check the id"},
	Conflict:        {409, 0, "read the state, then decide again"},
	Gap:             {410, 0, "reload, then go on"},
	TooLarge:        {413, 1009, "send less"},
	RateLimited:     {429, 4001, "wait retry_after_ms"},
	Replaced:        {0, 4502, "do not reconnect by itself"},
	Slow:            {0, 4003, "reconnect with the cursor"},
	ShuttingDown:    {503, 4004, "reconnect now, elsewhere"},
	Unavailable:     {503, 4005, "retry with backoff and jitter, the same id"},
	Internal:        {500, 4006, "retry"},
}

// FailureCode says why a run failed (agent_failed.code).
type FailureCode string

// The codes of run failures.
const (
	ModelUnavailable  FailureCode = "model_unavailable"
	ModelRefused      FailureCode = "model_refused"
	ModelTruncated    FailureCode = "model_truncated"
	BudgetSteps       FailureCode = "budget_steps"
	BudgetTokens      FailureCode = "budget_tokens"
	BudgetTime        FailureCode = "budget_time"
	BudgetCost        FailureCode = "budget_cost"
	QualityRejected   FailureCode = "quality_rejected"
	AttemptsExhausted FailureCode = "attempts_exhausted"
	AgentUnknown      FailureCode = "agent_unknown"
	AgentError        FailureCode = "agent_error"
)

// Error is an error that may be shown to a client: it never echoes ids or values.
type Error struct {
	Code       Code
	Message    string
	Field      string        // dotted path into the frame or request, "" if none
	RetryAfter time.Duration // how long to wait, 0 if not said
	cause      error
}

// Errorf makes an Error; an %w argument becomes its cause and is never shown to a client.
func Errorf(code Code, format string, args ...any) *Error {
	e := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: e.Error(), cause: errors.Unwrap(e)}
}

// Wrap hides cause behind a code and a safe message.
func Wrap(code Code, message string, cause error) *Error {
	return &Error{Code: code, Message: message, cause: cause}
}

// At returns e with its field set.
func (e *Error) At(field string) *Error { e.Field = field; return e }

// After returns e with the time to wait.
func (e *Error) After(d time.Duration) *Error { e.RetryAfter = d; return e }

func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Message
	if e.Field != "" {
		s += " (" + e.Field + ")"
	}
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

// Unwrap returns the hidden cause.
func (e *Error) Unwrap() error { return e.cause }

// AsError returns err as an Error; one that is none becomes Internal, with nothing of its text.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return Wrap(Internal, "something went wrong on our side", err)
}

// CodeOf returns the code of err, "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	return AsError(err).Code
}
