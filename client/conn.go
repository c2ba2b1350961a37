package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/netra-systems/switchboard"
)

const (
	readLimit    = 8 << 20          // bytes of a frame; a page of events has 1 MiB before escaping
	waitingLimit = 64               // frames read and not yet taken by Next
	writeTimeout = 10 * time.Second // for one frame to leave
)

// Conn is one connection of one user. Somebody must keep calling Next: when too many frames wait for it, nothing more is
// read, replies neither, and in the end the server closes the connection as slow. Close it when done. All methods may be
// called concurrently, but frames are in order only for a single caller of Next.
type Conn struct {
	ws          *websocket.Conn
	established switchboard.ConnectionEstablished
	received    func([]byte)

	frames chan switchboard.Frame // closed when the connection has ended
	ended  chan struct{}          // closed just before
	closed chan struct{}          // closed by stop
	loops  sync.WaitGroup

	mu    sync.Mutex // guards what follows
	calls map[switchboard.FrameID][]chan switchboard.Frame
	err   error // why the connection ended, or was stopped
}

// Dial connects and waits for connection_established; ctx bounds both and nothing after. A refusal is a
// *switchboard.Error (Unauthenticated, Forbidden, RateLimited, Unavailable …), a connection closed at once is a
// *CloseError.
func Dial(ctx context.Context, cfg Config) (*Conn, error) {
	u, err := cfg.endpoint("ws")
	if err != nil {
		return nil, err
	}
	if cfg.Cursor != "" {
		q := u.Query()
		q.Set("cursor", string(cfg.Cursor))
		u.RawQuery = q.Encode()
	}
	cfg = cfg.withDefaults()
	header := http.Header{}
	if cfg.Token != "" {
		header.Set("Authorization", "Bearer "+cfg.Token)
	}
	ws, resp, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{
		HTTPClient: cfg.HTTPClient, HTTPHeader: header, Subprotocols: []string{switchboard.Protocol},
		CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			return nil, refusal(resp)
		}
		return nil, fmt.Errorf("connect: %w", err)
	}
	if ws.Subprotocol() != switchboard.Protocol {
		ws.CloseNow()
		return nil, fmt.Errorf("connect: the server does not speak %s", switchboard.Protocol)
	}
	ws.SetReadLimit(readLimit)
	c := &Conn{
		ws: ws, received: cfg.Received, calls: map[switchboard.FrameID][]chan switchboard.Frame{},
		frames: make(chan switchboard.Frame, waitingLimit), ended: make(chan struct{}), closed: make(chan struct{}),
	}
	if err := c.establish(ctx); err != nil {
		ws.CloseNow()
		return nil, err
	}
	c.loops.Go(c.read)
	c.loops.Go(func() { c.keepAlive(cfg.PingInterval) })
	return c, nil
}

func (c *Conn) establish(ctx context.Context) error {
	f, err := c.receive(ctx)
	if err != nil {
		return err
	}
	if f.Type != switchboard.TypeConnectionEstablished {
		return fmt.Errorf("connect: the first frame is %q and not %s", f.Type, switchboard.TypeConnectionEstablished)
	}
	if err := f.Decode(&c.established); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return nil
}

// Established returns the first frame of the connection: who the user is, where the replay began, the server's limits.
func (c *Conn) Established() switchboard.ConnectionEstablished { return c.established }

// Next returns the next frame in the order it came: events, deltas, caught_up, notices, and replies that nobody waits
// for. After the last one it returns why the connection ended: a *CloseError, or net.ErrClosed after Close. An ended ctx
// ends only this call.
func (c *Conn) Next(ctx context.Context) (switchboard.Frame, error) {
	select {
	case f, ok := <-c.frames:
		if !ok {
			return f, c.reason()
		}
		return f, nil
	case <-ctx.Done():
		return switchboard.Frame{}, context.Cause(ctx)
	}
}

// Do sends m and waits for its one reply, which it decodes into reply: a *switchboard.Ack for what is stored, a pointer
// to the result for what is asked, nil to drop it. An empty m.ID becomes a fresh one. An error reply is returned as
// *switchboard.Error, the end of the connection as *CloseError; then, and when ctx ends first, the outcome is unknown:
// send the same message with the same id again.
func (c *Conn) Do(ctx context.Context, m switchboard.Message, reply any) error {
	if m.ID == "" {
		m.ID = NewID()
	}
	frame, err := switchboard.EncodeMessage(m)
	if err != nil {
		return fmt.Errorf("encode %s: %w", m.Payload.MessageType(), err)
	}
	if limit := c.established.Limits.FrameBytes; limit > 0 && len(frame) > limit {
		return switchboard.Errorf(switchboard.TooLarge, "a frame may have %d bytes", limit)
	}
	answer := make(chan switchboard.Frame, 1)
	c.await(m.ID, answer)
	defer c.forget(m.ID, answer)

	// Not ctx: a write whose context ends breaks the connection for everybody.
	wctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	if err := c.ws.Write(wctx, websocket.MessageText, frame); err != nil {
		c.ws.CloseNow()
	}
	select {
	case f := <-answer:
		return decodeReply(f, reply)
	case <-c.ended:
		select {
		case f := <-answer:
			return decodeReply(f, reply)
		default:
			return c.reason()
		}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close says goodbye, waits a few seconds for the server to do the same, and returns when nothing of the connection is
// left. It may be called more than once.
func (c *Conn) Close() error {
	c.stop(net.ErrClosed)
	err := c.ws.Close(websocket.StatusNormalClosure, "")
	c.loops.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// drop cuts the connection without a goodbye and returns when nothing of it is left but frames for Next.
func (c *Conn) drop(why error) {
	c.stop(why)
	c.ws.CloseNow()
	c.loops.Wait()
}

// stop lets the reader go; the first reason for the end of the connection is kept.
func (c *Conn) stop(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = why
		close(c.closed)
	}
}

// NewID returns a fresh id for a message: 26 characters with 128 random bits.
func NewID() switchboard.FrameID { return switchboard.FrameID(rand.Text()) }

// read is the one reader of the connection.
func (c *Conn) read() {
	c.stop(c.deliver())
	c.ws.CloseNow()
	close(c.ended)
	close(c.frames)
}

// deliver gives each reply to its caller and everything else to Next, until the connection ends.
func (c *Conn) deliver() error {
	for {
		f, err := c.receive(context.Background())
		if err != nil {
			return err
		}
		if c.answered(f) {
			continue
		}
		select {
		case c.frames <- f:
		case <-c.closed:
			return net.ErrClosed
		}
	}
}

// receive reads one frame.
func (c *Conn) receive(ctx context.Context) (switchboard.Frame, error) {
	typ, b, err := c.ws.Read(ctx)
	if err != nil {
		return switchboard.Frame{}, closeError(err)
	}
	if typ != websocket.MessageText {
		c.ws.Close(websocket.StatusUnsupportedData, "")
		return switchboard.Frame{}, closeError(errors.New("the server sent a binary frame"))
	}
	if c.received != nil {
		c.received(b)
	}
	f, err := switchboard.DecodeFrame(b)
	if err != nil {
		c.ws.Close(websocket.StatusProtocolError, "")
		return f, closeError(fmt.Errorf("the server sent a frame that cannot be read: %w", err))
	}
	return f, nil
}

// keepAlive finds out that the other end is gone when TCP does not tell.
func (c *Conn) keepAlive(every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-c.ended:
			return
		case <-t.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*every)
		err := c.ws.Ping(ctx)
		cancel()
		if err != nil {
			c.ws.CloseNow()
			return
		}
	}
}

func (c *Conn) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *Conn) await(id switchboard.FrameID, answer chan switchboard.Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[id] = append(c.calls[id], answer)
}

func (c *Conn) forget(id switchboard.FrameID, answer chan switchboard.Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.calls[id], answer); i >= 0 {
		c.calls[id] = slices.Delete(c.calls[id], i, i+1)
	}
	if len(c.calls[id]) == 0 {
		delete(c.calls, id)
	}
}

// answered gives a reply to the oldest caller that waits for its id.
func (c *Conn) answered(f switchboard.Frame) bool {
	switch f.Type {
	case switchboard.TypeAck, switchboard.TypeResult, switchboard.TypeError:
	default:
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	waiting := c.calls[f.ID]
	if len(waiting) == 0 {
		return false
	}
	waiting[0] <- f // has room for its one answer
	c.calls[f.ID] = waiting[1:]
	return true
}

func decodeReply(f switchboard.Frame, reply any) error {
	if f.Type == switchboard.TypeError {
		var p switchboard.Problem
		if err := f.Decode(&p); err != nil {
			return fmt.Errorf("an error reply that cannot be read: %w", err)
		}
		return switchboard.Errorf(p.Code, "%s", p.Message).At(p.Field).
			After(time.Duration(p.RetryAfterMS) * time.Millisecond)
	}
	if reply == nil {
		return nil
	}
	if _, ack := reply.(*switchboard.Ack); ack != (f.Type == switchboard.TypeAck) {
		return fmt.Errorf("the reply is of another kind than expected: %s", f.Type)
	}
	if err := f.Decode(reply); err != nil {
		return fmt.Errorf("a reply that cannot be read: %w", err)
	}
	return nil
}
