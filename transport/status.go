package transport

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"

	"github.com/go-json-experiment/json"

	"github.com/netra-systems/switchboard"
)

// Problem is the body of an HTTP error, application/problem+json (RFC 9457). It never echoes a value of the request.
type Problem struct {
	Type         string           `json:"type" doc:"always about:blank: the code says what is wrong"`
	Title        string           `json:"title" doc:"the text of the HTTP status"`
	Status       int              `json:"status" doc:"the HTTP status"`
	Code         switchboard.Code `json:"code" enum:"invalid,unsupported,unauthenticated,forbidden,not_found,conflict,gap,too_large,rate_limited,draining,unavailable,internal"`
	Field        string           `json:"field,omitempty" doc:"dotted path of the field, parameter or header that is wrong"`
	Detail       string           `json:"detail" doc:"what is wrong, for people"`
	RetryAfterMS int64            `json:"retry_after_ms,omitzero" doc:"how long to wait, in ms"`
}

// NewProblem returns what a client may know of err; an error that is no *switchboard.Error becomes internal.
func NewProblem(err error) *Problem {
	e := switchboard.AsError(err)
	p := e.Problem()
	status := switchboard.Codes[e.Code].HTTP
	if status == 0 {
		status = http.StatusInternalServerError
	}
	return &Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Code: p.Code, Field: p.Field, Detail: p.Message, RetryAfterMS: p.RetryAfterMS,
	}
}

// Error returns the detail.
func (p *Problem) Error() string { return string(p.Code) + ": " + p.Detail }

// GetStatus returns the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is the media type of a Problem.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders returns the headers that go with the problem: Retry-After in seconds (RFC 9110 §10.2.3) and
// WWW-Authenticate (RFC 6750 §3).
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{"Cache-Control": {"no-store"}}
	if p.RetryAfterMS > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64(math.Ceil(float64(p.RetryAfterMS)/1000)), 10))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	return h
}

// WriteProblem answers a request with an error.
func WriteProblem(w http.ResponseWriter, err error) { NewProblem(err).Write(w) }

// Write answers a request with the problem.
func (p *Problem) Write(w http.ResponseWriter) {
	b, err := json.Marshal(p)
	if err != nil { // strings and numbers always encode
		b = []byte(`{"code":"internal"}`)
	}
	h := w.Header()
	for k, v := range p.GetHeaders() {
		h[k] = v
	}
	h.Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_, _ = w.Write(b)
}

// The close codes of RFC 6455 §7.4.1 that have no code of ours.
const (
	closeProtocol = 1002
	closeBinary   = 1003
	closeText     = 1007
	closePolicy   = 1008
)

// closure ends a connection with a close code of RFC 6455. With code 0 the peer is gone: nothing is sent.
type closure struct {
	code   int
	reason string
}

func (c *closure) Error() string { return "closed " + strconv.Itoa(c.code) + ": " + c.reason }

// gone ends a connection whose peer went away.
func gone(why string) error { return &closure{0, why} }

// closeOf maps the cause of a connection's end to its close code and reason.
func closeOf(cause error) (int, string) {
	var c *closure
	if errors.As(cause, &c) {
		return c.code, c.reason
	}
	var e *switchboard.Error
	if !errors.As(cause, &e) {
		if errors.Is(cause, context.Canceled) { // the request of an event stream ended
			return 0, "connection lost"
		}
		e = switchboard.AsError(cause)
	}
	code := switchboard.Codes[e.Code].Close
	if code == 0 {
		code = closePolicy
	}
	return code, string(e.Code)
}
