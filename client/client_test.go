package client_test

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
)

// open opens a client in a bubble; it is closed before the bubble ends.
func open(t *testing.T, cfg client.Config) *client.Client {
	t.Helper()
	c, err := client.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// until reads updates up to the first for which stop is true.
func until(t *testing.T, c *client.Client, stop func(client.Update) bool) []client.Update {
	t.Helper()
	var all []client.Update
	for u := range c.Updates() {
		all = append(all, u)
		if stop(u) {
			return all
		}
	}
	t.Fatalf("the client ended: %v", c.Err())
	return nil
}

func states(us []client.Update) (out []client.State) {
	for _, u := range us {
		if u.State != "" {
			out = append(out, u.State)
		}
	}
	return out
}

func delta(m switchboard.MessageID, index, count int, text string) switchboard.DeltaPayload {
	return switchboard.DeltaPayload{Attempt: 1, MessageID: m, Kind: switchboard.DeltaText, Index: index, Count: count, Text: text}
}

// The server cuts or closes every connection after two, three … frames, and each replay begins with an event that the
// client already has. The client tells each event once, in order.
func TestNoEventIsLostOrRepeated(t *testing.T) {
	for frames := 2; frames <= 5; frames++ {
		t.Run(fmt.Sprint(frames), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const last = 40
				cfg := serve(t, sessions(t, func(s *session) {
					from := uint64(1)
					if s.cursor != "" {
						p, err := switchboard.ParseCursor(switchboard.Cursor(s.cursor))
						if err != nil {
							t.Error(err)
						}
						from = max(1, p.Seq) // once more, then what is new
					}
					for i := range frames {
						if n := from + uint64(i); n <= last {
							s.event(event(n, &switchboard.ThreadRenamedEvent{Title: fmt.Sprint(n)}))
						}
					}
					if from+uint64(frames) > last {
						s.caughtUp("")
						s.wait()
					} else if s.number%2 == 0 {
						s.ws.Close(4003, "slow")
					}
				}))
				cfg.Cursor = "e.0."
				c := open(t, cfg)
				us := until(t, c, func(u client.Update) bool { return u.State == client.CaughtUp })
				var got []uint64
				for _, u := range us {
					if u.Event != nil {
						got = append(got, u.Event.N)
						if u.Cursor != u.Event.Cursor {
							t.Errorf("cursor %q of %+v", u.Cursor, u.Event)
						}
					}
				}
				if len(got) != last || got[0] != 1 || !slices.IsSorted(got) || len(slices.Compact(got)) != last {
					t.Errorf("events %v", got)
				}
				if c.Cursor() != "e.40.c" {
					t.Errorf("cursor %q", c.Cursor())
				}
			})
		})
	}
}

func TestADeletedThreadIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := serve(t, sessions(t, func(s *session) {
			s.event(event(0, &switchboard.ThreadDeletedEvent{ID: "d"}))
			s.event(event(0, &switchboard.ThreadDeletedEvent{ID: "d"}))
			s.caughtUp("e.9.c")
			s.wait()
		}))
		cfg.Cursor = "e.0."
		us := until(t, open(t, cfg), func(u client.Update) bool { return u.State == client.CaughtUp })
		if len(us) != 3 {
			t.Errorf("updates %+v", us)
		}
	})
}

// A message that is not answered — the connection is cut, silent, draining or closed — or answered with "try again" is
// repeated as it was.
func TestSendRepeatsTheSameFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var got []switchboard.Message
		var at []time.Time
		cfg := serve(t, sessions(t, func(s *session) {
			s.caughtUp("e.1.c")
			for {
				m, ok := s.read()
				if !ok {
					return
				}
				mu.Lock()
				got, at = append(got, m), append(at, time.Now())
				try := len(got)
				mu.Unlock()
				switch try {
				case 1:
					return // cut
				case 2:
					s.wait() // silent
				case 3:
					s.reply(m.ID, switchboard.Errorf(switchboard.ShuttingDown, "going away"))
				case 4:
					s.ws.Close(4004, "draining")
				case 5:
					s.reply(m.ID, switchboard.Errorf(switchboard.Unavailable, "outcome unknown"))
				case 6:
					s.reply(m.ID, switchboard.Errorf(switchboard.RateLimited, "slow down").After(7*time.Second))
				default:
					s.reply(m.ID, switchboard.Ack{ThreadID: thread, RunID: run, N: 1, Duplicate: true})
				}
			}
		}))
		c := open(t, cfg)
		ack, err := c.Send(t.Context(), switchboard.UserMessage{Text: "hello"}, "")
		if err != nil || ack.RunID != run || !ack.Duplicate {
			t.Fatalf("ack %+v, %v", ack, err)
		}
		if len(got) != 7 {
			t.Fatalf("%d frames", len(got))
		}
		for _, m := range got {
			if m.ID != got[0].ID || m.ThreadID != "" || m.Payload.(*switchboard.UserMessage).Text != "hello" {
				t.Errorf("repeated as %+v", m)
			}
		}
		if d := at[2].Sub(at[1]); d < 10*time.Second || d > 12*time.Second {
			t.Errorf("a silent connection is given up after %v", d)
		}
		if d := at[6].Sub(at[5]); d < 7*time.Second {
			t.Errorf("repeated %v after being told to wait 7 s", d)
		}
	})
}

func TestARefusalIsReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := serve(t, sessions(t, func(s *session) {
			s.caughtUp("e.1.c")
			for {
				m, ok := s.read()
				if !ok {
					return
				}
				s.reply(m.ID, switchboard.Errorf(switchboard.NotFound, "no such thing").At("run_id"))
			}
		}))
		c := open(t, cfg)
		_, err := c.StopAgent(t.Context(), run)
		if e := switchboard.AsError(err); e.Code != switchboard.NotFound || e.Field != "run_id" {
			t.Errorf("error %v", err)
		}
	})
}

func TestMethodsSendWhatTheySay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		cfg := serve(t, sessions(t, func(s *session) {
			s.caughtUp("e.1.c")
			for {
				m, ok := s.read()
				if !ok {
					return
				}
				got = append(got, fmt.Sprintf("%s %s %+v", m.Type, m.ThreadID, m.Payload))
				switch m.Type {
				case switchboard.TypeListThreads:
					s.reply(m.ID, switchboard.ThreadList{Threads: []switchboard.ThreadSummary{{ThreadID: thread}}, Next: "n"})
				case switchboard.TypeGetThread:
					s.reply(m.ID, map[string]any{"next": 2, "events": []any{
						event(1, &switchboard.ThreadRenamedEvent{Title: "one"}), event(2, &switchboard.ThreadRenamedEvent{Title: "two"}),
					}})
				default:
					s.reply(m.ID, switchboard.Ack{ThreadID: thread, N: 1})
				}
			}
		}))
		c, ctx := open(t, cfg), t.Context()
		call := run.Call(1, 0)
		for _, f := range []func() (switchboard.Ack, error){
			func() (switchboard.Ack, error) { return c.Send(ctx, switchboard.UserMessage{Text: "hi"}, thread) },
			func() (switchboard.Ack, error) { return c.Start(ctx, switchboard.StartAgent{Agent: "demo"}, "") },
			func() (switchboard.Ack, error) { return c.StopAgent(ctx, run) },
			func() (switchboard.Ack, error) {
				return c.Decide(ctx, switchboard.ToolDecision{CallID: string(call), Decision: switchboard.Deny})
			},
			func() (switchboard.Ack, error) { return c.Rename(ctx, thread, "new") },
			func() (switchboard.Ack, error) { return c.Delete(ctx, thread) },
		} {
			if ack, err := f(); err != nil || ack.N != 1 {
				t.Errorf("ack %+v, %v", ack, err)
			}
		}
		list, err := c.ListThreads(ctx, switchboard.ListThreads{Limit: 5})
		if err != nil || list.Next != "n" || len(list.Threads) != 1 {
			t.Errorf("list %+v, %v", list, err)
		}
		events, next, err := c.GetThread(ctx, thread, switchboard.GetThread{After: 1})
		if err != nil || next != 2 || len(events) != 2 || events[1].Payload.(*switchboard.ThreadRenamedEvent).Title != "two" {
			t.Errorf("events %+v, %d, %v", events, next, err)
		}
		want := []string{
			"user_message " + string(thread), "start_agent ", "stop_agent  &{RunID:" + string(run),
			"tool_decision  &{CallID:" + string(call), "rename_thread " + string(thread) + " &{Title:new}",
			"delete_thread " + string(thread), "list_threads  &{Before: Limit:5}", "get_thread " + string(thread) + " &{After:1",
		}
		for i := range want {
			if i >= len(got) || !strings.HasPrefix(got[i], want[i]) {
				t.Errorf("sent %q, want %q…", got, want[i])
			}
		}
	})
}

func TestTextIsAssembledAndGapsAreAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		m := run.Message(1, 1)
		cfg := serve(t, sessions(t, func(s *session) {
			s.caughtUp("e.1.c")
			s.event(event(2, &switchboard.AgentStartedEvent{Attempt: 1}))
			s.delta(run, delta(m, 0, 2, "The answer"))
			s.delta(run, delta(m, 1, 1, " answer"))       // a repeat
			s.delta(run, delta(m, 3, 1, " 42"))           // a gap
			s.delta(run, delta(m, 4, 1, "."))             // still the same gap
			s.delta("other", delta("x", 0, 1, "another")) // not disturbed
			q, ok := s.read()
			if !ok {
				t.Error("nothing was asked")
				return
			}
			asked = append(asked, string(q.Type), q.Payload.(*switchboard.ResyncMessage).RunID)
			s.reply(q.ID, switchboard.Empty{})
			s.delta(run, delta(m, 0, 5, "The answer is 42."))
			s.event(event(3, &switchboard.AgentCompletedEvent{MessageID: m, Text: "The answer is 42."}))
			s.delta(run, delta(m, 5, 1, " late"))
			s.wait()
		}))
		c := open(t, cfg)
		us := until(t, c, func(u client.Update) bool { return u.Event != nil && u.Event.Type.Terminal() })
		var got []string
		for _, u := range us {
			if u.Text != nil {
				got = append(got, u.Text.Text)
			}
		}
		if want := []string{"The answer", "another", "The answer is 42."}; !slices.Equal(got, want) {
			t.Errorf("texts %q, want %q", got, want)
		}
		if want := []string{"resync_message", string(run)}; !slices.Equal(asked, want) {
			t.Errorf("asked %q", asked)
		}
		synctest.Wait()
		select {
		case u := <-c.Updates():
			t.Errorf("after the end: %+v", u.Text)
		default:
		}
	})
}

func TestAVoidAttemptShowsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := run.Message(1, 1), run.Message(2, 1)
		second := delta(two, 0, 1, "second")
		second.Attempt = 2
		progress := 0.5
		cfg := serve(t, sessions(t, func(s *session) {
			s.caughtUp("e.1.c")
			s.event(event(2, &switchboard.AgentStartedEvent{Attempt: 1}))
			s.delta(run, delta(one, 0, 1, "first"))
			s.event(event(3, &switchboard.AgentResumedEvent{Attempt: 2, Discards: []switchboard.MessageID{one}}))
			s.delta(run, delta(one, 1, 1, " of a zombie"))
			s.delta(run, second)
			s.delta(run, switchboard.DeltaPayload{Attempt: 1, CallID: run.Call(1, 0), Kind: switchboard.DeltaToolProgress, Progress: &progress})
			s.delta(run, switchboard.DeltaPayload{Attempt: 2, CallID: run.Call(1, 0), Kind: switchboard.DeltaToolProgress, Progress: &progress})
			s.event(event(4, &switchboard.ThreadRenamedEvent{}))
			s.wait()
		}))
		us := until(t, open(t, cfg), func(u client.Update) bool { return u.Event != nil && u.Event.N == 4 })
		var got []string
		for _, u := range us {
			if u.Text != nil {
				got = append(got, string(u.Text.Kind)+" "+u.Text.Text)
			}
		}
		if want := []string{"text first", "text second", "tool_progress "}; !slices.Equal(got, want) {
			t.Errorf("texts %q, want %q", got, want)
		}
	})
}

func TestResyncIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		resync := func(cursor string) *switchboard.Resync {
			if cursor == "e.7.c" {
				return &switchboard.Resync{Reason: "epoch"}
			}
			return nil
		}
		cfg := serve(t, resyncing(t, resync, func(s *session) {
			switch s.number {
			case 1:
				s.event(event(7, &switchboard.ThreadRenamedEvent{}))
			case 2:
				s.caughtUp("f.1.c")
				s.event(event(3, &switchboard.ThreadRenamedEvent{})) // the store came back shorter
				s.wait()
			}
		}))
		cfg.Cursor = "e.6.c"
		us := until(t, open(t, cfg), func(u client.Update) bool { return u.Event != nil && u.Event.N == 3 })
		want := []client.State{client.Connected, client.Reconnecting, client.Resync, client.CaughtUp}
		if got := states(us); !slices.Equal(got, want) {
			t.Errorf("states %v, want %v", got, want)
		}
		if us[3].Reason != "epoch" || us[2].Err == nil {
			t.Errorf("updates %+v", us)
		}
	})
}

func TestSomeEndsAreFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := serve(t, sessions(t, func(s *session) {
			s.caughtUp("e.1.c")
			s.read()
			s.ws.Close(websocket.StatusCode(4502), "replaced")
		}))
		c := open(t, cfg)
		_, err := c.Send(t.Context(), switchboard.UserMessage{Text: "hello"}, "")
		var ce *client.CloseError
		if !errors.As(err, &ce) || ce.Code != 4502 {
			t.Errorf("Send: %v", err)
		}
		for range c.Updates() {
		}
		if !errors.As(c.Err(), &ce) || ce.Code != 4502 {
			t.Errorf("Err: %v", c.Err())
		}
	})
}

// A server that closes at once is not stormed: with full jitter up to 5 s, an hour has some 1,500 tries.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		tries := 0
		cfg := serve(t, sessions(t, func(s *session) {
			mu.Lock()
			defer mu.Unlock()
			tries++
		}))
		cfg.Cursor = "e.1.c"
		c := open(t, cfg)
		go func() {
			for range c.Updates() {
			}
		}()
		time.Sleep(time.Hour)
		mu.Lock()
		if tries < 1000 || tries > 2500 {
			t.Errorf("%d tries in an hour", tries)
		}
		mu.Unlock()
		c.Close()
		if !errors.Is(c.Err(), net.ErrClosed) {
			t.Errorf("Err after Close: %v", c.Err())
		}
	})
}

func TestCloseWithUnreadUpdates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := serve(t, sessions(t, func(s *session) {
			s.caughtUp("e.1.c")
			for n := uint64(1); s.event(event(n, &switchboard.ThreadRenamedEvent{})); n++ {
			}
		}))
		c := open(t, cfg)
		synctest.Wait()
		start := time.Now()
		c.Close()
		if d := time.Since(start); d > 15*time.Second {
			t.Errorf("Close took %v", d)
		}
	})
}
