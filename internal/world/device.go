package world

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
)

// Device is what one device of a user has been given: it keeps everything and finds faults in it.
type Device struct {
	Token string

	mu     sync.Mutex // guards what follows
	conn   *client.Conn
	Cursor switchboard.Cursor
	Events []switchboard.Event
	Faults []string
	Bytes  []byte // everything received
	seen   map[string]bool
	texts  map[switchboard.MessageID]*switchboard.Assembly
	moved  chan struct{}
	done   chan struct{}
}

// NewDevice returns a device that is not connected.
func NewDevice(token string) *Device {
	return &Device{Token: token, seen: map[string]bool{}, texts: map[switchboard.MessageID]*switchboard.Assembly{}, moved: make(chan struct{})}
}

// Connect connects the device to a node; it goes on from its cursor.
func (d *Device) Connect(ctx context.Context, n *Node) error {
	cfg := n.Client(d.Token)
	cfg.Cursor = d.Cursor
	cfg.Received = func(frame []byte) {
		d.mu.Lock()
		d.Bytes = append(d.Bytes, frame...)
		d.mu.Unlock()
	}
	conn, err := client.Dial(ctx, cfg)
	if err != nil {
		return err
	}
	done := make(chan struct{})
	d.mu.Lock()
	d.conn, d.done = conn, done
	if d.Cursor == "" { // its node may be gone before caught_up
		d.Cursor = conn.Established().Cursor
	}
	if conn.Established().Resync != nil {
		d.fault("resync: %s", conn.Established().Resync.Reason)
	}
	d.mu.Unlock()
	go func() {
		defer close(done)
		for {
			f, err := conn.Next(ctx)
			if err != nil {
				return
			}
			d.take(f)
		}
	}()
	return nil
}

// Disconnect closes the connection.
func (d *Device) Disconnect() {
	d.mu.Lock()
	conn, done := d.conn, d.done
	d.mu.Unlock()
	if conn != nil {
		conn.Close()
		<-done
	}
}

// Send sends a message and returns its ack.
func (d *Device) Send(ctx context.Context, m switchboard.Message) (switchboard.Ack, error) {
	var ack switchboard.Ack
	d.mu.Lock()
	conn := d.conn
	d.mu.Unlock()
	err := conn.Do(ctx, m, &ack)
	return ack, err
}

// Say sends a user message.
func (d *Device) Say(ctx context.Context, thread switchboard.ThreadID, text string) (switchboard.Ack, error) {
	return d.Send(ctx, switchboard.Message{ID: client.NewID(), ThreadID: string(thread), Payload: &switchboard.UserMessage{Text: text}})
}

// Conn returns the connection.
func (d *Device) Conn() *client.Conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.conn
}

func (d *Device) fault(format string, args ...any) {
	d.Faults = append(d.Faults, fmt.Sprintf(format, args...))
}

func (d *Device) take(f switchboard.Frame) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case f.Event != nil:
		d.event(*f.Event)
	case f.Delta != nil:
		d.delta(*f.Delta)
	case f.Type == switchboard.TypeCaughtUp:
		var c switchboard.CaughtUp
		if f.Decode(&c) == nil {
			d.Cursor = c.Cursor
		}
	}
	close(d.moved)
	d.moved = make(chan struct{})
}

func (d *Device) event(e switchboard.Event) {
	key := fmt.Sprint(e.ThreadID, "/", e.N, "/", e.Type)
	if e.N == 0 {
		key = fmt.Sprint(e.ThreadID, "/", e.Type)
	}
	if d.seen[key] {
		d.fault("%s of n %d came twice", e.Type, e.N)
	}
	d.seen[key] = true
	d.Cursor = e.Cursor
	d.Events = append(d.Events, e)
	switch p := e.Payload.(type) {
	case *switchboard.AgentCompletedEvent:
		d.final(p.MessageID, p.Text)
	case *switchboard.AgentMessageEvent:
		d.final(p.MessageID, p.Text)
	case *switchboard.AgentResumedEvent:
		for _, m := range p.Discards {
			delete(d.texts, m)
		}
	}
}

// final compares the text of an event with what its deltas said.
func (d *Device) final(m switchboard.MessageID, text string) {
	if a := d.texts[m]; a != nil && a.Text != text && len(a.Text) >= len(text) {
		d.fault("deltas said %q, the event %q", a.Text, text)
	} else if a != nil && text[:len(a.Text)] != a.Text {
		d.fault("deltas said %q, no beginning of %q", a.Text, text)
	}
	delete(d.texts, m)
}

func (d *Device) delta(x switchboard.Delta) {
	p := x.Payload
	if p.Kind != switchboard.DeltaText {
		return
	}
	a := d.texts[p.MessageID]
	if a == nil {
		a = &switchboard.Assembly{}
		d.texts[p.MessageID] = a
	}
	before := len(a.Text)
	a.Add(p) // a gap: the event will tell
	if len(a.Text) < before {
		d.fault("the text went back")
	}
}

// Open returns the text of the open messages.
func (d *Device) Open() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for _, a := range d.texts {
		out = append(out, a.Text)
	}
	return out
}

// Await waits until what the device has been given satisfies ok, or a minute has passed.
func (d *Device) Await(ctx context.Context, ok func([]switchboard.Event) bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		d.mu.Lock()
		good, moved := ok(d.Events), d.moved
		d.mu.Unlock()
		if good {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("waited in vain: the device has %v", d.Types())
		}
	}
}

// AwaitEnd waits for the terminal event of a run and returns it.
func (d *Device) AwaitEnd(ctx context.Context, r switchboard.RunID) (end switchboard.Event, err error) {
	err = d.Await(ctx, func(es []switchboard.Event) bool {
		i := slices.IndexFunc(es, func(e switchboard.Event) bool { return e.RunID == r && e.Type.Terminal() })
		if i >= 0 {
			end = es[i]
		}
		return i >= 0
	})
	return end, err
}

// Types returns the types of the events, in order.
func (d *Device) Types() []switchboard.EventType {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []switchboard.EventType
	for _, e := range d.Events {
		out = append(out, e.Type)
	}
	return out
}

// Check returns the faults: what was found on the way, numbers with gaps, broken grammar.
func (d *Device) Check() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := slices.Clone(d.Faults)
	last := map[switchboard.ThreadID]uint64{}
	grammars := map[switchboard.RunID]*switchboard.Grammar{}
	for _, e := range d.Events {
		if e.N > 0 && e.N != last[e.ThreadID]+1 {
			out = append(out, fmt.Sprintf("n %d after %d", e.N, last[e.ThreadID]))
		}
		if e.N > 0 {
			last[e.ThreadID] = e.N
		}
		if e.RunID == "" {
			continue
		}
		g := grammars[e.RunID]
		if g == nil {
			g = &switchboard.Grammar{}
			grammars[e.RunID] = g
		}
		if err := g.Add(e); err != nil {
			out = append(out, err.Error())
		}
	}
	return out
}

// Asked returns the calls that a person was asked about.
func (d *Device) Asked() []switchboard.CallID {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []switchboard.CallID
	for _, e := range d.Events {
		if p, ok := e.Payload.(*switchboard.ToolApprovalRequiredEvent); ok {
			out = append(out, p.CallID)
		}
	}
	return out
}

// Last returns the cursor to go on from.
func (d *Device) Last() switchboard.Cursor {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.Cursor
}

// List returns the events received.
func (d *Device) List() []switchboard.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.Events)
}

// Received returns every byte received.
func (d *Device) Received() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.Bytes
}
