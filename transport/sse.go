package transport

import (
	"context"
	"errors"
	"net/http"

	"github.com/netra-systems/switchboard"
)

// ServeEvents streams the caller's events and deltas as server-sent events (HTML, "Server-sent events"). Last-Event-ID
// or the query parameter cursor is the place to go on from; one that cannot be honoured is answered with gap. It
// returns when the stream has ended.
func (s *Server) ServeEvents(w http.ResponseWriter, r *http.Request) {
	leave, err := s.admit(r)
	if err != nil {
		WriteProblem(w, err)
		return
	}
	defer leave()
	id, err := s.Identify(r)
	if err != nil {
		WriteProblem(w, err)
		return
	}
	cursor := r.Header.Get("Last-Event-ID")
	if cursor == "" {
		cursor = r.URL.Query().Get("cursor")
	}
	d := newDevice(s, id, "sse", s.ClientAddr(r))
	rc := http.NewResponseController(w)
	d.enc = &stream{w: w, rc: rc, turn: make(chan struct{}, 1), time: &deadline{timeout: s.cfg.WriteTimeout, set: rc.SetWriteDeadline}}
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close") // the write deadline outlives the stream
	}
	if established, ok := s.begin(r.Context(), d, switchboard.Cursor(cursor)); ok {
		d.serve(established)
	}
}

// stream encodes a device's frames as server-sent events: the event's cursor as id, its type as event, the frame as
// data.
type stream struct {
	w    http.ResponseWriter
	rc   *http.ResponseController
	time *deadline

	turn    chan struct{} // holds a token while one writes, which may take time: the writer loop, or a heartbeat
	started bool          // the header was sent
	ending  bool
}

// Write sends one event.
func (c *stream) Write(_ context.Context, frame []byte) error {
	f, err := switchboard.DecodeFrame(frame)
	if err != nil {
		return switchboard.Wrap(switchboard.Internal, "an event could not be encoded", err)
	}
	var cursor switchboard.Cursor
	if f.Event != nil {
		cursor = f.Event.Cursor
	} else if f.Type == switchboard.TypeCaughtUp {
		var p switchboard.CaughtUp
		if f.Decode(&p) == nil {
			cursor = p.Cursor
		}
	}
	out := make([]byte, 0, len(frame)+len(cursor)+64)
	if cursor != "" {
		out = append(append(append(out, "id: "...), cursor...), '\n')
	}
	out = append(append(append(out, "event: "...), f.Type...), "\ndata: "...)
	out = append(append(out, frame...), "\n\n"...) // JSON of the codec has no line breaks
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	return c.write(out)
}

// Read waits for the end: nothing comes in.
func (c *stream) Read(ctx context.Context) ([]byte, error) {
	<-ctx.Done()
	return nil, gone("closed by the device")
}

// Ping sends a comment, unless an event is being sent.
func (c *stream) Ping(context.Context) error {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	default:
		return nil
	}
	if !c.started || c.ending {
		return nil
	}
	return c.write([]byte(": \n\n"))
}

// Hurry bounds the write that may be going on, and the ones to come.
func (c *stream) Hurry() { c.time.hurry() }

// Close ends the stream; what ended it is its last event.
func (c *stream) Close(code int, reason string) {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	if code != 0 && c.started {
		e := switchboard.Errorf(switchboard.Code(reason), "%s", switchboard.Codes[switchboard.Code(reason)].Client)
		_ = c.write([]byte("event: error\ndata: " + string(switchboard.EncodeReply("", e)) + "\n\n"))
	}
	c.ending = true
}

// Refuse answers the request with an error instead of a stream.
func (c *stream) Refuse(err error) { WriteProblem(c.w, err) }

func (c *stream) write(b []byte) error {
	if c.ending {
		return gone("stream ended")
	}
	if !c.started {
		c.started = true
		h := c.w.Header()
		h.Set("Content-Type", "text/event-stream")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Accel-Buffering", "no")
	}
	if err := c.time.extend(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return gone("write failed")
	}
	if _, err := c.w.Write(b); err != nil {
		return gone("write failed")
	}
	if err := c.rc.Flush(); err != nil {
		return gone("write failed")
	}
	return nil
}
