package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/delivery"
	"github.com/netra-systems/switchboard/router"
	"github.com/netra-systems/switchboard/thread"
)

const (
	costTimes = 20_000
	burst     = 128 // fits the outbox
	heldRuns  = 60  // fit the slots of one shard
)

// costRow records what one thing costs: time, and what the collector must take away.
func costRow(b *testing.B, metric, mechanism string, times int, fn, baseline func()) {
	b.Helper()
	var base float64
	fn() // warm
	if baseline != nil {
		baseline()
		base, _, _ = cost(times, baseline)
	}
	seconds, allocs, bytes := cost(times, fn)
	recordCost(b, metric, mechanism, seconds, allocs, bytes, base)
}

// source is a Feed that gives what it is told, and the part of a log that a device at its end needs: none.
type source struct {
	delivery.Journal // what is not asked for
	in               chan happening
}

type happening struct {
	entry *thread.Entry
	user  switchboard.UserID
	delta []byte
}

func (s *source) Next(ctx context.Context) (*thread.Entry, switchboard.UserID, []byte, error) {
	select {
	case h := <-s.in:
		return h.entry, h.user, h.delta, nil
	case <-ctx.Done():
		return nil, "", nil, ctx.Err()
	}
}

func (s *source) Position() uint64                                     { return 0 }
func (s *source) Listen(switchboard.UserID) (ignore func(), err error) { return func() {}, nil }
func (s *source) Close()                                               {}

func (s *source) Heads(context.Context, switchboard.UserID) ([]thread.Entry, error) {
	return nil, nil
}

func (s *source) At(context.Context, switchboard.UserID, uint64) (thread.Entry, bool, error) {
	return thread.Entry{}, false, nil
}

func (s *source) Replay(switchboard.UserID, []*thread.Row, uint64, uint64) func(context.Context) (thread.Entry, bool, error) {
	return func(context.Context) (thread.Entry, bool, error) { return thread.Entry{}, false, nil }
}

func (s *source) Since(context.Context, switchboard.UserID, uint64) ([]thread.Entry, error) {
	return nil, nil
}

func (s *source) LoadIndex(context.Context, switchboard.UserID) (base string, list, recent []byte, err error) {
	return "", nil, nil, nil
}

func (s *source) Snapshot(context.Context, switchboard.UserID, switchboard.RunID) ([][]byte, error) {
	return nil, nil
}

// run is a finished run as the log holds it: 8 events with a tool call.
func run(tb testing.TB, u switchboard.UserID) []thread.Entry {
	tb.Helper()
	st := thread.NewState(u, switchboard.NewThreadID(u, "m"))
	v, err := st.Accept(thread.Request{ID: "m", Payload: &switchboard.UserMessage{Text: question}, Time: time.Now()}, rules())
	if err != nil {
		tb.Fatal(err)
	}
	r := v.Ack.RunID
	plain := runDrafts(r)
	call := switchboard.Call{CallID: r.Call(1, 0), Tool: "calculator", Arguments: json.RawMessage(`{"expression":"6 * 7"}`)}
	drafts := []thread.Draft{*v.Draft, plain[0], plain[1]}
	for _, p := range []switchboard.EventPayload{
		&switchboard.AgentMessageEvent{MessageID: r.Message(1, 1), Step: 1, Calls: []switchboard.Call{call}},
		&switchboard.ToolExecutingEvent{CallID: call.CallID, Tool: call.Tool, Arguments: call.Arguments},
		&switchboard.ToolCompletedEvent{CallID: call.CallID, Tool: call.Tool, Status: switchboard.CallOK, Result: json.RawMessage(`{"result":"42"}`), DurationMS: 1},
		&switchboard.AgentThinkingEvent{MessageID: r.Message(1, 2), Step: 2, Text: "Reading what calculator returned", Source: "agent"},
		&switchboard.AgentCompletedEvent{MessageID: r.Message(1, 2), Text: "It is 42.", DurationMS: 10},
	} {
		drafts = append(drafts, thread.Draft{Event: switchboard.Event{Type: p.EventType(), RunID: r, Time: switchboard.At(time.Now()), Payload: p}})
	}
	log := &memoryLog{}
	for _, d := range drafts {
		if stored, err := st.Put(tb.Context(), log, d); err != nil || !stored {
			tb.Fatal(stored, err)
		}
	}
	return log.entries
}

// memoryLog takes every append and keeps it only for a while.
type memoryLog struct {
	thread.Store
	seq     uint64
	entries []thread.Entry
}

func (l *memoryLog) Append(_ context.Context, u switchboard.UserID, d thread.Draft, _ thread.Position) (thread.Entry, error) {
	data, err := switchboard.EncodeEvent(d.Event)
	if err != nil {
		return thread.Entry{}, err
	}
	l.seq++
	e := thread.Entry{User: u, Seq: l.seq, Event: d.Event, Header: d.Header, Data: data}
	if l.entries = append(l.entries, e); len(l.entries) > 64 {
		l.entries = nil
	}
	return e, nil
}

func (l *memoryLog) Read(context.Context, switchboard.UserID, switchboard.ThreadID, thread.Position) ([]thread.Entry, error) {
	return nil, nil
}

func (l *memoryLog) Newest(context.Context, switchboard.UserID, switchboard.ThreadID) (thread.Entry, bool, error) {
	return thread.Entry{}, false, nil
}

func (l *memoryLog) Page(context.Context, switchboard.UserID, switchboard.ThreadID, uint64, uint64, uint64, int) ([]thread.Entry, error) {
	return nil, nil
}

// noThreads is the list of a user's threads, always empty.
type noThreads struct{}

func (noThreads) Index(_ context.Context, _ switchboard.UserID, fn func(*thread.Index) error) error {
	return fn(thread.NewIndex(nil))
}

func (noThreads) CatchUp(context.Context, switchboard.UserID) error { return nil }

// BenchmarkDelivered measures what an event and a delta cost from the feed to the writers of the user's devices, against
// a value handed from one goroutine to another.
func BenchmarkDelivered(b *testing.B) {
	u := switchboard.NewUserID("bench", "", "ann")
	entries := run(b, u)
	r := entries[1].Event.RunID
	deltas := make([][]byte, burst)
	for i := range deltas {
		var err error
		if deltas[i], err = switchboard.EncodeDelta(switchboard.Delta{ThreadID: r.Thread(), RunID: r, Payload: switchboard.DeltaPayload{
			Attempt: 1, MessageID: r.Message(1, 1), Kind: switchboard.DeltaText, Index: i, Count: 1, Text: fmt.Sprintf("word %x ", i*i*i)}}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		for _, devices := range []int{1, 10} {
			src := &source{in: make(chan happening, burst)}
			out := openOutboxes(b, src, u, devices)
			seq := uint64(0)
			give := func(h happening) func() {
				return func() { // one burst
					for i := range burst {
						if h.entry == nil {
							h.delta = deltas[i]
						} else { // the next of its thread: what it says is not looked at
							e := *h.entry
							seq++
							e.Seq, e.Header.N = seq, seq
							h.entry = &e
						}
						src.in <- h
					}
					for _, o := range out {
						for range burst {
							if _, err := o.Next(b.Context()); err != nil {
								b.Fatal(err)
							}
						}
					}
				}
			}
			started := give(happening{entry: &entries[1]})
			name := fmt.Sprintf(" delivered to %d of the user's devices", devices)
			perBurst(b, fmt.Sprint("event-", devices), "an event"+name+" / a channel", started, handover())
			perBurst(b, fmt.Sprint("delta-", devices), "a delta"+name+" / a channel", give(happening{user: u}), handover())
		}
	}
}

// perBurst records the cost of one of the things that fn does burst times.
func perBurst(b *testing.B, metric, mechanism string, fn, baseline func()) {
	b.Helper()
	fn()
	base, _, _ := cost(costTimes/burst, baseline)
	seconds, allocs, bytes := cost(costTimes/burst, fn)
	recordCost(b, metric, mechanism, seconds/burst, allocs/burst, bytes/burst, base/burst)
}

// handover hands a burst of values to another goroutine and waits for them to come back.
func handover() func() {
	return func() {
		there, back := make(chan happening, burst), make(chan happening, burst)
		go func() {
			for h := range there {
				back <- h
			}
		}()
		for range burst {
			there <- happening{}
		}
		for range burst {
			<-back
		}
		close(there)
	}
}

// openOutboxes starts a Broadcaster on a source, and opens devices of a user that have caught up.
func openOutboxes(b *testing.B, src *source, u switchboard.UserID, devices int) []*delivery.Outbox {
	b.Helper()
	bc := delivery.New(delivery.Config{
		Journal: src, Follow: func(context.Context, int) (delivery.Feed, error) { return src, nil }, Shards: 1,
		Shard: func(switchboard.UserID) int { return 0 }, Epoch: "abc", Limits: unlimited(), Log: quiet(),
	})
	if err := bc.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { bc.Run(ctx) })
	b.Cleanup(func() { cancel(); running.Wait() })
	var out []*delivery.Outbox
	for range devices {
		o, err := bc.Open(b.Context(), u, "")
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(o.Close)
		if frame, err := o.Next(b.Context()); err != nil || kindOf(frame) != switchboard.TypeCaughtUp {
			b.Fatalf("%s %v", frame, err)
		}
		out = append(out, o)
	}
	return out
}

// BenchmarkRoute measures the server's own work for a message, without a log: decoding and routing it to an ack; and
// for an event: decoding and folding it.
func BenchmarkRoute(b *testing.B) {
	u := switchboard.NewUserID("bench", "", "ann")
	limits := unlimited()
	r := router.New(router.Config{Journal: &memoryLog{}, Threads: noThreads{}, Epoch: "abc", Log: quiet(), Rules: rules()})
	caller := router.Caller{User: switchboard.User{ID: u}}
	frame := message(b, "m", "", question)
	n := 0
	entries := run(b, u)
	for b.Loop() {
		costRow(b, "decode", "decoding a user_message / encoding/json into a map", costTimes, func() {
			if _, err := switchboard.DecodeMessage(frame, limits); err != nil {
				b.Fatal(err)
			}
		}, func() {
			var v map[string]any
			if err := json.Unmarshal(frame, &v); err != nil {
				b.Fatal(err)
			}
		})
		costRow(b, "route", "Route of a user_message to a log in memory / its decoding", costTimes, func() {
			n++
			if reply := r.Route(b.Context(), caller, message(b, switchboard.FrameID(fmt.Sprint("m", n)), "", question)); kindOf(reply) != switchboard.TypeAck {
				b.Fatalf("%s", reply)
			}
		}, func() { _, _ = switchboard.DecodeMessage(message(b, "m", "", question), limits) })
		costRow(b, "event", "decoding a run of 8 stored events / encoding/json into maps", costTimes/8, func() {
			for _, e := range entries {
				if _, err := switchboard.DecodeEvent(e.Data); err != nil {
					b.Fatal(err)
				}
			}
		}, func() {
			for _, e := range entries {
				var v map[string]any
				if err := json.Unmarshal(e.Data, &v); err != nil {
					b.Fatal(err)
				}
			}
		})
		costRow(b, "fold", "folding a run of 8 events / decoding them", costTimes/8, func() {
			st := thread.NewState(u, entries[0].Event.ThreadID)
			for _, e := range entries {
				st.Apply(e)
			}
		}, func() {
			for _, e := range entries {
				_, _ = switchboard.DecodeEvent(e.Data)
			}
		})
	}
}

// BenchmarkHeldRuns measures what a run that waits for its model holds: goroutines, and memory.
func BenchmarkHeldRuns(b *testing.B) {
	asked, release := make(chan struct{}, heldRuns), make(chan struct{})
	s := serve(b, b.TempDir(), answers(func(ctx context.Context) string {
		asked <- struct{}{}
		select {
		case <-release:
		case <-ctx.Done():
		}
		return "Done."
	}))
	devices := make([]*socket, 8)
	for i := range devices {
		token, _ := s.token(b, fmt.Sprint("user", i))
		devices[i], _ = device(b, s.addr, token, "")
	}
	sent := 0
	hold := func(runs int) {
		for range runs {
			sent++
			if err := devices[sent%len(devices)].send(message(b, switchboard.FrameID(fmt.Sprint("m", sent)), "", question)); err != nil {
				b.Fatal(err)
			}
		}
		for range runs {
			<-asked
		}
	}
	let := func(runs int) { // the runs that are held end
		for range runs {
			release <- struct{}{}
		}
		for _, d := range devices {
			for range runs / len(devices) {
				if _, err := d.readTo(string(switchboard.AgentCompleted)); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	hold(len(devices)) // what is made once
	let(len(devices))
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		goroutines := runtime.NumGoroutine()
		hold(heldRuns)
		more := runtime.NumGoroutine() - goroutines
		runtime.GC()
		runtime.ReadMemStats(&after)
		memory := float64(after.HeapAlloc+after.StackInuse) - float64(before.HeapAlloc+before.StackInuse)
		record(b, "goroutines", row{mechanism: "a run that waits for its model: goroutines", unit: "goroutines", figure: float64(more) / heldRuns})
		record(b, "memory", row{mechanism: "  live heap and stacks", unit: "B", figure: memory / heldRuns})
		let(heldRuns)
	}
}
