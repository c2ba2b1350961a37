package openai

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

// wireError is the error object of the protocol, as servers really send it: code is a string or a number, and some send
// a bare string instead of the object.
type wireError struct {
	Message string         `json:"message"`
	Type    jsontext.Value `json:"type"`
	Code    jsontext.Value `json:"code"`
}

// frameError is an error that a server reported inside its answer.
type frameError struct {
	message, kind, code string
}

func (e *frameError) Error() string {
	return fmt.Sprintf("the server reported an error: %s (type %s, code %s)", clip(e.message), e.kind, e.code)
}

// parseError reads the value of an "error" member.
func parseError(v jsontext.Value) *frameError {
	var w wireError
	if json.Unmarshal(v, &w, tolerant) != nil {
		return &frameError{message: plain(v)}
	}
	return &frameError{message: w.Message, kind: plain(w.Type), code: plain(w.Code)}
}

// plain is the text of a JSON string, or the JSON itself.
func plain(v jsontext.Value) string {
	var s string
	if json.Unmarshal(v, &s, tolerant) == nil {
		return clip(s)
	}
	return clip(string(v))
}

func clip(s string) string {
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + "…"
	}
	return s
}

// class says what an error means that a server names by status, code or type; "" if it is not known.
func (e *frameError) class() model.Kind {
	if n, err := strconv.Atoi(e.code); err == nil && n >= 300 {
		return statusKind(n)
	}
	for _, s := range []string{e.code, e.kind} {
		switch s = strings.ToLower(s); {
		case strings.Contains(s, "rate_limit"), strings.Contains(s, "overload"), strings.Contains(s, "unavailable"),
			strings.Contains(s, "timeout"), s == "server_error", s == "internal_server_error", s == "api_error":
			return model.Unavailable
		case strings.Contains(s, "invalid"), strings.Contains(s, "context_length"), strings.Contains(s, "authentication"),
			strings.Contains(s, "permission"), strings.Contains(s, "not_found"), strings.Contains(s, "insufficient_quota"):
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
func (m *Model) refused(res *http.Response, body io.Reader) *model.Error {
	b, _ := io.ReadAll(io.LimitReader(body, 64<<10))
	e := &model.Error{Kind: statusKind(res.StatusCode), RetryAfter: retryAfter(res.Header.Get("Retry-After"), time.Now())}
	told := &frameError{message: http.StatusText(res.StatusCode)}
	var w struct {
		Error jsontext.Value `json:"error"`
	}
	if json.Unmarshal(b, &w, tolerant) == nil && len(w.Error) > 0 {
		told = parseError(w.Error)
	}
	switch s := res.StatusCode; {
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		// The text is left out: servers quote parts of a bad key in it.
		e.Message, told.message = "the model server does not accept the key", http.StatusText(s)
	case s == http.StatusNotFound:
		e.Message = "the model server does not know this model or address"
	case s == http.StatusTooManyRequests && told.code == "insufficient_quota":
		e.Kind, e.Message = model.Refused, "the account of the model server has no credit left"
	case s == http.StatusTooManyRequests:
		e.Message = "the model server has too many requests"
	case s == http.StatusRequestEntityTooLarge, strings.HasPrefix(told.code, "context_length"):
		e.Message = "the conversation is too long for the model"
	case s >= 300 && s < 400:
		e.Message = "the model server answered with a redirect, which is not followed"
	case e.Kind == model.Unavailable:
		e.Message = "the model server has a problem"
	default:
		e.Message = "the model server refused the request"
	}
	e.Message += " (" + strconv.Itoa(res.StatusCode) + ")"
	e.Err = errors.New(m.redact(told.Error()))
	return e
}

// broken makes an error of a connection or stream that failed; begun says whether a chunk of it was given.
func (m *Model) broken(ctx context.Context, err error, begun bool) *model.Error {
	e := &model.Error{Kind: model.Truncated, Message: "the model's answer broke off", Err: err}
	if !begun {
		e.Kind, e.Message = model.Unavailable, "the model server gave no answer"
	}
	var told *frameError
	switch {
	case errors.Is(context.Cause(ctx), errStalled):
		e.Kind, e.Message, e.Err = model.Unavailable, "the model server was silent for too long", errStalled
		if begun {
			e.Message = "the model server fell silent in the middle of its answer"
		}
	case errors.Is(err, errTooLarge):
		e.Kind, e.Message = model.Truncated, "the model's answer is too large"
	case errors.As(err, &told):
		e.Message, e.Err = "the model server reported an error", errors.New(m.redact(told.Error()))
		if k := told.class(); k != "" {
			e.Kind = k
		}
	}
	if text := err.Error(); e.Err == err && m.redact(text) != text {
		e.Err = errors.New(m.redact(text))
	}
	return e
}

// retryAfter reads a Retry-After header (RFC 9110 §10.2.3): seconds, also with a fraction, or a date.
func retryAfter(h string, now time.Time) time.Duration {
	if s, err := strconv.ParseFloat(h, 64); err == nil {
		if s > 0 && s < 1e9 {
			return time.Duration(s * float64(time.Second))
		}
		return 0
	}
	if t, err := http.ParseTime(h); err == nil && t.After(now) {
		return t.Sub(now)
	}
	return 0
}
