package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
)

// patience bounds how long a test waits for anything.
const patience = 90 * time.Second

// history is all that a device received, over all its connections, and the cursor that it keeps.
type history struct {
	mu         sync.Mutex // guards all below
	cursor     switchboard.Cursor
	first      switchboard.Cursor // before everything
	events     []switchboard.Event
	raw        [][]byte // of events
	seen       map[string]bool
	duplicated int
	texts      map[switchboard.MessageID]*switchboard.Assembly
	gaps       int
	bad        error
}

func newHistory() *history {
	return &history{seen: map[string]bool{}, texts: map[switchboard.MessageID]*switchboard.Assembly{}}
}

// take is given each frame as it comes.
func (h *history) take(b []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f, err := switchboard.DecodeFrame(b)
	switch {
	case err != nil:
		h.bad = err
	case f.Event != nil:
		h.cursor = f.Event.Cursor
		key := fmt.Sprintf("%s %d %s", f.Event.ThreadID, f.Event.N, f.Event.Type)
		if h.seen[key] {
			h.duplicated++
			return
		}
		h.seen[key] = true
		h.events = append(h.events, *f.Event)
		h.raw = append(h.raw, bytes.Clone(b))
	case f.Delta != nil && f.Delta.Payload.Kind == switchboard.DeltaText:
		a := h.texts[f.Delta.Payload.MessageID]
		if a == nil {
			a = new(switchboard.Assembly)
			h.texts[f.Delta.Payload.MessageID] = a
		}
		if !a.Add(f.Delta.Payload) {
			h.gaps++
		}
	case f.Type == switchboard.TypeCaughtUp:
		var p switchboard.CaughtUp
		if err := f.Decode(&p); err != nil {
			h.bad = err
		}
		h.cursor = p.Cursor
		if h.first == "" {
			h.first = p.Cursor
		}
	}
}

// connect opens a connection that goes on from the device's cursor.
func (h *history) connect(t tb, s *server, token string) *client.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := client.Dial(ctx, client.Config{URL: s.url, Token: token, Cursor: h.cursor, Received: h.take})
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if r := conn.Established().Resync; r != nil {
		t.Fatalf("the cursor %s was not honoured: %s", h.cursor, r.Reason)
	}
	return conn
}

// until reads frames up to one that is wanted.
func until(t tb, conn *client.Conn, what string, wanted func(switchboard.Frame) bool) switchboard.Frame {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		f, err := conn.Next(ctx)
		if err != nil {
			t.Fatalf("waiting for %s: %v", what, err)
		}
		if wanted(f) {
			return f
		}
	}
}

// untilType reads frames up to one of a type.
func untilType(t tb, conn *client.Conn, typ string) switchboard.Frame {
	t.Helper()
	return until(t, conn, typ, func(f switchboard.Frame) bool { return f.Type == typ })
}

// untilEnd reads frames up to the run's terminal event.
func untilEnd(t tb, conn *client.Conn, run switchboard.RunID) switchboard.Event {
	t.Helper()
	f := until(t, conn, "the end of the run", func(f switchboard.Frame) bool {
		return f.Event != nil && f.Event.RunID == run && f.Event.Type.Terminal()
	})
	return *f.Event
}

// untilClosed reads until the connection has ended and returns the types of what came, and why it ended.
func untilClosed(t tb, conn *client.Conn) (types []string, why error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		f, err := conn.Next(ctx)
		if err != nil {
			if ctx.Err() != nil {
				t.Fatalf("the connection does not end")
			}
			return types, err
		}
		types = append(types, f.Type)
	}
}

// send sends a message and returns its ack.
func send(t tb, conn *client.Conn, id switchboard.FrameID, thread switchboard.ThreadID, p switchboard.MessagePayload) switchboard.Ack {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var ack switchboard.Ack
	if err := conn.Do(ctx, switchboard.Message{ID: id, ThreadID: string(thread), Payload: p}, &ack); err != nil {
		t.Fatalf("%s: %v", p.MessageType(), err)
	}
	return ack
}

// say sends a text that begins a thread.
func say(t tb, conn *client.Conn, text string) switchboard.Ack {
	t.Helper()
	return send(t, conn, client.NewID(), "", &switchboard.UserMessage{Text: text})
}

// settled asks for a ping: what was to come before its answer has come.
func settled(t tb, conn *client.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := conn.Do(ctx, switchboard.Message{Payload: &switchboard.Ping{}}, &switchboard.PingResult{}); err != nil {
		t.Fatalf("ping: %v", err)
	}
}

// stored returns the events of a thread as the JSON API has them.
func (s *server) stored(t tb, token string, thread switchboard.ThreadID) (raw [][]byte) {
	t.Helper()
	after := uint64(0)
	for {
		a := s.do(t, "GET", fmt.Sprintf("/api/v1/threads/%s/events?limit=7&after=%d", url.PathEscape(string(thread)), after), "",
			"Authorization", "Bearer "+token)
		var page switchboard.EventPage
		if err := json.Unmarshal(a.body, &page); a.status != 200 || err != nil {
			t.Fatalf("events: %d %s %v", a.status, a.body, err)
		}
		for _, e := range page.Events {
			raw = append(raw, e)
		}
		if after = page.Next; after == 0 {
			return raw
		}
	}
}

// compare counts the events of want that are not in got, and the other way round; order is a difference too.
func compare(want, got [][]byte) (lost, unexpected int) {
	have := map[string]bool{}
	for _, b := range got {
		have[string(b)] = true
	}
	wanted := map[string]bool{}
	for _, b := range want {
		wanted[string(b)] = true
		if !have[string(b)] {
			lost++
		}
	}
	for i, b := range got {
		if !wanted[string(b)] || len(got) == len(want) && !bytes.Equal(want[i], b) {
			unexpected++
		}
	}
	return lost, unexpected + max(0, len(got)-len(have))
}

// checkRun checks the events of one run in one thread: n without gaps, the grammar, and one terminal event, which it
// returns.
func checkRun(t tb, events []switchboard.Event, run switchboard.RunID) switchboard.Event {
	t.Helper()
	var g switchboard.Grammar
	var end switchboard.Event
	for i, e := range events {
		if e.N != uint64(i+1) {
			t.Errorf("event %d has n %d", i+1, e.N)
		}
		if e.RunID != run {
			t.Errorf("%s is of run %s", e.Type, e.RunID)
		}
		if err := g.Add(e); err != nil {
			t.Errorf("n %d: %v", e.N, err)
		}
		if e.Type.Terminal() {
			end = e
		}
	}
	if g.Ended() == "" {
		t.Errorf("the run has no end")
	}
	return end
}

// words counts as the story does.
func words(s string) int { return len(strings.Fields(s)) }

// asClose reports whether a connection ended with a close.
func asClose(err error, ce **client.CloseError) bool { return errors.As(err, ce) }
