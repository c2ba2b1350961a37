package crash

import (
	"net"
	"net/url"
	"sync"
	"testing"
)

// link is the network between a node and the engine: a relay that can be cut, and that can hold everything back for a
// while and then deliver it late, as networks do.
type link struct {
	listener net.Listener
	engine   func() string // its URL
	ended    sync.WaitGroup

	mu     sync.Mutex // guards what follows
	gate   chan struct{}
	open   bool // the gate is
	conns  map[net.Conn]bool
	closed bool
}

// newLink starts a link, which ends with the test.
func newLink(t testing.TB, engine func() string) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{listener: listener, engine: engine, gate: make(chan struct{}), conns: map[net.Conn]bool{}}
	l.release()
	l.ended.Go(l.run)
	t.Cleanup(func() {
		l.release()
		l.mu.Lock()
		l.closed = true
		l.mu.Unlock()
		listener.Close()
		l.cut()
		l.ended.Wait()
	})
	return l
}

// url is where the node finds the engine.
func (l *link) url() string { return "nats://" + l.listener.Addr().String() }

func (l *link) run() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.ended.Go(func() { l.relay(near) })
	}
}

// relay carries a connection to its end.
func (l *link) relay(near net.Conn) {
	defer near.Close()
	<-l.passing()
	to, err := url.Parse(l.engine())
	if err != nil {
		return
	}
	far, err := net.Dial("tcp", to.Host)
	if err != nil {
		return
	}
	defer far.Close()
	if !l.keep(near, far) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { l.carry(far, near) })
	both.Go(func() { l.carry(near, far) })
	both.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, near)
	delete(l.conns, far)
}

func (l *link) keep(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	for _, c := range conns {
		l.conns[c] = true
	}
	return true
}

// carry copies one way, while the gate is open.
func (l *link) carry(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		<-l.passing()
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// passing returns a channel that is closed while the gate is open.
func (l *link) passing() chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gate
}

// hold lets nothing through, until release: what was sent meanwhile arrives then.
func (l *link) hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open {
		l.gate, l.open = make(chan struct{}), false
	}
}

func (l *link) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.open {
		close(l.gate)
		l.open = true
	}
}

// cut ends all connections.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		c.Close()
	}
}
