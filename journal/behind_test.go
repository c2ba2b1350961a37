package journal

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

var ann = switchboard.NewUserID("test", "", "ann")

// opened returns a journal of one shard on an engine of its own.
func opened(t *testing.T) *Journal {
	t.Helper()
	_, s := recordsEngine(t, false)
	j, err := Open(t.Context(), Config{Connect: func() (*nats.Conn, error) { return nats.Connect("", nats.InProcessServer(s)) }, Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	return j
}

// written is a thread of ann to which n entries are added, by people and agents in turn.
func written(t *testing.T, j *Journal, name string, n int, text string) *thread.State {
	t.Helper()
	st := thread.NewState(ann, switchboard.NewThreadID(ann, switchboard.FrameID(name)))
	for i := range n {
		e := switchboard.Event{RunID: st.Thread.Run(1), Time: switchboard.At(time.Unix(1, 0)), Payload: &switchboard.AgentThinkingEvent{Text: text, Source: "agent", Step: 1}}
		if i%2 == 0 {
			e.RunID = st.Thread.Run(st.N + 1)
			e.Payload = &switchboard.UserMessageEvent{ID: switchboard.FrameID(fmt.Sprint("m", i)), RunID: e.RunID, Text: text, Title: "t"}
		}
		e.Type = e.Payload.EventType()
		if stored, err := st.Put(t.Context(), j, thread.Draft{Event: e}); err != nil || !stored {
			t.Fatal(stored, err)
		}
	}
	return st
}

// TestReplicaBehind reads from a replica that lacks an entry for a while: in the middle or at the end, it is waited for, and
// what never comes is told. The thread's entries are the first of the log.
func TestReplicaBehind(t *testing.T) {
	j := opened(t)
	st := written(t, j, "t", 10, "x")
	rows := []*thread.Row{{N: st.N, Summary: st.Summary}}
	replay := func() (int, error) {
		next := j.Replay(ann, rows, 4, st.Seq)
		for n := 0; ; n++ {
			e, ok, err := next(t.Context())
			if err != nil || !ok {
				return n, err
			}
			if e.Header.N != uint64(5+n) {
				return n, fmt.Errorf("entry %d comes after %d", e.Header.N, 4+n)
			}
		}
	}
	for _, c := range []struct {
		name  string
		lacks uint64
		read  func() (int, error)
		want  int
		code  error // if it never comes
	}{
		{"a replay's middle", 7, replay, 6, ErrDamaged},
		{"a replay's end", 10, replay, 6, ErrDamaged},
		{"a replay's beginning", 5, replay, 6, ErrDamaged},
		{"the place before a replay", 4, replay, 6, ErrDamaged},
		{"a page's end", 10, func() (int, error) {
			es, err := j.Page(t.Context(), ann, st.Thread, 1, 4, st.N, 20)
			return len(es), err
		}, 6, ErrDamaged},
		{"a thread's middle", 7, func() (int, error) {
			es, err := j.Read(t.Context(), ann, st.Thread, thread.Position{})
			return len(es), err
		}, 10, ErrDamaged},
		{"a user's newest", 10, func() (int, error) {
			es, err := j.Since(t.Context(), ann, 4)
			return len(es), err
		}, 6, switchboard.Errorf(switchboard.Unavailable, "")},
	} {
		left := readTries + 2
		j.lacks = func(m *nats.Msg) bool {
			seq, _ := sequenceOf(m)
			if seq != c.lacks || left == 0 {
				return false
			}
			left--
			return true
		}
		if strings.Contains(c.name, "replay") || strings.Contains(c.name, "newest") {
			left = 2 // what is read once each time
		}
		if n, err := c.read(); n != c.want || err != nil {
			t.Errorf("%s came late: %d entries, not %d, %v", c.name, n, c.want, err)
		}
		left = -1
		if _, err := c.read(); !errors.Is(err, c.code) && switchboard.CodeOf(err) != switchboard.CodeOf(c.code) {
			t.Errorf("%s never comes: %v", c.name, err)
		}
		j.lacks = nil
	}
}

// TestMergeIsBounded: what is read ahead of many threads is bounded in all.
func TestMergeIsBounded(t *testing.T) {
	j := opened(t)
	const threads = 60
	text := strings.Repeat("x", 32<<10)
	var readers []*reader
	for i := range threads {
		st := written(t, j, fmt.Sprint("t", i), 24, text)
		for _, direction := range []string{"in", "out"} {
			subject, err := threadSubject(0, ann, st.Thread, direction)
			if err != nil {
				t.Fatal(err)
			}
			readers = append(readers, &reader{subject: subject})
		}
	}
	next := j.merge(0, readers)
	for n, last := 0, uint64(0); ; n++ {
		e, ok, err := next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			if n != threads*24 {
				t.Errorf("%d entries", n)
			}
			return
		}
		bytes := 0
		for _, r := range readers {
			for _, e := range r.buffer {
				bytes += len(e.Data)
			}
		}
		if e.Seq <= last || bytes > mergeBytes+len(readers)*len(text) {
			t.Fatalf("entry %d comes after %d, with %d bytes read ahead", e.Seq, last, bytes)
		}
		last = e.Seq
	}
}
