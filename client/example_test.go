package client_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/coder/websocket"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
)

// Log in, ask something and print the answer. The Client would survive a restart of the server in between.
func Example() {
	ctx := context.Background()
	server := httptest.NewServer(http.HandlerFunc(demo))
	defer server.Close()

	cfg := client.Config{URL: server.URL}
	session, err := client.Login(ctx, cfg, "ann", "correct horse")
	if err != nil {
		log.Fatal(err)
	}
	cfg.Token = session.Token
	c, err := client.Open(ctx, cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	ack, err := c.Send(ctx, switchboard.UserMessage{Text: "What is 6 * 7?"}, "")
	if err != nil {
		log.Fatal(err)
	}
	for u := range c.Updates() {
		if u.Event == nil || u.Event.RunID != ack.RunID {
			continue
		}
		fmt.Println(u.Event.N, u.Event.Type)
		if p, ok := u.Event.Payload.(*switchboard.AgentCompletedEvent); ok {
			fmt.Println(p.Text)
			break
		}
	}
	// Output:
	// 2 agent_started
	// 3 agent_thinking
	// 4 agent_completed
	// 6 * 7 = 42
}

// One connection without reconnecting: for tools that ask one thing.
func ExampleDial() {
	ctx := context.Background()
	server := httptest.NewServer(http.HandlerFunc(demo))
	defer server.Close()

	conn, err := client.Dial(ctx, client.Config{URL: server.URL, Token: "secret"})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	var pong switchboard.PingResult
	if err := conn.Do(ctx, switchboard.Message{Payload: &switchboard.Ping{}}, &pong); err != nil {
		log.Fatal(err)
	}
	fmt.Println(conn.Established().User.Name, pong.Time.UTC().Year())
	// Output: ann 2026
}

// demo is a server that knows one answer.
func demo(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/api/v1/auth/login" {
		fmt.Fprint(w, `{"token":"secret","expires_at":"2026-11-23T18:00:00.000Z","user":{"id":"x","name":"ann","roles":[]}}`)
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{switchboard.Protocol}})
	if err != nil {
		return
	}
	defer ws.CloseNow()
	send := func(frame []byte) { ws.Write(r.Context(), websocket.MessageText, frame) }
	send(switchboard.EncodeNotice(switchboard.TypeConnectionEstablished, switchboard.ConnectionEstablished{
		User: switchboard.User{Name: "ann"}, Limits: switchboard.DefaultLimits(),
	}))
	send(switchboard.EncodeNotice(switchboard.TypeCaughtUp, switchboard.CaughtUp{Cursor: "e.0."}))
	for {
		_, b, err := ws.Read(r.Context())
		if err != nil {
			return
		}
		m, err := switchboard.DecodeMessage(b, switchboard.DefaultLimits())
		if err != nil {
			return
		}
		if m.Type == switchboard.TypePing {
			send([]byte(`{"type":"result","id":"` + string(m.ID) + `","payload":{"time":"2026-11-23T17:49:03.120Z"}}`))
			continue
		}
		send(switchboard.EncodeReply(m.ID, switchboard.Ack{ThreadID: thread, RunID: run, N: 1}))
		for n, p := range []switchboard.EventPayload{
			&switchboard.AgentStartedEvent{Agent: "demo", Attempt: 1},
			&switchboard.AgentThinkingEvent{MessageID: "m", Step: 1, Text: "six times seven", Source: "agent"},
			&switchboard.AgentCompletedEvent{MessageID: "m", Text: "6 * 7 = 42"},
		} {
			e, err := switchboard.EncodeEvent(event(uint64(n)+2, p))
			if err != nil {
				return
			}
			send(e)
		}
	}
}
