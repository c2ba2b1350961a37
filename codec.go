package switchboard

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// strict refuses unknown members; duplicate and case-variant names and bad UTF-8 are refused by default (RFC 8259,
// RFC 7493).
var strict = json.RejectUnknownMembers(true)

// wireMessage is the envelope of a Message.
type wireMessage struct {
	Type     MessageType        `json:"type"`
	ID       *string            `json:"id"`
	ThreadID string             `json:"thread_id,omitempty"`
	Payload  stdjson.RawMessage `json:"payload,omitempty"`
}

// DecodeMessage reads a frame of a device. On an error the Message still holds the id, if one could be read, so that
// the error can be answered. Errors: Invalid, Unsupported, TooLarge, each naming its field.
func DecodeMessage(frame []byte, l Limits) (Message, error) {
	if len(frame) > l.FrameBytes {
		return Message{}, Errorf(TooLarge, "a frame may have %d bytes", l.FrameBytes)
	}
	if err := checkText(frame, l.JSONDepth); err != nil {
		return Message{ID: salvageID(frame)}, err
	}
	var w wireMessage
	if err := json.Unmarshal(frame, &w, strict); err != nil {
		return Message{ID: salvageID(frame)}, fieldError(err, "")
	}
	m := Message{Type: w.Type, ThreadID: w.ThreadID}
	if w.ID == nil {
		return m, missing("id")
	}
	id, err := ParseFrameID(*w.ID)
	if err != nil {
		return m, err
	}
	m.ID = id
	if w.Type == "" {
		return m, missing("type")
	}
	m.Payload, err = DecodePayload(w.Type, w.Payload, l)
	return m, err
}

// DecodePayload reads the payload of a message type; an absent one is an empty object. Errors: Invalid, Unsupported.
func DecodePayload(t MessageType, b []byte, l Limits) (MessagePayload, error) {
	if len(b) == 0 {
		b = []byte("{}")
	}
	make, ok := messageTypes[t]
	if !ok {
		if now, old := oldNames[t]; old {
			return nil, Errorf(Unsupported, "this type is now called %s", now).At("type")
		}
		return nil, Errorf(Unsupported, "unknown message type").At("type")
	}
	if b[0] != '{' {
		return nil, Errorf(Invalid, "must be an object").At("payload")
	}
	p := make()
	if err := json.Unmarshal(b, p, strict); err != nil {
		return nil, fieldError(err, "payload")
	}
	if err := p.validate(l); err != nil {
		err.Field = join("payload", err.Field)
		return nil, err
	}
	return p, nil
}

// checkText reads every token once: depth, UTF-8, duplicate names, NUL characters and numbers no float64 holds.
func checkText(b []byte, depth int) error {
	if !utf8.Valid(b) {
		return Errorf(Invalid, "not UTF-8")
	}
	d := jsontext.NewDecoder(bytes.NewBuffer(b))
	for {
		t, err := d.ReadToken()
		if err != nil {
			if d.StackDepth() == 0 && d.InputOffset() > 0 && len(bytes.TrimSpace(b[d.InputOffset():])) == 0 {
				return nil
			}
			return fieldError(err, "")
		}
		switch t.Kind() {
		case '{', '[':
			if d.StackDepth() > depth {
				return Errorf(Invalid, "nested deeper than %d", depth).At(field(d.StackPointer()))
			}
		case '"':
			if strings.ContainsRune(t.String(), 0) {
				return Errorf(Invalid, "holds a NUL character").At(field(d.StackPointer()))
			}
		case '0':
			if f, err := t.Float(); err != nil || math.IsInf(f, 0) {
				return Errorf(Invalid, "number out of range").At(field(d.StackPointer()))
			}
		}
		if d.StackDepth() == 0 {
			if t.Kind() != '}' {
				return Errorf(Invalid, "a frame must be one JSON object")
			}
		}
	}
}

// salvageID finds the id of a frame that is too broken to decode, "" if it has none.
func salvageID(b []byte) FrameID {
	d := jsontext.NewDecoder(bytes.NewBuffer(b), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return ""
	}
	for {
		name, err := d.ReadToken()
		if err != nil || name.Kind() != '"' {
			return ""
		}
		if name.String() == "id" && d.PeekKind() == '"' {
			v, err := d.ReadToken()
			if err != nil {
				return ""
			}
			id, _ := ParseFrameID(v.String())
			return id
		}
		if d.SkipValue() != nil {
			return ""
		}
	}
}

// fieldError turns an error of the JSON library into ours: the place, never the value.
func fieldError(err error, under string) *Error {
	var syn *jsontext.SyntacticError
	var sem *json.SemanticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syn):
		return Errorf(Invalid, "duplicate field").At(join(under, field(syn.JSONPointer)))
	case errors.As(err, &syn):
		return Errorf(Invalid, "not JSON").At(join(under, field(syn.JSONPointer)))
	case errors.Is(err, json.ErrUnknownName) && errors.As(err, &sem):
		return Errorf(Invalid, "unknown field").At(join(under, field(sem.JSONPointer)))
	case errors.As(err, &sem):
		return Errorf(Invalid, "wrong type of value").At(join(under, field(sem.JSONPointer)))
	}
	return Errorf(Invalid, "not JSON").At(under)
}

// field writes a JSON pointer (RFC 6901) as a dotted path of at most 128 bytes.
func field(p jsontext.Pointer) string {
	s := strings.Join(slices.Collect(p.Tokens()), ".")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
	if len(s) > 128 {
		s = strings.ToValidUTF8(s[:128], "")
	}
	return s
}

func join(under, name string) string {
	if under == "" || name == "" {
		return under + name
	}
	return under + "." + name
}

// EncodeMessage writes a frame that a device sends.
func EncodeMessage(m Message) ([]byte, error) {
	if m.Payload == nil {
		return nil, missing("payload")
	}
	p, err := json.Marshal(m.Payload)
	if err != nil {
		return nil, err
	}
	id := string(m.ID)
	return json.Marshal(wireMessage{Type: m.Payload.MessageType(), ID: &id, ThreadID: m.ThreadID, Payload: p})
}

// EncodeEvent writes an event.
func EncodeEvent(e Event) ([]byte, error) { return json.Marshal(e) }

// WithCursor returns an encoded event that has no cursor, with one.
func WithCursor(event []byte, c Cursor) []byte {
	out := make([]byte, 0, len(event)+len(c)+12)
	out = append(out, event[:len(event)-1]...)
	out = append(out, `,"cursor":"`...)
	out = append(out, c...)
	return append(out, `"}`...)
}

// UnmarshalJSON reads an event; fields it does not know are ignored, an unknown type is an error.
func (e *Event) UnmarshalJSON(b []byte) error {
	var w struct {
		Type     EventType          `json:"type"`
		ThreadID ThreadID           `json:"thread_id"`
		RunID    RunID              `json:"run_id"`
		N        uint64             `json:"n"`
		Cursor   Cursor             `json:"cursor"`
		Time     Time               `json:"time"`
		Payload  stdjson.RawMessage `json:"payload"`
	}
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	info, ok := eventTypes[w.Type]
	if !ok {
		return errors.New("unknown event type " + strconv.Quote(string(w.Type)))
	}
	if len(w.Payload) == 0 || w.Payload[0] != '{' {
		return errors.New("an event without a payload")
	}
	p := info.payload()
	if err := json.Unmarshal(w.Payload, p); err != nil {
		return err
	}
	*e = Event{w.Type, w.ThreadID, w.RunID, w.N, w.Cursor, w.Time, p}
	return nil
}

// DecodeEvent reads an encoded event.
func DecodeEvent(b []byte) (Event, error) {
	var e Event
	err := e.UnmarshalJSON(b)
	return e, err
}

// EncodeDelta writes a delta as a frame.
func EncodeDelta(d Delta) ([]byte, error) {
	return json.Marshal(struct {
		Type string `json:"type"`
		Delta
	}{TypeAgentDelta, d})
}

// DecodeDelta reads an encoded delta; fields it does not know are ignored.
func DecodeDelta(b []byte) (Delta, error) {
	var d Delta
	err := json.Unmarshal(b, &d)
	return d, err
}

// EncodeReply writes an ack, a result or an error for the frame with this id, "" for a frame too broken to hold one.
func EncodeReply(id FrameID, payload any) []byte {
	typ := TypeResult
	switch p := payload.(type) {
	case Ack:
		typ = TypeAck
	case *Error:
		typ, payload = TypeError, p.Problem()
	}
	return encodeFrame(typ, id, payload)
}

// EncodeNotice writes a frame that is neither an event nor a delta nor a reply.
func EncodeNotice(typ string, payload any) []byte { return encodeFrame(typ, "", payload) }

func encodeFrame(typ string, id FrameID, payload any) []byte {
	b, err := json.Marshal(struct {
		Type    string  `json:"type"`
		ID      FrameID `json:"id,omitempty"`
		Payload any     `json:"payload"`
	}{typ, id, payload})
	if err != nil { // the payload types of this package always encode
		return encodeFrame(TypeError, id, Wrap(Internal, "the answer could not be encoded", err).Problem())
	}
	return b
}

// Frame is what a device receives, half decoded: Event or Delta if it is one, else the payload as it is.
type Frame struct {
	Type    string
	ID      FrameID
	Event   *Event
	Delta   *Delta
	Payload stdjson.RawMessage
}

// DecodeFrame reads a frame that the server sends. A frame of an unknown type is no error: it must be ignored.
func DecodeFrame(b []byte) (Frame, error) {
	var w struct {
		Type    string             `json:"type"`
		ID      FrameID            `json:"id"`
		Payload stdjson.RawMessage `json:"payload"`
	}
	if err := json.Unmarshal(b, &w); err != nil {
		return Frame{}, err
	}
	f := Frame{Type: w.Type, ID: w.ID, Payload: w.Payload}
	var err error
	if _, ok := eventTypes[EventType(w.Type)]; ok {
		f.Event = new(Event)
		err = f.Event.UnmarshalJSON(b)
	} else if w.Type == TypeAgentDelta {
		var d Delta
		d, err = DecodeDelta(b)
		f.Delta = &d
	}
	return f, err
}

// Decode reads the payload of a frame into v; fields v does not know are ignored.
func (f Frame) Decode(v any) error { return json.Unmarshal(f.Payload, v) }
