package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
)

// pipes is a listener whose connections are net.Pipe pairs, so that a test can run in a synctest bubble.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serve runs a server over pipes and returns a Config that reaches it; it is closed at the end of the test.
func serve(t *testing.T, h http.Handler) client.Config {
	t.Helper()
	p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	s := &http.Server{Handler: h}
	tr := &http.Transport{DialContext: p.dial}
	ended := make(chan struct{})
	go func() { defer close(ended); s.Serve(p) }()
	t.Cleanup(func() { tr.CloseIdleConnections(); s.Close(); <-ended })
	return client.Config{URL: "http://server.test", Token: "secret", HTTPClient: &http.Client{Transport: tr}}
}

// session is the server's end of one connection; its methods fail the test on an error, unless the test has cut it.
type session struct {
	t      *testing.T
	ws     *websocket.Conn
	number int // of the connection, from 1
	cursor string
}

// sessions runs script for each connection, after its connection_established; a connection ends with its script.
func sessions(t *testing.T, script func(s *session)) http.Handler {
	return resyncing(t, nil, script)
}

// resyncing is sessions with something to say about the cursor.
func resyncing(t *testing.T, resync func(cursor string) *switchboard.Resync, script func(s *session)) http.Handler {
	var mu sync.Mutex
	count := 0
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "Bearer secret" {
			t.Errorf("Authorization is %q", got)
		}
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{switchboard.Protocol}})
		if err != nil {
			t.Error(err)
			return
		}
		defer ws.CloseNow()
		mu.Lock()
		count++
		s := &session{t: t, ws: ws, number: count, cursor: r.URL.Query().Get("cursor")}
		mu.Unlock()
		hello := switchboard.ConnectionEstablished{
			ConnectionID: fmt.Sprint(s.number), Protocol: switchboard.Protocol, Limits: switchboard.DefaultLimits(),
			User: switchboard.User{ID: user, Name: "ann"}, Cursor: switchboard.Cursor(s.cursor),
		}
		if resync != nil {
			hello.Resync = resync(s.cursor)
		}
		s.send(switchboard.EncodeNotice(switchboard.TypeConnectionEstablished, hello))
		script(s)
	})
}

func (s *session) send(frame []byte) bool {
	return s.ws.Write(context.Background(), websocket.MessageText, frame) == nil
}

func (s *session) event(e switchboard.Event) bool { return s.send(encode(s.t, e)) }

func (s *session) delta(run switchboard.RunID, p switchboard.DeltaPayload) bool {
	b, err := switchboard.EncodeDelta(switchboard.Delta{ThreadID: run.Thread(), RunID: run, Payload: p})
	if err != nil {
		s.t.Error(err)
	}
	return s.send(b)
}

func (s *session) reply(id switchboard.FrameID, payload any) bool {
	return s.send(switchboard.EncodeReply(id, payload))
}

func (s *session) caughtUp(c switchboard.Cursor) bool {
	return s.send(switchboard.EncodeNotice(switchboard.TypeCaughtUp, switchboard.CaughtUp{Cursor: c}))
}

// read returns the next message, and false when the connection has ended.
func (s *session) read() (switchboard.Message, bool) {
	_, b, err := s.ws.Read(context.Background())
	if err != nil {
		return switchboard.Message{}, false
	}
	m, err := switchboard.DecodeMessage(b, switchboard.DefaultLimits())
	if err != nil {
		s.t.Errorf("the client sent %s: %v", b, err)
	}
	return m, true
}

// wait holds the connection until the client ends it.
func (s *session) wait() {
	for {
		if _, ok := s.read(); !ok {
			return
		}
	}
}

var (
	user   = switchboard.NewUserID("local", "", "ann")
	thread = switchboard.NewThreadID(user, "first")
	run    = thread.Run(1)
)

// event makes the n-th event of a thread; its cursor is e.<n>.c.
func event(n uint64, p switchboard.EventPayload) switchboard.Event {
	e := switchboard.Event{
		Type: p.EventType(), ThreadID: thread, N: n, Payload: p,
		Cursor: switchboard.Place{Epoch: "e", Seq: n, Check: "c"}.Cursor(),
	}
	if !e.Type.ByPerson() {
		e.RunID = run
	}
	return e
}

func encode(t *testing.T, e switchboard.Event) []byte {
	b, err := switchboard.EncodeEvent(e)
	if err != nil {
		t.Error(err)
	}
	return b
}

func problem(w http.ResponseWriter, status int, doc map[string]any) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(doc)
}
