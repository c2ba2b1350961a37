package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/netra-systems/switchboard/model"
)

// What is wrong with an answer, whatever the protocol.
var (
	ErrTooLarge = errors.New("the answer is larger than allowed")
	ErrGarbage  = errors.New("the answer is not what the protocol says")

	// Tolerant reads what servers send; half a surrogate pair in a token is no reason to lose an answer.
	Tolerant = json.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
)

// maxTold bounds what is logged of a server's text, in bytes.
const maxTold = 500

// ServerError is an error that a server reported. Its text may quote the request or the key: Client takes the key out, and
// shows it in logs alone.
type ServerError struct{ Message, Type, Code string }

func (e *ServerError) Error() string {
	return fmt.Sprintf("the server reported an error: %s (type %s, code %s)", e.Message, e.Type, e.Code)
}

// ParseError reads an error object as servers really send it: code and type are strings or numbers, and some send a bare
// string instead of the object.
func ParseError(v jsontext.Value) *ServerError {
	var w struct {
		Message string         `json:"message"`
		Type    jsontext.Value `json:"type"`
		Code    jsontext.Value `json:"code"`
	}
	if json.Unmarshal(v, &w, Tolerant) != nil {
		return &ServerError{Message: plain(v)}
	}
	return &ServerError{Message: w.Message, Type: plain(w.Type), Code: plain(w.Code)}
}

// plain is the text of a JSON string, or the JSON itself.
func plain(v jsontext.Value) string {
	var s string
	if json.Unmarshal(v, &s, Tolerant) == nil {
		return s
	}
	return string(v)
}

// told is a text of a server as it may be logged: without secrets, and not for ever.
func (c *Client) told(s string) string {
	if s = c.redact(s); len(s) > maxTold {
		s = strings.ToValidUTF8(s[:maxTold], "") + "…"
	}
	return s
}

// Kind says what an error means that a server names by status, code or type; "" if it is not known.
func (e *ServerError) Kind() model.Kind {
	if n, err := strconv.Atoi(e.Code); err == nil && n >= 300 {
		return statusKind(n)
	}
	for _, s := range []string{e.Code, e.Type} {
		s = strings.ToLower(s)
		has := func(part string) bool { return strings.Contains(s, part) }
		switch {
		case has("rate_limit"), has("overload"), has("unavailable"), has("timeout"), s == "server_error",
			s == "internal_server_error", s == "api_error":
			return model.Unavailable
		case has("invalid"), has("context_length"), has("authentication"), has("unauthorized"), has("permission"),
			has("forbidden"), has("not_found"), has("insufficient_quota"), has("billing"), has("too_large"):
			return model.Refused
		}
	}
	return ""
}

func statusKind(status int) model.Kind {
	switch {
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout,
		status == http.StatusConflict, status == http.StatusTooEarly:
		return model.Unavailable
	default:
		return model.Refused
	}
}

// refused makes an error of an answer that is not 200. Its Message is in our own words: a server's text may quote the
// request or the key.
func (c *Client) refused(res *http.Response, body io.Reader) *model.Error {
	b, _ := io.ReadAll(io.LimitReader(body, 64<<10))
	e := &model.Error{Kind: statusKind(res.StatusCode), RetryAfter: retryAfter(res.Header, time.Now())}
	told := &ServerError{Message: http.StatusText(res.StatusCode)}
	var w struct {
		Error jsontext.Value `json:"error"`
	}
	if json.Unmarshal(b, &w, Tolerant) == nil && len(w.Error) > 0 {
		told = ParseError(w.Error)
	}
	noCredit := told.Code == "insufficient_quota" || told.Type == "billing_error"
	switch s := res.StatusCode; {
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		// The text is left out: servers quote parts of a bad key in it.
		e.Message, told.Message = c.who+" does not accept the key", http.StatusText(s)
	case s == http.StatusNotFound:
		e.Message = c.who + " does not know this model or address"
	case noCredit:
		e.Kind, e.Message = model.Refused, "the account of "+c.who+" has no credit left"
	case s == http.StatusTooManyRequests:
		e.Message = c.who + " has too many requests"
	case s == http.StatusRequestEntityTooLarge, strings.HasPrefix(told.Code, "context_length"):
		e.Message = "the conversation is too long for " + c.who
	case s >= 300 && s < 400:
		e.Message = c.who + " answered with a redirect, which is not followed"
	case e.Kind == model.Unavailable:
		e.Message = c.who + " has a problem"
	default:
		e.Message = c.who + " refused the request"
	}
	e.Message += " (" + strconv.Itoa(res.StatusCode) + ")"
	e.Err = errors.New(c.told(told.Error()))
	return e
}

// broken makes an error of a connection or stream that failed; begun says whether a chunk of it was given.
func (c *Client) broken(ctx context.Context, err error, begun bool) *model.Error {
	e := &model.Error{Kind: model.Truncated, Message: c.who + " broke off its answer", Err: err}
	if !begun {
		e.Kind, e.Message = model.Unavailable, c.who+" gave no answer"
	}
	var told *ServerError
	var known *model.Error
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errStalled):
		e.Kind, e.Message, e.Err = model.Unavailable, c.who+" was silent for too long", errStalled
		if begun {
			e.Message = c.who + " fell silent in the middle of its answer"
		}
	case errors.Is(cause, errTimeout):
		e.Kind, e.Message, e.Err = model.Unavailable, c.who+" took too long for its answer", errTimeout
	case errors.As(err, &known):
		e = &model.Error{Kind: known.Kind, Message: known.Message, RetryAfter: known.RetryAfter, Err: known.Err}
	case errors.Is(err, ErrTooLarge):
		e.Kind, e.Message = model.Truncated, "the answer of "+c.who+" is too large"
	case errors.As(err, &told):
		e.Message, e.Err = c.who+" reported an error", told
		if k := told.Kind(); k != "" {
			e.Kind = k
		}
	}
	if e.Err != nil {
		// An error that can be unwrapped could still hold what its text no longer does.
		if was := e.Err.Error(); told != nil || c.told(was) != was {
			e.Err = errors.New(c.told(was))
		}
	}
	return e
}

// retryAfter reads what a server says of the time until the next request: retry-after-ms as OpenAI and Anthropic send it,
// or Retry-After (RFC 9110 §10.2.3), seconds, also with a fraction, or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	for _, x := range []struct {
		value string
		unit  time.Duration
	}{{h.Get("Retry-After-Ms"), time.Millisecond}, {h.Get("Retry-After"), time.Second}} {
		if n, err := strconv.ParseFloat(x.value, 64); err == nil {
			if n > 0 && n < 1e9 {
				return time.Duration(n * float64(x.unit))
			}
			return 0
		}
	}
	if t, err := http.ParseTime(h.Get("Retry-After")); err == nil && t.After(now) {
		return t.Sub(now)
	}
	return 0
}
