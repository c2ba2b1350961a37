package rest

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/auth"
)

// envelope is more than the fields of a message around its payload take.
const envelope = 1024

// read returns the body of a request: JSON, within the limit of a frame. A body that is not declared as JSON is
// refused, so no form of another site can send one.
func (x *api) read(c *Call) ([]byte, error) {
	kind, _, err := mime.ParseMediaType(c.request.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return nil, switchboard.Errorf(switchboard.Invalid, "must be application/json").At("Content-Type")
	}
	limit := x.server.Limits().FrameBytes
	rc := http.NewResponseController(c.writer)
	if rc.SetReadDeadline(time.Now().Add(switchboard.Milliseconds(x.server.Limits().HandshakeMS))) == nil {
		defer func() { _ = rc.SetReadDeadline(time.Time{}) }() // the server's own begins with the next request
	}
	b, err := io.ReadAll(http.MaxBytesReader(c.writer, c.request.Body, int64(limit)))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, switchboard.Errorf(switchboard.TooLarge, "a body may have %d bytes", limit)
	case err != nil:
		return nil, switchboard.Wrap(switchboard.Invalid, "the body could not be read", err)
	}
	return b, nil
}

// readMessage reads the body as the payload of a message. A refused one costs the user one of its refusals, as it does
// on the socket.
func (x *api) readMessage(c *Call, id auth.Identity, t switchboard.MessageType, k, thread string) (switchboard.Message, error) {
	b, err := x.read(c)
	if err != nil {
		return switchboard.Message{}, x.refused(id, err)
	}
	return x.message(id, t, k, thread, b)
}

// message makes a message of a payload, with the codec and the rules of the socket.
func (x *api) message(id auth.Identity, t switchboard.MessageType, k, thread string, payload []byte) (switchboard.Message, error) {
	m, err := x.decode(t, k, thread, payload)
	if err != nil {
		return m, x.refused(id, err)
	}
	return m, nil
}

func (x *api) refused(id auth.Identity, err error) error {
	if limited := x.router.Refused(id.User.ID); limited != nil {
		return limited
	}
	return unwrapped(err)
}

func (x *api) decode(t switchboard.MessageType, k, thread string, payload []byte) (switchboard.Message, error) {
	id, err := key(k)
	if err != nil {
		return switchboard.Message{}, err
	}
	// The payload must be one value before it is put into a frame, or it could bring members of the envelope.
	v := jsontext.Value(bytes.TrimSpace(payload))
	if !v.IsValid() {
		v = jsontext.Value(payload)
		if err := invalidJSON(v); err != nil {
			return switchboard.Message{}, err
		}
	}
	frame, err := jsonv2.Marshal(struct {
		Type     switchboard.MessageType `json:"type"`
		ID       switchboard.FrameID     `json:"id"`
		ThreadID string                  `json:"thread_id,omitempty"`
		Payload  jsontext.Value          `json:"payload"`
	}{t, id, thread, v})
	if err != nil {
		return switchboard.Message{}, switchboard.Errorf(switchboard.Invalid, "not JSON")
	}
	l := x.server.Limits()
	l.FrameBytes += envelope
	l.JSONDepth++ // the envelope's
	return switchboard.DecodeMessage(frame, l)
}

// invalidJSON says where a body is not JSON.
func invalidJSON(v jsontext.Value) error {
	e := switchboard.Errorf(switchboard.Invalid, "not JSON")
	d := jsontext.NewDecoder(bytes.NewReader(v))
	err := d.SkipValue()
	var syn *jsontext.SyntacticError
	if errors.Is(err, jsontext.ErrDuplicateName) {
		e = switchboard.Errorf(switchboard.Invalid, "duplicate field")
	}
	if errors.As(err, &syn) {
		e.Field = dotted(syn.JSONPointer)
	}
	return e
}

// dotted writes a JSON pointer (RFC 6901) as a dotted path of at most 128 bytes.
func dotted(p jsontext.Pointer) string {
	var out []byte
	for i, t := range slices.Collect(p.Tokens()) {
		if i > 0 {
			out = append(out, '.')
		}
		out = append(out, t...)
	}
	return truncate(string(out))
}

// empty refuses a body where none is needed; an empty object passes.
func (x *api) empty(c *Call) error {
	if c.request.ContentLength == 0 {
		return nil
	}
	b, err := x.read(c)
	if err != nil {
		return err
	}
	return strictly(b, &struct{}{})
}

// strictly decodes a body that is no payload of a message.
func strictly(b []byte, v any) error {
	err := jsonv2.Unmarshal(b, v, jsonv2.RejectUnknownMembers(true))
	var sem *jsonv2.SemanticError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jsonv2.ErrUnknownName) && errors.As(err, &sem):
		return switchboard.Errorf(switchboard.Invalid, "unknown field").At(dotted(sem.JSONPointer))
	case errors.As(err, &sem):
		return switchboard.Errorf(switchboard.Invalid, "wrong type of value").At(dotted(sem.JSONPointer))
	}
	return invalidJSON(b)
}
