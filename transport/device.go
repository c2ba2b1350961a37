package transport

import (
	"context"
	"crypto/rand"
	"log/slog"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/auth"
	"github.com/netra-systems/switchboard/router"
)

// encoder writes and reads the frames of one kind of connection. Write and Read have one caller each; the other
// methods may be called concurrently with them.
type encoder interface {
	// Write sends a frame, within the write timeout.
	Write(ctx context.Context, frame []byte) error
	// Read waits for the next frame of the device.
	Read(ctx context.Context) ([]byte, error)
	// Ping returns nil when the device has shown that it is there.
	Ping(ctx context.Context) error
	// Hurry bounds all writes to a moment: the connection is about to end.
	Hurry()
	// Refuse answers a device that could not be opened; then Close is called.
	Refuse(err error)
	// Close ends the connection with a close code (RFC 6455 §7.4), 0 if the peer is gone, and makes Read return.
	Close(code int, reason string)
}

// device is one live connection of one user. Two goroutines serve it: the inbound loop and the writer loop. It has no
// timer: the sweep of the registry watches its session, its expiry and its pings.
type device struct {
	server   *Server
	id       string // connection_id
	kind     string // websocket or sse
	addr     string
	identity auth.Identity
	ended    <-chan struct{} // of the session
	since    time.Time
	enc      encoder

	ctx    context.Context // of the device: ends with the cause of its end
	cancel context.CancelCauseFunc
	out    Outbox // set before opened is
	opened atomic.Bool

	tasks  sync.WaitGroup // pings and notices under way; begun only by the sweep and Drain, under the registry's lock
	missed atomic.Int32   // pings without an answer
	pings  atomic.Int32   // of the device, since the last sweep that pinged it

	// What follows belongs to the sweep.
	pingedAt time.Time
	warned   bool

	// What follows belongs to the inbound loop.
	window  time.Time // begin of the minute in which limited counts
	limited int       // answers that said rate_limited
}

func newDevice(s *Server, id auth.Identity, kind, addr string) *device {
	now := time.Now()
	return &device{
		server: s, id: rand.Text(), kind: kind, addr: addr, identity: id, ended: s.auth.Ended(id.Session),
		since: now, pingedAt: now,
	}
}

// begin takes in the device and opens its outbox. It returns the first frame; ok is false if the device has ended.
func (s *Server) begin(ctx context.Context, d *device, cursor switchboard.Cursor) (established []byte, ok bool) {
	d.ctx, d.cancel = context.WithCancelCause(ctx)
	s.metrics.connections.WithLabelValues(d.kind).Inc()
	for _, oldest := range s.devices.add(d) {
		oldest.replace()
	}
	if s.devices.isDraining() { // begun after admission: Drain may have looked before the device was there
		d.end(errDraining())
	}
	err := d.contain(func() (err error) {
		established, err = d.open(cursor)
		return err
	})
	if err != nil {
		d.end(err)
		d.enc.Refuse(context.Cause(d.ctx))
		d.enc.Close(closeOf(context.Cause(d.ctx)))
		d.left()
		return nil, false
	}
	return established, true
}

// serve runs both loops of a device that has begun; the first to end ends the other. It returns when all goroutines of
// the device have ended.
func (d *device) serve(established []byte) {
	written := make(chan struct{})
	go func() {
		defer close(written)
		d.end(d.contain(func() error { return d.write(established) }))
		d.enc.Close(closeOf(context.Cause(d.ctx)))
	}()
	d.end(d.contain(d.read))
	<-written
	d.out.Close()
	d.left()
}

// left forgets a device that has ended, and says how.
func (d *device) left() {
	s, cause := d.server, context.Cause(d.ctx)
	s.devices.remove(d)
	d.tasks.Wait()
	code, reason := closeOf(cause)
	s.metrics.connections.WithLabelValues(d.kind).Dec()
	s.metrics.closes.WithLabelValues(strconv.Itoa(code)).Inc()
	level := slog.LevelInfo
	if code == switchboard.Codes[switchboard.Internal].Close || code == switchboard.Codes[switchboard.Unavailable].Close {
		level, reason = slog.LevelError, cause.Error() // our own fault is told in full
	}
	s.cfg.Log.LogAttrs(context.Background(), level, "device left", slog.String("kind", d.kind),
		slog.String("connection", d.id), slog.String("user", string(d.identity.User.ID)), slog.String("client", d.addr),
		slog.Int("close", code), slog.String("reason", reason), slog.Duration("after", time.Since(d.since)))
}

// contain turns a panic into the end of this device alone: no HTTP server stands above its goroutines.
func (d *device) contain(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			d.server.cfg.Log.Error("panic while serving a device", "panic", v, "stack", string(debug.Stack()))
			err = switchboard.Errorf(switchboard.Internal, "something went wrong on our side")
		}
	}()
	return f()
}

// open opens the outbox and returns the first frame.
func (d *device) open(cursor switchboard.Cursor) ([]byte, error) {
	s := d.server
	ctx, cancel := context.WithTimeout(d.ctx, switchboard.Milliseconds(s.cfg.Limits.HandshakeMS))
	defer cancel()
	out, err := s.open(ctx, d.identity.User.ID, cursor)
	if err != nil {
		if context.Cause(d.ctx) == nil && ctx.Err() != nil {
			err = switchboard.Wrap(switchboard.Unavailable, "the history could not be opened in time", err)
		}
		return nil, err
	}
	at, resync := out.Opening()
	if resync != nil && d.kind == "sse" {
		out.Close()
		return nil, switchboard.Errorf(switchboard.Gap, "the place to go on from is not known here: %s", resync.Reason)
	}
	d.out = out
	d.opened.Store(true)
	return switchboard.EncodeNotice(switchboard.TypeConnectionEstablished, switchboard.ConnectionEstablished{
		ConnectionID: d.id, User: d.identity.User, Protocol: switchboard.Protocol,
		Server: switchboard.Server{Version: s.cfg.Version, Node: s.cfg.Node},
		Cursor: at, Resync: resync, Limits: s.cfg.Limits, ExpiresAt: switchboard.At(d.identity.Expires),
	}), nil
}

// write is the one writer loop of a device: nothing else writes frames to it. It returns why it ended.
func (d *device) write(frame []byte) error {
	for {
		if err := d.enc.Write(d.ctx, frame); err != nil {
			return err
		}
		d.server.metrics.framesOut.Inc()
		var err error
		if frame, err = d.out.Next(d.ctx); err != nil {
			return err
		}
	}
}

// read is the inbound loop: one frame after the other is routed and answered. It returns why it ended.
func (d *device) read() error {
	caller := router.Caller{User: d.identity.User, Device: d.out}
	for {
		frame, err := d.enc.Read(d.ctx)
		if err != nil {
			return err
		}
		d.missed.Store(0)
		d.server.metrics.framesIn.Inc()
		reply := d.server.router.Route(d.ctx, caller, frame)
		if err := d.flooded(reply); err != nil {
			return err
		}
		if err := d.out.Reply(d.ctx, reply); err != nil {
			return err
		}
	}
}

// flood is how many times the budget of refused frames a device may go on sending after it is used up.
const flood = 10

// flooded returns RateLimited for a device that goes on sending though it is answered rate_limited.
func (d *device) flooded(reply []byte) error {
	if len(reply) > 512 || !isLimited(reply) {
		return nil
	}
	if now := time.Now(); now.Sub(d.window) > time.Minute {
		d.window, d.limited = now, 0
	}
	if d.limited++; d.limited <= flood*d.server.cfg.Limits.RefusalsPerMinute {
		return nil
	}
	return switchboard.Errorf(switchboard.RateLimited, "too many frames")
}

// isLimited reports whether a reply says rate_limited.
func isLimited(reply []byte) bool {
	f, err := switchboard.DecodeFrame(reply)
	if err != nil || f.Type != switchboard.TypeError {
		return false
	}
	var p switchboard.Problem
	return f.Decode(&p) == nil && p.Code == switchboard.RateLimited
}

// pinged takes note of a device's ping and reports whether to answer it: a flood of them ends the device.
func (d *device) pinged(context.Context, []byte) bool {
	if int(d.pings.Add(1)) <= flood*d.server.cfg.Limits.RefusalsPerMinute {
		return true
	}
	d.end(switchboard.Errorf(switchboard.RateLimited, "too many pings"))
	return false
}

// end ends the device; the first cause is the one that is told.
func (d *device) end(cause error) {
	d.cancel(cause)
	d.enc.Hurry()
}

// ping asks the device for a sign of life.
func (d *device) ping() {
	ctx, cancel := context.WithTimeout(d.ctx, switchboard.Milliseconds(d.server.cfg.Limits.PingMS))
	defer cancel()
	if d.enc.Ping(ctx) == nil {
		d.missed.Store(0)
	}
}

// notify queues a notice, unless the device does not read.
func (d *device) notify(typ string, payload any) {
	if !d.opened.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(d.ctx, d.server.cfg.WriteTimeout)
	defer cancel()
	_ = d.out.Notice(ctx, switchboard.EncodeNotice(typ, payload)) // a device that left needs none
}

func errDraining() error {
	return switchboard.Errorf(switchboard.ShuttingDown, "this node is going away").After(time.Second)
}
