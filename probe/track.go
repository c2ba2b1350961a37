package probe

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/netra-systems/switchboard"
)

// five are the events that a golden run shows, in this order; others may stand between.
var five = []switchboard.EventType{
	switchboard.AgentStarted, switchboard.AgentThinking, switchboard.ToolExecuting, switchboard.ToolCompleted,
	switchboard.AgentCompleted,
}

// fault is something that must not be; reason groups it, detail is for whoever looks for the cause.
type fault struct{ reason, detail string }

// track is what one device saw of one thread. Its watch's mutex guards it.
type track struct {
	last    uint64 // n of the latest event
	seen    uint64 // hash of the events
	message *switchboard.UserMessageEvent
	grammar switchboard.Grammar
	stage   int // how many of the five have come
	toolOK  bool
	attempt int
	texts   map[switchboard.MessageID]*preview
	gaps    int
	faults  []fault
	end     *switchboard.Event // the terminal event

	cuts                           int // the connection, from 1, that saw the thread begin live, 0 if none did
	firstEvent, firstDelta, ending time.Time
	done                           chan struct{} // closed with the terminal event
}

// preview is a text as the deltas gave it.
type preview struct {
	switchboard.Assembly
	missing bool // a gap was not filled yet
	final   bool
}

// newTrack begins the track of a thread on a connection; live is false if that has not caught up yet, or deltas get lost.
func newTrack(live bool, connection int) *track {
	if !live {
		connection = 0
	}
	return &track{texts: map[switchboard.MessageID]*preview{}, cuts: connection, done: make(chan struct{})}
}

func (t *track) fault(reason, format string, args ...any) {
	if len(t.faults) < 20 {
		t.faults = append(t.faults, fault{reason, fmt.Sprintf(format, args...)})
	}
}

// event takes the next event of the thread.
func (t *track) event(e *switchboard.Event, cuts int, now time.Time) {
	switch {
	case e.Type == switchboard.ThreadDeleted:
		t.fault("thread deleted", "by nobody of us")
		return
	case e.N <= t.last:
		t.fault("event twice", "%s has n = %d after n = %d", e.Type, e.N, t.last)
		return
	case e.N > t.last+1:
		t.fault("gap in n", "%s has n = %d after n = %d", e.Type, e.N, t.last)
	}
	t.last = e.N
	h := fnv.New64a()
	fmt.Fprintf(h, "%x %d %s", t.seen, e.N, e.Type)
	t.seen = h.Sum64()
	if e.Cursor == "" {
		t.fault("no cursor", "%s, n = %d", e.Type, e.N)
	}
	if e.Type.ByPerson() {
		if p, ok := e.Payload.(*switchboard.UserMessageEvent); ok && t.message == nil && e.N == 1 {
			t.message = p
		} else {
			t.fault("unasked event", "%s, n = %d", e.Type, e.N)
		}
		return
	}
	if t.firstEvent.IsZero() {
		t.firstEvent = now
	}
	if want := e.ThreadID.Run(1); e.RunID != want {
		t.fault("wrong run id", "%s has %q", e.Type, e.RunID)
	}
	if err := t.grammar.Add(*e); err != nil {
		t.fault("grammar", "%v", err)
	}
	if t.stage < len(five) && e.Type == five[t.stage] {
		t.stage++
	}
	t.payload(e, cuts)
	if e.Type.Terminal() && t.end == nil {
		t.end, t.ending = e, now
		close(t.done)
	}
}

func (t *track) payload(e *switchboard.Event, cuts int) {
	switch p := e.Payload.(type) {
	case *switchboard.AgentStartedEvent:
		t.attempt = p.Attempt
	case *switchboard.AgentResumedEvent:
		t.attempt = p.Attempt
		for _, m := range p.Discards {
			delete(t.texts, m)
		}
	case *switchboard.ToolCompletedEvent:
		t.toolOK = t.toolOK || p.Status == switchboard.CallOK
	case *switchboard.AgentMessageEvent:
		t.compare(p.MessageID, p.Text, cuts)
	case *switchboard.AgentCompletedEvent:
		t.compare(p.MessageID, p.Text, cuts)
	}
}

// compare holds the deltas of a message against its final text. After a cut or an unfilled gap they may be only its
// beginning.
func (t *track) compare(id switchboard.MessageID, text string, cuts int) {
	p := t.texts[id]
	partial := cuts != t.cuts
	if p == nil {
		p = new(preview)
		t.texts[id] = p
		if text != "" && !partial {
			t.fault("no deltas", "the text %s came without any", quote(text))
		}
	} else if partial = partial || p.missing; p.Text != text && !(partial && strings.HasPrefix(text, p.Text)) {
		t.fault("deltas differ from the text", "deltas %s, event %s", quote(p.Text), quote(text))
	}
	p.final, p.Text = true, ""
}

// delta takes a delta of the thread.
func (t *track) delta(p switchboard.DeltaPayload, now time.Time) {
	switch {
	case t.end != nil:
		t.fault("delta after the end", "%s, index %d", p.Kind, p.Index)
	case p.Attempt > t.attempt:
		t.fault("delta before its attempt", "attempt %d, started is %d", p.Attempt, t.attempt)
	case p.Attempt < t.attempt:
		t.fault("delta of an old attempt", "attempt %d, started is %d", p.Attempt, t.attempt)
	}
	if p.Kind != switchboard.DeltaText {
		return
	}
	if t.firstDelta.IsZero() {
		t.firstDelta = now
	}
	v := t.texts[p.MessageID]
	if v == nil {
		v = new(preview)
		t.texts[p.MessageID] = v
	}
	if v.final {
		t.fault("delta of a final text", "index %d", p.Index)
		return
	}
	ok := v.Add(p)
	if !ok && !v.missing {
		t.gaps++
	}
	v.missing = !ok
}

// quote shortens a text for a report.
func quote(s string) string {
	if r := []rune(s); len(r) > 120 {
		s = string(r[:117]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
