package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/netra-systems/switchboard"
)

// step is one thing a server sends in answer to a message: to the devices of the user, in the order of the script.
type step struct {
	ack    bool
	event  switchboard.EventPayload
	delta  *switchboard.DeltaPayload
	n      uint64 // of the event, if not the next one
	run    switchboard.RunID
	raw    []byte
	other  bool // to the devices of everybody else
	first  bool // only to the user's first device
	bare   bool // without a cursor
	resync bool // wait until the text so far was asked for
	cut    bool // cut the sender's connection
}

// fake is a small server that walks the golden path, but for what plant does to the script.
type fake struct {
	t     *testing.T
	plant func(f *fake, text string, script []step) []step

	mu      sync.Mutex
	logins  int
	devices []*line
	threads map[switchboard.ThreadID]*conversation
}

// conversation is the log of a thread; the tests resume by position in the log of its user.
type conversation struct {
	n      uint64
	resync chan struct{}
	text   string
	run    switchboard.RunID
}

type line struct {
	user switchboard.UserID
	ws   *websocket.Conn
	mu   sync.Mutex
}

func (l *line) send(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ws.Write(context.Background(), websocket.MessageText, b)
}

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
	}
}

// serve runs f until the end of the test and returns a Config that probes it with two users.
func serve(t *testing.T, f *fake) Config {
	f.t, f.threads = t, map[switchboard.ThreadID]*conversation{}
	p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	s := &http.Server{Handler: f}
	tr := &http.Transport{DialContext: p.dial}
	ended := make(chan struct{})
	go func() { defer close(ended); s.Serve(p) }()
	t.Cleanup(func() { tr.CloseIdleConnections(); s.Close(); <-ended })
	return Config{
		URL: "http://server.test", HTTPClient: &http.Client{Transport: tr}, Seed: 1, Runs: 12,
		Credentials: []Credential{{Username: "ann", Password: "a"}, {Username: "bob", Password: "b"}},
	}
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/api/v1/auth/login" {
		var in struct{ Username, Password string }
		json.NewDecoder(r.Body).Decode(&in)
		f.mu.Lock()
		f.logins++
		f.mu.Unlock()
		json.NewEncoder(w).Encode(map[string]any{"token": "tok-" + in.Username, "expires_at": "2026-11-23T17:49:03.120Z"})
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{switchboard.Protocol}})
	if err != nil {
		f.t.Error(err)
		return
	}
	defer ws.CloseNow()
	name := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer tok-")
	l := &line{ws: ws, user: switchboard.NewUserID("local", "", name)}
	l.send(switchboard.EncodeNotice(switchboard.TypeConnectionEstablished, switchboard.ConnectionEstablished{
		User: switchboard.User{ID: l.user, Name: name}, Limits: switchboard.DefaultLimits(),
	}))
	f.mu.Lock()
	f.devices = append(f.devices, l)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.devices = slices.DeleteFunc(f.devices, func(x *line) bool { return x == l })
	}()
	l.send(switchboard.EncodeNotice(switchboard.TypeCaughtUp, switchboard.CaughtUp{Cursor: "e.1.c"}))
	for {
		_, b, err := ws.Read(context.Background())
		if err != nil {
			return
		}
		m, err := switchboard.DecodeMessage(b, switchboard.DefaultLimits())
		if err != nil {
			f.t.Errorf("the probe sent %s: %v", b, err)
		}
		switch p := m.Payload.(type) {
		case *switchboard.ListThreads:
			l.send(switchboard.EncodeReply(m.ID, switchboard.ThreadList{Threads: []switchboard.ThreadSummary{}}))
		case *switchboard.ResyncMessage:
			l.send(switchboard.EncodeReply(m.ID, switchboard.Empty{}))
			f.mu.Lock()
			c := f.threads[switchboard.RunID(p.RunID).Thread()]
			f.mu.Unlock()
			d := text(c.run, 0, 3, c.text)
			l.send(delta(c.run, *d))
			close(c.resync)
		case *switchboard.UserMessage:
			go f.answer(l, m.ID, p.Text)
		}
	}
}

var sums = regexp.MustCompile(`([\d.]+) ([-+*/]) ([\d.]+)`)

// answer plays the script of one message.
func (f *fake) answer(from *line, id switchboard.FrameID, question string) {
	m := sums.FindStringSubmatch(question)
	if m == nil {
		f.t.Errorf("no sum in %q", question)
		return
	}
	m[1], m[3] = strings.TrimRight(m[1], "."), strings.TrimRight(m[3], ".")
	x, y, v := rat(m[1]), rat(m[3]), new(big.Rat)
	switch m[2] {
	case "+":
		v.Add(x, y)
	case "-":
		v.Sub(x, y)
	case "*":
		v.Mul(x, y)
	case "/":
		v.Quo(x, y)
	}
	th := switchboard.NewThreadID(from.user, id)
	run := th.Run(1)
	answer := fmt.Sprintf("%s %s %s = %s. 🙂", m[1], m[2], m[3], decimal(v))
	c := &conversation{resync: make(chan struct{}), text: answer, run: run}
	f.mu.Lock()
	f.threads[th] = c
	f.mu.Unlock()
	for _, s := range f.plant(f, question, golden(id, run, question, answer)) {
		f.play(from, id, th, c, s)
	}
}

// golden is the script of a server that behaves.
func golden(id switchboard.FrameID, run switchboard.RunID, question, answer string) []step {
	call := run.Call(1, 0)
	cut := len(answer) / 3
	return []step{
		{event: &switchboard.UserMessageEvent{ID: id, RunID: run, Text: question, Agent: "demo"}},
		{ack: true},
		{event: &switchboard.AgentStartedEvent{Agent: "demo", Attempt: 1}},
		{event: &switchboard.AgentThinkingEvent{MessageID: run.Message(1, 1), Step: 1, Text: "a sum", Source: "agent"}},
		{event: &switchboard.AgentMessageEvent{MessageID: run.Message(1, 1), Step: 1, Calls: []switchboard.Call{{CallID: call, Tool: "calculator", Arguments: []byte("{}")}}}},
		{event: &switchboard.ToolExecutingEvent{CallID: call, Tool: "calculator", Arguments: []byte("{}")}},
		{event: &switchboard.ToolCompletedEvent{CallID: call, Tool: "calculator", Status: switchboard.CallOK, Result: []byte("1")}},
		{delta: text(run, 0, 1, answer[:cut])},
		{delta: text(run, 1, 1, answer[cut:2*cut])},
		{delta: text(run, 2, 1, answer[2*cut:])},
		{event: &switchboard.AgentCompletedEvent{MessageID: run.Message(1, 2), Text: answer}},
	}
}

func text(run switchboard.RunID, index, count int, s string) *switchboard.DeltaPayload {
	return &switchboard.DeltaPayload{Attempt: 1, MessageID: run.Message(1, 2), Kind: switchboard.DeltaText, Index: index, Count: count, Text: s}
}

func delta(run switchboard.RunID, p switchboard.DeltaPayload) []byte {
	b, err := switchboard.EncodeDelta(switchboard.Delta{ThreadID: run.Thread(), RunID: run, Payload: p})
	if err != nil {
		panic(err)
	}
	return b
}

func (f *fake) play(from *line, id switchboard.FrameID, th switchboard.ThreadID, c *conversation, s step) {
	var frame []byte
	switch {
	case s.resync:
		<-c.resync
		return
	case s.cut:
		from.ws.CloseNow()
		return
	case s.ack:
		from.send(switchboard.EncodeReply(id, switchboard.Ack{ThreadID: th, RunID: c.run, N: 1}))
		return
	case s.delta != nil:
		frame = delta(c.run, *s.delta)
	case s.event != nil:
		if s.n == 0 {
			s.n = c.n + 1
		}
		c.n = s.n
		e := switchboard.Event{Type: s.event.EventType(), ThreadID: th, N: s.n, Payload: s.event, Cursor: "e.1.c"}
		if s.bare {
			e.Cursor = ""
		}
		if !e.Type.ByPerson() {
			if e.RunID = c.run; s.run != "" {
				e.RunID = s.run
			}
		}
		b, err := switchboard.EncodeEvent(e)
		if err != nil {
			f.t.Error(err)
		}
		frame = b
	default:
		frame = s.raw
	}
	f.mu.Lock()
	devices := slices.Clone(f.devices)
	f.mu.Unlock()
	sent := false
	for _, l := range devices {
		if (l.user == from.user) != s.other && !(s.first && sent) {
			l.send(frame)
			sent = true
		}
	}
}
