package journaltest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/journal"
	"github.com/netra-systems/switchboard/thread"
)

// tooLarge appends what the store cannot hold: it must say so, for whoever hears that the store is away tries again for
// ever. What fits by a little is stored.
func tooLarge(t *testing.T, j *journal.Journal) {
	l := newLine(t, j, alice, "a")
	l.say(true, "hello")
	put := func(text, state int) error {
		e := switchboard.Event{Type: switchboard.AgentThinking, RunID: l.st.Thread.Run(1), Time: switchboard.At(time.Now())}
		e.Payload = &switchboard.AgentThinkingEvent{Text: strings.Repeat("x", text), Source: "agent", Step: 1}
		note := thread.Note{State: json.RawMessage(`"` + strings.Repeat("x", state) + `"`)}
		_, err := l.st.Put(t.Context(), l.j, thread.Draft{Event: e, Header: thread.Header{Note: note}})
		return err
	}
	for name, err := range map[string]error{"an event": put(600<<10, 0), "a header": put(0, 64<<10), "a large header": put(0, 2<<20)} {
		if switchboard.CodeOf(err) != switchboard.TooLarge {
			t.Errorf("%s that is too large: %v", name, err)
		}
	}
	if err := put(500<<10, 56<<10); err != nil {
		t.Error(err)
	}
	if es := read(t, j, l.st); len(es) != 2 {
		t.Errorf("%d entries", len(es))
	}
}
