package crash

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
	"github.com/netra-systems/switchboard/probe"
)

// device is one device of a user: it records what it receives, is cut, and comes back with its cursor. Its state
// survives the programs that run on it.
type device struct {
	name   string
	token  string
	fleet  *fleet
	words  *probe.Ledger
	closed chan struct{} // of the program that runs now, closed when all its updates were read

	mu      sync.Mutex // guards what follows
	user    switchboard.UserID
	client  *client.Client
	conns   map[net.Conn]bool
	threads map[switchboard.ThreadID][]line
	runs    map[switchboard.FrameID]switchboard.RunID
	ended   map[switchboard.RunID]bool
	changed chan struct{} // closed with the next event
	texts   map[switchboard.MessageID]string
	wrong   []violation
	bytes   int64
	events  int64
	resumes int
}

func newDevice(f *fleet, words *probe.Ledger, name, token string) *device {
	return &device{
		name: name, token: token, fleet: f, words: words, conns: map[net.Conn]bool{}, changed: make(chan struct{}),
		threads: map[switchboard.ThreadID][]line{}, ended: map[switchboard.RunID]bool{},
		runs: map[switchboard.FrameID]switchboard.RunID{}, texts: map[switchboard.MessageID]string{},
	}
}

// start starts a program on the device that goes on from a cursor. It tries until ctx ends.
func (d *device) start(ctx context.Context, from switchboard.Cursor) error {
	for {
		c, err := client.Open(ctx, client.Config{
			URL: "http://" + host, Token: d.token, Cursor: from, Received: d.receive, ReplyTimeout: 6 * time.Second,
			MaxBackoff: 2 * time.Second, HTTPClient: &http.Client{Transport: &http.Transport{DialContext: d.dial}},
		})
		if err == nil {
			d.mu.Lock()
			d.client, d.user = c, c.Established().User.ID
			d.mu.Unlock()
			d.closed = make(chan struct{})
			go d.follow(c, d.closed)
			return nil
		}
		var e *switchboard.Error
		if errors.As(err, &e) && e.Code == switchboard.Unauthenticated || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(time.Duration(rand.IntN(300)) * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// close ends the program that runs on the device and returns its cursor.
func (d *device) close() switchboard.Cursor {
	c := d.current()
	if c == nil {
		return ""
	}
	c.Close()
	<-d.closed
	return c.Cursor()
}

// current returns the program that runs on the device.
func (d *device) current() *client.Client {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.client
}

// restart ends the program and starts another one from its cursor.
func (d *device) restart(ctx context.Context) error { return d.start(ctx, d.close()) }

// counted is a connection that the device can cut.
type counted struct {
	net.Conn
	device *device
}

// Close implements net.Conn.
func (c *counted) Close() error {
	c.device.mu.Lock()
	delete(c.device.conns, c)
	c.device.mu.Unlock()
	return c.Conn.Close()
}

func (d *device) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	conn, err := d.fleet.dial(ctx)
	if err != nil {
		return nil, err
	}
	c := &counted{conn, d}
	d.mu.Lock()
	d.conns[c] = true
	d.mu.Unlock()
	return c, nil
}

// cut breaks the device's connections, with or without a word to the other end.
func (d *device) cut(reset bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.conns {
		conn := c.(*counted).Conn
		if tcp, ok := conn.(*net.TCPConn); ok && reset {
			_ = tcp.SetLinger(0) // close with RST
		}
		_ = conn.Close()
	}
}

// receive judges a frame as it came.
func (d *device) receive(frame []byte) {
	f, err := switchboard.DecodeFrame(frame)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bytes += int64(len(frame))
	if f.Type == switchboard.TypeConnectionEstablished {
		d.established(f)
	}
	for _, o := range d.words.Leaks(frame, d.user) {
		d.wrong = append(d.wrong, wrongf("leak", "%s received a word of run %d of %s: %.300s", d.name, o.Run, o.User, frame))
	}
	switch {
	case err != nil:
		d.wrong = append(d.wrong, wrongf("unreadable frame", "%s: %v: %.300s", d.name, err, frame))
	case f.Event != nil:
		d.event(*f.Event)
	}
}

func (d *device) established(f switchboard.Frame) {
	var p switchboard.ConnectionEstablished
	if err := f.Decode(&p); err != nil {
		d.wrong = append(d.wrong, wrongf("unreadable frame", "%s: %v", d.name, err))
		return
	}
	d.resumes++
	if d.user != "" && d.user != p.User.ID {
		d.wrong = append(d.wrong, wrongf("leak", "%s became another user", d.name))
	}
	d.user = p.User.ID
	if p.Resync != nil {
		d.wrong = append(d.wrong, wrongf("resync", "%s: a cursor was not honoured: %s", d.name, p.Resync.Reason))
	}
}

// event takes an event: the next one of its thread, or a repetition that is the same.
func (d *device) event(e switchboard.Event) {
	l, err := lineOf(e)
	if err != nil {
		d.wrong = append(d.wrong, wrongf("unreadable frame", "%s: %v", d.name, err))
		return
	}
	d.events++
	have := d.threads[e.ThreadID]
	switch last := uint64(len(have)); {
	case e.Type == switchboard.ThreadDeleted:
		if deleted(have) && have[last-1] != l {
			d.wrong = append(d.wrong, wrongf("changed event", "%s: thread %s has two tombstones", d.name, e.ThreadID))
		}
		if deleted(have) {
			return
		}
	case deleted(have):
		d.wrong = append(d.wrong, wrongf("after the end", "%s: thread %s is deleted, and has n = %d", d.name, e.ThreadID, e.N))
		return
	case e.N == 0 || e.N > last+1:
		d.wrong = append(d.wrong, wrongf("gap", "%s: thread %s: n = %d after n = %d", d.name, e.ThreadID, e.N, last))
		return
	case e.N <= last:
		if have[e.N-1] != l {
			d.wrong = append(d.wrong, wrongf("changed event", "%s: thread %s, n = %d", d.name, e.ThreadID, e.N))
		}
		return
	}
	d.threads[e.ThreadID] = append(have, l)
	switch p := e.Payload.(type) {
	case *switchboard.UserMessageEvent:
		d.runs[p.ID] = p.RunID
	case *switchboard.MessagesTakenEvent: // another run answers them
		for _, id := range p.IDs {
			d.ended[d.runs[id]] = true
		}
	}
	if e.Type.Terminal() {
		d.ended[e.RunID] = true
	}
	close(d.changed)
	d.changed = make(chan struct{})
}

// follow reads the updates of a program: texts that are being written must become those that are stored.
func (d *device) follow(c *client.Client, closed chan struct{}) {
	defer close(closed)
	for u := range c.Updates() {
		switch {
		case u.Text != nil && u.Text.Kind == switchboard.DeltaText:
			d.mu.Lock()
			d.texts[u.Text.MessageID] = u.Text.Text
			d.mu.Unlock()
		case u.Event != nil:
			switch p := u.Event.Payload.(type) {
			case *switchboard.AgentCompletedEvent:
				d.compare(p.MessageID, p.Text)
			case *switchboard.AgentMessageEvent:
				d.compare(p.MessageID, p.Text)
			}
		}
	}
	if err := c.Err(); !errors.Is(err, net.ErrClosed) {
		d.mu.Lock()
		d.wrong = append(d.wrong, wrongf("no way back", "%s was told not to come back: %v", d.name, err))
		d.mu.Unlock()
	}
}

// compare holds a text as it was written against the one that is stored: a device that was away may have missed its end.
func (d *device) compare(id switchboard.MessageID, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if written, ok := d.texts[id]; ok && !strings.HasPrefix(text, written) {
		d.wrong = append(d.wrong, wrongf("deltas differ", "%s: message %s: deltas %.200q, event %.200q", d.name, id, written, text))
	}
	delete(d.texts, id)
}

// await waits until the device has seen the end of a run.
func (d *device) await(ctx context.Context, run switchboard.RunID) error {
	return d.until(ctx, func() bool { return d.ended[run] || deleted(d.threads[run.Thread()]) })
}

// reach waits until the device has so many events of a thread.
func (d *device) reach(ctx context.Context, t switchboard.ThreadID, n int) error {
	return d.until(ctx, func() bool { return len(d.threads[t]) >= n || deleted(d.threads[t]) })
}

// until waits for something that is asked with mu held.
func (d *device) until(ctx context.Context, done func() bool) error {
	for {
		d.mu.Lock()
		ok, changed := done(), d.changed
		d.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// open returns a run that has begun, as far as the device knows, and has no end; "" if there is none.
func (d *device) open() switchboard.RunID {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, run := range d.runs {
		if !d.ended[run] && !deleted(d.threads[run.Thread()]) {
			return run
		}
	}
	return ""
}

// view returns what the device holds.
func (d *device) view() view {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := view{name: d.name, user: d.user, threads: map[switchboard.ThreadID][]line{}, wrong: d.wrong}
	for t, lines := range d.threads {
		v.threads[t] = lines[:len(lines):len(lines)]
	}
	return v
}
