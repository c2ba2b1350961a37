package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

const (
	ackSamples  = 600
	longSamples = 100
	longRuns    = 1000
	// rest lets the work that follows a run (its wake-up's ack) end before the next sample: figures are those of an idle
	// server.
	rest = 5 * time.Millisecond
	// question is what the messages say: 120 bytes.
	question = "What will the weather be in the mountains tomorrow, and is it wise to go up with two children and an old, very lazy dog?"
)

// BenchmarkAckNewThread measures user_message → ack where each message begins a thread, and ack → agent_started.
func BenchmarkAckNewThread(b *testing.B) {
	s := serve(b, b.TempDir(), instant)
	token, user := s.token(b, "ann")
	benchmarkAck(b, s, token, user, "a new thread", ackSamples, func(int, switchboard.ThreadID) switchboard.ThreadID { return "" })
}

// BenchmarkAckIdleThread measures the same in a thread of at most 20 runs that is at rest.
func BenchmarkAckIdleThread(b *testing.B) {
	s := serve(b, b.TempDir(), instant)
	token, user := s.token(b, "ann")
	benchmarkAck(b, s, token, user, "an idle thread", ackSamples, func(i int, last switchboard.ThreadID) switchboard.ThreadID {
		if i%20 == 0 {
			return ""
		}
		return last
	})
}

// BenchmarkAckLongThread measures the same in a thread of a thousand runs.
func BenchmarkAckLongThread(b *testing.B) {
	f := fill(b, has{threads: 1, runs: longRuns})
	s := serve(b, f.dir, instant)
	user := f.users[0]
	long := switchboard.NewThreadID(user, "t0")
	first, _ := device(b, s.addr, f.tokens[0], "")
	cold := exchange(b, first, message(b, "first", long, question))
	first.conn.Close()
	record(b, "ack-cold", row{mechanism: fmt.Sprintf("the first message after a start to a thread of %d runs: → ack", longRuns), unit: "s", figure: cold.ack.Seconds()})
	record(b, "started-cold", row{mechanism: "  ack → agent_started", unit: "s", figure: (cold.started - cold.ack).Seconds(), goal: 5e-3})
	benchmarkAck(b, s, f.tokens[0], user, fmt.Sprintf("a thread of %d runs", longRuns), longSamples,
		func(int, switchboard.ThreadID) switchboard.ThreadID { return long })
}

// benchmarkAck sends messages, each into the thread that to says of its number and the thread of the one before.
func benchmarkAck(b *testing.B, s *server, token string, user switchboard.UserID, where string, n int, to func(int, switchboard.ThreadID) switchboard.ThreadID) {
	dev, _ := device(b, s.addr, token, "")
	disk := newBare(b, s, s.sameShard(user))
	var last switchboard.ThreadID
	var ack, started, appended, synced samples
	tick := time.NewTicker(rest)
	defer tick.Stop()
	for b.Loop() {
		for range n {
			synced.add(disk.sync(b))
			appended.add(disk.append(b))
			i := len(ack)
			x := exchange(b, dev, message(b, switchboard.FrameID(fmt.Sprint("m", i)), to(i, last), question))
			ack.add(x.ack)
			started.add(x.started - x.ack)
			last = x.thread
			tick.Reset(rest)
			<-tick.C
		}
	}
	percentiles(b, "ack", "user_message → ack, "+where+" / bare append,", ack, appended, 0, 3)
	percentiles(b, "append", "  that bare append ("+where+") / write + fsync,", appended, synced, 0, 0)
	percentiles(b, "started", "  ack → agent_started, "+where+" / bare append,", started, appended, 5e-3, 0)
}

// times are when a device saw what, from the sending of the message.
type times struct {
	thread       switchboard.ThreadID
	ack, started time.Duration
}

// exchange sends a message and reads up to the end of its run.
func exchange(b *testing.B, s *socket, frame []byte) (x times) {
	b.Helper()
	start := time.Now()
	if err := s.send(frame); err != nil {
		b.Fatal(err)
	}
	for done := false; !done || x.ack == 0; {
		frame, err := s.read()
		if err != nil {
			b.Fatal(err)
		}
		switch at := time.Since(start); kindOf(frame) {
		case switchboard.TypeAck:
			x.ack, x.thread = at, switchboard.ThreadID(member(frame, "thread_id"))
		case string(switchboard.AgentStarted):
			x.started = at
		case string(switchboard.AgentCompleted):
			done = true
		case switchboard.TypeError, string(switchboard.AgentFailed):
			b.Fatalf("%s", frame)
		}
	}
	return x
}

// bare does what an accepted message cannot do without: one durable append, and below it one write with fsync.
type bare struct {
	s    *server
	user switchboard.UserID
	file *os.File
	n    int
}

func newBare(b *testing.B, s *server, u switchboard.UserID) *bare {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "bare"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	return &bare{s: s, user: u, file: f}
}

// append stores one event of the size of a user_message in a new thread, in the same shard. It is an agent's event, so
// nobody is woken.
func (x *bare) append(b *testing.B) time.Duration {
	b.Helper()
	x.n++
	id := switchboard.NewThreadID(x.user, switchboard.FrameID(fmt.Sprint(x.n)))
	now := switchboard.At(time.Now())
	d := thread.Draft{
		Event: switchboard.Event{Type: switchboard.AgentThinking, ThreadID: id, RunID: id.Run(1), N: 1, Time: now,
			Payload: &switchboard.AgentThinkingEvent{MessageID: id.Run(1).Message(1, 1), Step: 1, Text: question, Source: "agent"}},
		Header: thread.Header{N: 1, Append: "2NGQTOTXDWNXAXYT4AM5QY5QJZ", Digest: "0123456789abcdef01234567",
			Summary: switchboard.ThreadSummary{ThreadID: id, Title: question[:60], Created: now, Updated: now, LastText: question, ActiveRun: id.Run(1)}},
	}
	start := time.Now()
	if _, err := x.s.journal.Append(b.Context(), x.user, d, thread.Position{}); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

// sync appends as many bytes to a file and waits until they are on the disk.
func (x *bare) sync(b *testing.B) time.Duration {
	b.Helper()
	data := make([]byte, 1024)
	start := time.Now()
	if _, err := x.file.Write(data); err != nil {
		b.Fatal(err)
	}
	if err := x.file.Sync(); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}
