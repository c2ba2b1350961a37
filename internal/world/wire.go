package world

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// wires is a listener whose connections are pipes, all of which can be cut.
type wires struct {
	accept chan net.Conn
	done   chan struct{}
	mu     sync.Mutex // guards what follows
	ends   []*wire
	closed bool
}

func newWires() *wires { return &wires{accept: make(chan net.Conn), done: make(chan struct{})} }

func (l *wires) dial(ctx context.Context) (net.Conn, error) {
	p, q := net.Pipe()
	a, b := newWire(p), newWire(q)
	l.mu.Lock()
	l.ends = append(l.ends, a, b)
	l.mu.Unlock()
	select {
	case l.accept <- b:
		return a, nil
	case <-l.done:
		a.cut()
		b.cut()
		return nil, fmt.Errorf("the node is gone")
	case <-ctx.Done():
		a.cut()
		b.cut()
		return nil, ctx.Err()
	}
}

// Accept implements net.Listener.
func (l *wires) Accept() (net.Conn, error) {
	select {
	case c := <-l.accept:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener: wires that exist stay.
func (l *wires) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		close(l.done)
	}
	return nil
}

func (l *wires) cut() {
	l.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.ends {
		c.cut()
	}
}

// Addr implements net.Listener.
func (l *wires) Addr() net.Addr { return loopback(80) }

// wire is an end of a pipe that buffers what is written, as a socket does: two ends that write at the same time would
// wait for each other for ever.
type wire struct {
	net.Conn
	queue    chan []byte
	closing  chan struct{}
	once     sync.Once
	mu       sync.Mutex // guards deadline
	deadline time.Time
}

// wireBuffer is how many writes are buffered.
const wireBuffer = 64

func newWire(c net.Conn) *wire {
	w := &wire{Conn: c, queue: make(chan []byte, wireBuffer), closing: make(chan struct{})}
	go w.pump()
	return w
}

// pump writes what is buffered, the rest of it after Close too.
func (w *wire) pump() {
	defer w.Conn.Close()
	for {
		select {
		case b := <-w.queue:
			if _, err := w.Conn.Write(b); err != nil {
				w.once.Do(func() { close(w.closing) })
				return
			}
			continue
		default:
		}
		select {
		case b := <-w.queue:
			if _, err := w.Conn.Write(b); err != nil {
				w.once.Do(func() { close(w.closing) })
				return
			}
		case <-w.closing:
			w.Conn.SetWriteDeadline(time.Now().Add(time.Second))
			for {
				select {
				case b := <-w.queue:
					if _, err := w.Conn.Write(b); err != nil {
						return
					}
				default:
					return
				}
			}
		}
	}
}

// Write implements net.Conn.
func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	deadline := w.deadline
	w.mu.Unlock()
	var timeout <-chan time.Time
	if !deadline.IsZero() {
		t := time.NewTimer(time.Until(deadline))
		defer t.Stop()
		timeout = t.C
	}
	select {
	case <-w.closing:
		return 0, net.ErrClosed
	default:
	}
	select {
	case w.queue <- append([]byte(nil), b...):
		return len(b), nil
	case <-w.closing:
		return 0, net.ErrClosed
	case <-timeout:
		return 0, os.ErrDeadlineExceeded
	}
}

// Close implements net.Conn.
func (w *wire) Close() error {
	w.once.Do(func() { close(w.closing) })
	return w.Conn.SetReadDeadline(time.Unix(1, 0))
}

func (w *wire) cut() {
	w.once.Do(func() { close(w.closing) })
	w.Conn.Close()
}

// SetDeadline implements net.Conn.
func (w *wire) SetDeadline(t time.Time) error {
	w.SetWriteDeadline(t)
	return w.Conn.SetReadDeadline(t)
}

// SetWriteDeadline implements net.Conn.
func (w *wire) SetWriteDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline = t
	return nil
}

func loopback(port int) net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port} }

// LocalAddr implements net.Conn.
func (*wire) LocalAddr() net.Addr { return loopback(80) }

// RemoteAddr implements net.Conn.
func (*wire) RemoteAddr() net.Addr { return loopback(1024) }
