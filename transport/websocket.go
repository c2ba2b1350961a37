package transport

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/netra-systems/switchboard"
)

const (
	// The sizes of a socket's buffers in bytes: most frames fit, longer ones bypass them.
	readBuffer  = 512
	writeBuffer = 1024
	// hurry is what a device that ends has left to take the frame being written, and then to answer the close frame.
	hurry = time.Second
)

// serveWebSocket upgrades a connection (RFC 6455 §4.2) and begins its device. Then it returns: the device goes on by
// itself, without the buffers and the stack of the HTTP server, until it ends; Drain waits for it.
func (s *Server) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	leave, err := s.admit(r)
	if err != nil {
		WriteProblem(w, err)
		return
	}
	goesOn := false
	defer func() {
		if !goesOn {
			leave()
		}
	}()
	d, err := s.handshake(w, r)
	if err != nil {
		return
	}
	established, ok := s.begin(context.Background(), d, switchboard.Cursor(r.URL.Query().Get("cursor")))
	if !ok {
		return
	}
	goesOn = true
	go func() {
		defer leave()
		d.serve(established)
	}()
}

// handshake checks what comes before the upgrade and upgrades; on an error the answer is written.
func (s *Server) handshake(w http.ResponseWriter, r *http.Request) (*device, error) {
	offered := protocols(r)
	id, err := s.identify(r, offered, true)
	if err == nil && !slices.Contains(offered, switchboard.Protocol) {
		err = switchboard.Errorf(switchboard.Invalid, "the subprotocol %s is needed", switchboard.Protocol).
			At("Sec-WebSocket-Protocol")
	}
	if err == nil && !upgrades(r) {
		err = switchboard.Errorf(switchboard.Invalid, "a WebSocket handshake is needed").At("Upgrade")
	}
	if err != nil {
		WriteProblem(w, err)
		return nil, err
	}
	d := newDevice(s, id, "websocket", s.ClientAddr(r))
	h := &hijacker{ResponseWriter: w, timeout: s.cfg.WriteTimeout}
	// The gate has checked Origin and Host: the library's rule would also let any Origin of the same Host pass.
	conn, err := websocket.Accept(h, r, &websocket.AcceptOptions{
		Subprotocols: []string{switchboard.Protocol}, InsecureSkipVerify: true,
		CompressionMode: websocket.CompressionDisabled, OnPingReceived: d.pinged,
	})
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(int64(s.cfg.Limits.FrameBytes))
	d.enc = &socket{conn: conn, net: h.conn}
	return d, nil
}

// upgrades reports whether the request asks for a WebSocket, so that the answer to one that does not is ours.
func upgrades(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket") && r.ProtoAtLeast(1, 1) &&
		strings.Contains(strings.ToLower(strings.Join(r.Header.Values("Connection"), ",")), "upgrade") &&
		r.Header.Get("Sec-WebSocket-Version") == "13" && r.Header.Get("Sec-WebSocket-Key") != ""
}

// socket encodes a device's frames as text messages. Its methods may be called concurrently, Read and Write each by one
// caller.
type socket struct {
	conn *websocket.Conn
	net  *timedConn
}

// Write sends a text message within the write timeout of the connection below: a context that can end would cost a
// registration per frame.
func (c *socket) Write(_ context.Context, frame []byte) error {
	if err := c.conn.Write(context.Background(), websocket.MessageText, frame); err != nil {
		return gone("write failed")
	}
	return nil
}

// Read returns the next text message; errors are closures or TooLarge.
func (c *socket) Read(context.Context) ([]byte, error) {
	kind, b, err := c.conn.Read(context.Background())
	switch {
	case err != nil:
		return nil, readError(err)
	case kind == websocket.MessageBinary:
		return nil, &closure{closeBinary, "frames are text"}
	case !utf8.Valid(b):
		return nil, &closure{closeText, "not UTF-8"}
	}
	return b, nil
}

// readError tells a peer that went away from one that breaks the protocol: the library closes some violations itself,
// drops others without a close frame, and names them only in text.
func readError(err error) error {
	var network net.Error
	switch {
	case errors.Is(err, websocket.ErrMessageTooBig):
		return switchboard.Errorf(switchboard.TooLarge, "the frame is too large")
	case websocket.CloseStatus(err) != -1:
		return gone("closed by the device")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe),
		errors.Is(err, net.ErrClosed), errors.Is(err, context.DeadlineExceeded), errors.As(err, &network):
		return gone("connection lost")
	}
	return &closure{closeProtocol, "protocol error"}
}

// Ping waits for the answer to a ping (RFC 6455 §5.5.2).
func (c *socket) Ping(ctx context.Context) error { return c.conn.Ping(ctx) }

// Hurry bounds the write that may be going on, and the ones to come.
func (c *socket) Hurry() { c.net.hurry() }

// Close sends a close frame, waits a moment for the answer, and closes the connection.
func (c *socket) Close(code int, reason string) {
	if code == 0 {
		_ = c.conn.CloseNow()
		return
	}
	c.net.hurry()
	_ = c.net.SetReadDeadline(time.Now().Add(hurry)) // the library would skip the rest of a 2^62 byte frame without one
	_ = c.conn.Close(websocket.StatusCode(code), reason)
}

// Refuse sends the error as a frame; Close follows.
func (c *socket) Refuse(err error) {
	_ = c.Write(context.Background(), switchboard.EncodeReply("", switchboard.AsError(err)))
}

// deadline bounds each write in time, and once the connection is about to end, all that follow together.
type deadline struct {
	timeout time.Duration
	set     func(time.Time) error
	mu      sync.Mutex // orders the setting of deadlines
	ending  bool
}

// extend gives the next write its time.
func (d *deadline) extend() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ending {
		return nil
	}
	return d.set(time.Now().Add(d.timeout))
}

// hurry leaves all writes a moment.
func (d *deadline) hurry() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.ending {
		d.ending = true
		_ = d.set(time.Now().Add(hurry))
	}
}

// timedConn is a connection whose writes are bounded in time.
type timedConn struct {
	net.Conn
	deadline
}

func (c *timedConn) Write(b []byte) (int, error) {
	if err := c.extend(); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// hijacker gives the WebSocket library a connection with timed writes and small buffers.
type hijacker struct {
	http.ResponseWriter
	timeout time.Duration
	conn    *timedConn
}

// Hijack takes over the connection.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		slog.Error("connection cannot be taken over", "error", err)
		return nil, nil, err
	}
	_ = nc.SetDeadline(time.Time{}) // those of the HTTP server
	h.conn = &timedConn{nc, deadline{timeout: h.timeout, set: nc.SetWriteDeadline}}
	early, _ := rw.Reader.Peek(rw.Reader.Buffered())
	early = bytes.Clone(early)
	br := bufio.NewReaderSize(bytes.NewReader(early), max(readBuffer, len(early)))
	if len(early) > 0 {
		_, _ = br.Peek(len(early)) // the library takes over what is buffered
	}
	return h.conn, bufio.NewReadWriter(br, bufio.NewWriterSize(h.conn, writeBuffer)), nil
}
