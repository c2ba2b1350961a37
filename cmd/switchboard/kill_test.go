package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
)

const (
	killRepeats  = 3
	storyWords   = 150
	takeoverTime = 15 * time.Second // from the start of the next process, after a kill
	handoverTime = 15 * time.Second // likewise, after a stop
)

// figures are what a kind of kill has come to.
type figures struct {
	mu                                       sync.Mutex // guards all below
	runs, acknowledged, events               int
	lost, unexpected, duplicated, violations int
	resumed                                  int
	longest                                  time.Duration
}

// moment is when the server is killed, and what must be true afterwards.
type moment struct {
	name  string
	text  string
	wait  func(t tb, conn *client.Conn, run switchboard.RunID)
	check func(t tb, h *history, run switchboard.RunID, end *switchboard.AgentCompletedEvent) (resumed bool)
}

var moments = []moment{
	{
		name: "in the middle of an answer", text: fmt.Sprintf("Please write a story of %d words.", storyWords),
		wait: func(t tb, conn *client.Conn, run switchboard.RunID) {
			until(t, conn, "half of the story", func(f switchboard.Frame) bool {
				return f.Delta != nil && f.Delta.Payload.Kind == switchboard.DeltaText && f.Delta.Payload.Index > storyWords/2
			})
		},
		check: func(t tb, h *history, run switchboard.RunID, end *switchboard.AgentCompletedEvent) bool {
			if words(end.Text) != storyWords {
				t.Errorf("the story has %d words", words(end.Text))
			}
			if h.texts[run.Message(1, 1)] == nil {
				t.Errorf("nothing was seen of the first attempt")
			}
			return checkResumed(t, h, []switchboard.MessageID{run.Message(1, 1)})
		},
	},
	{
		name: "in the middle of tool calls", text: "Work out " + strings.Join(sums(), ", ") + ".",
		wait: func(t tb, conn *client.Conn, run switchboard.RunID) {
			untilType(t, conn, string(switchboard.ToolExecuting))
		},
		check: func(t tb, h *history, run switchboard.RunID, end *switchboard.AgentCompletedEvent) bool {
			for i, sum := range sums() {
				if line := fmt.Sprintf("%s = %d", sum, 1000*(i+1)+7); !strings.Contains(end.Text, line) {
					t.Errorf("the answer has no %q:\n%s", line, end.Text)
				}
			}
			completed := 0
			for _, e := range h.events {
				if p, ok := e.Payload.(*switchboard.ToolCompletedEvent); ok {
					completed++
					if p.Status != switchboard.CallOK {
						t.Errorf("a call ended %s: %s", p.Status, p.Error)
					}
				}
			}
			if completed != len(sums()) {
				t.Errorf("%d calls were completed", completed)
			}
			return checkResumed(t, h, h.openAtTakeover())
		},
	},
	{
		name: "right after the ack", text: "Please write a story of 20 words.",
		wait: func(tb, *client.Conn, switchboard.RunID) {},
		check: func(t tb, h *history, run switchboard.RunID, end *switchboard.AgentCompletedEvent) bool {
			if words(end.Text) != 20 {
				t.Errorf("the story has %d words", words(end.Text))
			}
			return slices.ContainsFunc(h.events, func(e switchboard.Event) bool { return e.Type == switchboard.AgentResumed })
		},
	},
}

// sums are sums with the results 1007, 2007 …
func sums() []string {
	var out []string
	for i := range 10 {
		out = append(out, fmt.Sprintf("%d + 7", 1000*(i+1)))
	}
	return out
}

// openAtTakeover returns the message that the run had begun and not recorded when it was taken over, if there was one: the
// calls may have ended before the kill came.
func (h *history) openAtTakeover() (open []switchboard.MessageID) {
	for _, e := range h.events {
		switch p := e.Payload.(type) {
		case *switchboard.AgentThinkingEvent:
			open = []switchboard.MessageID{p.MessageID}
		case *switchboard.AgentMessageEvent:
			open = nil
		case *switchboard.AgentResumedEvent:
			return open
		}
	}
	return nil
}

// checkResumed checks that the run was taken over once, and which open messages that made void.
func checkResumed(t tb, h *history, discards []switchboard.MessageID) bool {
	var all []*switchboard.AgentResumedEvent
	for _, e := range h.events {
		if p, ok := e.Payload.(*switchboard.AgentResumedEvent); ok {
			all = append(all, p)
		}
	}
	if len(all) != 1 || all[0].Attempt != 2 || all[0].Reason != switchboard.ResumedTakeover || !slices.Equal(all[0].Discards, discards) {
		t.Errorf("agent_resumed: %+v, want one that discards %v", all, discards)
	}
	return len(all) > 0
}

func TestE2EKill9(t *testing.T) {
	t.Parallel()
	for _, m := range moments {
		t.Run(strings.ReplaceAll(m.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			var f figures
			t.Run("group", func(t *testing.T) { // ends when all repeats have
				for i := range killRepeats {
					t.Run(fmt.Sprint(i+1), func(t *testing.T) {
						t.Parallel()
						m.run(t, &f)
					})
				}
			})
			t.Logf("kill -9 %s: %d times, %d acknowledged, %d events: %d lost, %d duplicated, %d unexpected; %d violations; %d runs resumed, the last after %v",
				m.name, f.runs, f.acknowledged, f.events, f.lost, f.duplicated, f.unexpected, f.violations, f.resumed, f.longest.Round(time.Millisecond))
		})
	}
}

// run kills a server once and compares what the device saw with what is stored, and with what others are told.
func (m moment) run(t *testing.T, f *figures) {
	s := serve(t, t.TempDir())
	token := s.user(t, "ann")
	h, id := newHistory(), client.NewID()
	conn := h.connect(t, s, token)
	untilType(t, conn, switchboard.TypeCaughtUp)
	ack := send(t, conn, id, "", &switchboard.UserMessage{Text: m.text})
	m.wait(t, conn, ack.RunID)
	s.end(t, "KILL")
	untilClosed(t, conn)
	seen, at := len(h.events), h.cursor

	s.restart(t)
	began := time.Now()
	conn = h.connect(t, s, token)
	untilEnd(t, conn, ack.RunID)
	settled(t, conn)
	end := checkRun(t, h.events, ack.RunID)
	completed, ok := end.Payload.(*switchboard.AgentCompletedEvent)
	if !ok {
		t.Fatalf("the run ended with %+v", end)
	}
	if h.bad != nil || h.gaps > 0 {
		t.Errorf("%d gaps in deltas, %v", h.gaps, h.bad)
	}
	if a := h.texts[completed.MessageID]; a == nil || a.Text != completed.Text {
		t.Errorf("the deltas are not the text: %v", a)
	}
	resumed := m.check(t, h, ack.RunID, completed)

	// The same message again is the same run; another would be seen by those who now come.
	if again := send(t, conn, id, "", &switchboard.UserMessage{Text: m.text}); !again.Duplicate || again.RunID != ack.RunID || again.N != ack.N {
		t.Errorf("sent again: %+v, first: %+v", again, ack)
	}
	stored := s.stored(t, token, ack.ThreadID)
	f.mu.Lock()
	defer f.mu.Unlock()
	lost, unexpected := compare(stored, h.raw)
	for _, from := range []struct {
		cursor switchboard.Cursor
		after  int
	}{{h.first, 0}, {h.events[0].Cursor, 1}, {at, seen}, {h.cursor, len(stored)}} {
		l, u := replayed(t, s, token, from.cursor, stored[from.after:])
		lost, unexpected = lost+l, unexpected+u
	}
	if lost > 0 || unexpected > 0 || h.duplicated > 0 {
		t.Errorf("%d lost, %d unexpected, %d duplicated:\n%s\n---\n%s", lost, unexpected, h.duplicated, lines(stored), lines(h.raw))
	}
	f.runs, f.acknowledged, f.events = f.runs+1, f.acknowledged+1, f.events+len(stored)
	f.lost, f.unexpected, f.duplicated = f.lost+lost, f.unexpected+unexpected, f.duplicated+h.duplicated
	if t.Failed() {
		f.violations++
	}
	if resumed {
		f.resumed++
	}
	for _, e := range h.events {
		if e.Type == switchboard.AgentResumed || e.Type == switchboard.AgentStarted && e.Time.After(began) {
			f.longest = max(f.longest, e.Time.Sub(began))
		}
	}
	if f.longest > takeoverTime {
		t.Errorf("it took %v until the run went on", f.longest)
	}
}

// replayed compares what a new device is told after a cursor.
func replayed(t tb, s *server, token string, from switchboard.Cursor, want [][]byte) (lost, unexpected int) {
	t.Helper()
	h := newHistory()
	h.cursor = from
	conn := h.connect(t, s, token)
	untilType(t, conn, switchboard.TypeCaughtUp)
	settled(t, conn)
	lost, unexpected = compare(want, h.raw)
	if lost > 0 || unexpected > 0 || h.duplicated > 0 {
		t.Errorf("a device from %s: %d lost, %d unexpected, %d duplicated", from, lost, unexpected, h.duplicated)
	}
	return lost, unexpected + h.duplicated
}

func lines(events [][]byte) string {
	var b strings.Builder
	for _, e := range events {
		b.Write(e[:min(len(e), 400)])
		b.WriteByte('\n')
	}
	return b.String()
}

// TestE2EStop stops a server by each signal while a run is active and devices are connected: they are told, closed with
// draining, and the next process goes on with the run at once.
func TestE2EStop(t *testing.T) {
	t.Parallel()
	for _, signal := range []string{"TERM", "INT"} {
		t.Run(signal, func(t *testing.T) {
			t.Parallel()
			s := serve(t, t.TempDir())
			token := s.user(t, "ann")
			h, other := newHistory(), newHistory()
			conn := h.connect(t, s, token)
			untilType(t, conn, switchboard.TypeCaughtUp)
			idle := other.connect(t, s, token)
			untilType(t, idle, switchboard.TypeCaughtUp)
			ack := say(t, conn, moments[0].text)
			moments[0].wait(t, conn, ack.RunID)
			s.end(t, signal)
			for _, c := range []*client.Conn{conn, idle} {
				types, err := untilClosed(t, c)
				var ce *client.CloseError
				if !asClose(err, &ce) || ce.Code != switchboard.Codes[switchboard.ShuttingDown].Close || !ce.Reconnect() {
					t.Errorf("closed with %v", err)
				}
				if !slices.Contains(types, switchboard.TypeDraining) {
					t.Errorf("no notice in %v", types)
				}
			}
			s.restart(t)
			began := time.Now()
			conn = h.connect(t, s, token)
			untilEnd(t, conn, ack.RunID)
			end := checkRun(t, h.events, ack.RunID)
			if p, ok := end.Payload.(*switchboard.AgentCompletedEvent); !ok || words(p.Text) != storyWords {
				t.Errorf("the run ended with %+v", end)
			}
			var longest time.Duration
			for _, e := range h.events {
				if e.Type == switchboard.AgentResumed {
					longest = max(longest, e.Time.Sub(began))
				}
			}
			if longest > handoverTime {
				t.Errorf("a run that was handed over went on after %v", longest)
			}
			s.end(t, signal)
			t.Logf("SIG%s: the run went on %v after the next start", signal, longest.Round(time.Millisecond))
		})
	}
}

// TestE2EStopAtOnce stops a server as soon as it listens, and twice in a row.
func TestE2EStopAtOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	for range 3 {
		s.end(t, "TERM")
		s.restart(t)
	}
	if _, err := s.tryLogin("admin", s.password); err != nil {
		t.Error(err)
	}
	_ = s.cmd.Process.Signal(signals["TERM"])
	s.end(t, "INT")
	_, err := client.Dial(context.Background(), client.Config{URL: s.url, Token: "x"})
	if err == nil {
		t.Error("something still listens")
	}
}
