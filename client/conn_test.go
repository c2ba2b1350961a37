package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
)

func TestLogin(t *testing.T) {
	answers := map[string]http.HandlerFunc{
		"good": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"token":"tok","expires_at":"2026-11-23T17:49:03.120Z","user":{"id":%q,"name":"ann","roles":["admin"]},"new_field":1}`, user)
		},
		"bad": func(w http.ResponseWriter, r *http.Request) {
			problem(w, 401, map[string]any{"code": "unauthenticated", "detail": "wrong name or password"})
		},
		"often": func(w http.ResponseWriter, r *http.Request) {
			problem(w, 429, map[string]any{"code": "rate_limited", "title": "slow down", "retry_after_ms": 1500})
		},
		"proxy":   func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Retry-After", "3"); w.WriteHeader(503) },
		"garbage": func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "<html>") },
		"empty":   func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "{}") },
	}
	tests := []struct {
		name  string
		code  switchboard.Code
		after time.Duration
		text  string
	}{
		{"good", "", 0, ""},
		{"bad", switchboard.Unauthenticated, 0, "wrong name or password"},
		{"often", switchboard.RateLimited, 1500 * time.Millisecond, "slow down"},
		{"proxy", switchboard.Unavailable, 3 * time.Second, "503"},
		{"garbage", switchboard.Internal, 0, "cannot be read"},
		{"empty", switchboard.Internal, 0, "no token"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != "POST" || r.URL.Path != "/api/v1/auth/login" || r.Header.Get("Content-Type") != "application/json" {
					t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
				}
				answers[tt.name](w, r)
			}))
			s, err := client.Login(t.Context(), cfg, "ann", "pw")
			if switchboard.CodeOf(err) != tt.code {
				t.Fatalf("error %v, want %q", err, tt.code)
			}
			if err == nil {
				if s.Token != "tok" || s.User.ID != user || s.ExpiresAt.Year() != 2026 {
					t.Errorf("session %+v", s)
				}
				return
			}
			if !strings.Contains(err.Error(), tt.text) || switchboard.AsError(err).RetryAfter != tt.after {
				t.Errorf("error %#v", err)
			}
		})
	}
}

func TestConfigIsChecked(t *testing.T) {
	for _, u := range []string{"", "127.0.0.1:8080", "ftp://host", "http://", "http://a:b@host", "http://host?token=x", "http://host#x"} {
		_, err := client.Dial(t.Context(), client.Config{URL: u})
		if e := switchboard.AsError(err); err == nil || e.Code != switchboard.Invalid || e.Field != "url" {
			t.Errorf("%q: %v", u, err)
		}
	}
}

func TestDialRefused(t *testing.T) {
	cfg := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		problem(w, 401, map[string]any{"code": "unauthenticated", "detail": "no valid identity"})
	}))
	for name, open := range map[string]func() error{
		"Dial": func() error { _, err := client.Dial(t.Context(), cfg); return err },
		"Open": func() error { _, err := client.Open(t.Context(), cfg); return err },
	} {
		if err := open(); switchboard.CodeOf(err) != switchboard.Unauthenticated {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRepliesAreRouted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := serve(t, sessions(t, func(s *session) {
			a, _ := s.read()
			b, _ := s.read()
			s.event(event(1, &switchboard.ThreadRenamedEvent{Title: "between"}))
			s.reply("stray", switchboard.Empty{})
			s.send([]byte(`{"type":"from_the_future","n":"x","payload":[]}`))
			s.reply(b.ID, switchboard.Ack{ThreadID: thread, N: 2}) // the other way round
			s.reply(a.ID, switchboard.Ack{ThreadID: thread, N: 1})
			s.wait()
		}))
		conn, err := client.Dial(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if conn.Established().User.ID != user {
			t.Errorf("established %+v", conn.Established())
		}
		var acks [2]switchboard.Ack
		var wg sync.WaitGroup
		for i := range acks {
			wg.Go(func() {
				m := switchboard.Message{ID: switchboard.FrameID(fmt.Sprint(i)), Payload: &switchboard.UserMessage{Text: "hello"}}
				if err := conn.Do(t.Context(), m, &acks[i]); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait() // the first is sent before the second
		}
		wg.Wait()
		if acks[0].N != 1 || acks[1].N != 2 {
			t.Errorf("acks %+v", acks)
		}
		for _, want := range []string{"thread_renamed", switchboard.TypeResult, "from_the_future"} {
			if f, err := conn.Next(t.Context()); err != nil || f.Type != want {
				t.Errorf("next is %q, %v, want %q", f.Type, err, want)
			}
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		if _, err := conn.Next(t.Context()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestReplyKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := serve(t, sessions(t, func(s *session) {
			for {
				m, ok := s.read()
				if !ok {
					return
				}
				switch m.ID {
				case "error":
					s.reply(m.ID, switchboard.Errorf(switchboard.RateLimited, "slow down").At("payload.text").After(1200*time.Millisecond))
				case "result":
					s.reply(m.ID, switchboard.ThreadList{Next: "x"})
				case "ack":
					s.reply(m.ID, switchboard.Ack{ThreadID: thread})
				}
			}
		}))
		conn, err := client.Dial(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		do := func(id switchboard.FrameID, reply any) error {
			return conn.Do(t.Context(), switchboard.Message{ID: id, Payload: &switchboard.Ping{}}, reply)
		}
		var e *switchboard.Error
		if err := do("error", nil); !errors.As(err, &e) || e.Code != switchboard.RateLimited || e.Field != "payload.text" || e.RetryAfter != 1200*time.Millisecond {
			t.Errorf("error reply: %#v", err)
		}
		var list switchboard.ThreadList
		if err := do("result", &list); err != nil || list.Next != "x" {
			t.Errorf("result: %+v, %v", list, err)
		}
		if err := do("ack", nil); err != nil {
			t.Error(err)
		}
		if do("ack", &list) == nil || do("result", &switchboard.Ack{}) == nil {
			t.Error("a reply of the wrong kind was taken")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		m := switchboard.Message{Payload: &switchboard.UserMessage{Text: "never answered"}}
		if err := conn.Do(ctx, m, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without a reply: %v", err)
		}
		m = switchboard.Message{Payload: &switchboard.UserMessage{Text: strings.Repeat("x", 300<<10)}}
		if err := conn.Do(t.Context(), m, nil); switchboard.CodeOf(err) != switchboard.TooLarge {
			t.Errorf("too large: %v", err)
		}
		if err := do("ack", nil); err != nil {
			t.Errorf("the connection should live on: %v", err)
		}
	})
}

func TestCloseCodes(t *testing.T) {
	tests := []struct {
		code      int
		reconnect bool
		meaning   switchboard.Code
	}{
		{1000, true, ""}, {1001, true, ""}, {1002, false, ""}, {1003, false, ""}, {1007, false, ""},
		{1009, false, switchboard.TooLarge}, {1011, true, ""}, {1012, true, ""},
		{4001, true, switchboard.RateLimited}, {4003, true, switchboard.Slow}, {4004, true, switchboard.ShuttingDown},
		{4005, true, switchboard.Unavailable}, {4006, true, switchboard.Internal}, {4499, true, ""},
		{4500, false, ""}, {4501, false, switchboard.Unauthenticated}, {4502, false, switchboard.Replaced}, {4999, false, ""},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.code), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := serve(t, sessions(t, func(s *session) {
					s.event(event(1, &switchboard.ThreadRenamedEvent{Title: "first"}))
					s.ws.Close(websocket.StatusCode(tt.code), "because")
				}))
				conn, err := client.Dial(t.Context(), cfg)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if f, err := conn.Next(t.Context()); err != nil || f.Event == nil {
					t.Errorf("what came before the close: %+v, %v", f, err)
				}
				_, err = conn.Next(t.Context())
				var ce *client.CloseError
				if !errors.As(err, &ce) || ce.Code != tt.code || ce.Reason != "because" {
					t.Fatalf("error %#v", err)
				}
				if ce.Reconnect() != tt.reconnect || ce.Meaning() != tt.meaning {
					t.Errorf("reconnect %v, meaning %q", ce.Reconnect(), ce.Meaning())
				}
				if err := conn.Do(t.Context(), switchboard.Message{Payload: &switchboard.Ping{}}, nil); !errors.As(err, &ce) || ce.Code != tt.code {
					t.Errorf("Do: %v", err)
				}
			})
		})
	}
}

func TestBrokenFramesEndTheConnection(t *testing.T) {
	tests := map[string]func(s *session){
		"not JSON":  func(s *session) { s.send([]byte(`{"type":`)) },
		"bad event": func(s *session) { s.send([]byte(`{"type":"agent_started","thread_id":1,"payload":{}}`)) },
		"binary":    func(s *session) { s.ws.Write(context.Background(), websocket.MessageBinary, []byte(`{}`)) },
		"cut":       func(s *session) {},
	}
	for name, script := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := serve(t, sessions(t, func(s *session) {
					script(s)
					if name != "cut" {
						s.wait()
					}
				}))
				conn, err := client.Dial(t.Context(), cfg)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				var ce *client.CloseError
				if _, err := conn.Next(t.Context()); !errors.As(err, &ce) || ce.Code != 1006 || !ce.Reconnect() {
					t.Errorf("error %v", err)
				}
			})
		})
	}
}

func TestADeadServerIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan struct{})
		cfg := serve(t, sessions(t, func(s *session) { <-gone })) // reads nothing, so answers no ping
		defer close(gone)
		conn, err := client.Dial(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		var ce *client.CloseError
		if _, err := conn.Next(t.Context()); !errors.As(err, &ce) || ce.Code != 1006 {
			t.Errorf("error %v", err)
		}
		if d := time.Since(start); d > 76*time.Second {
			t.Errorf("found after %v", d)
		}
		conn.Close()
	})
}
