package agent

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/thread"
)

// TestMemoryCountsState: what models want back with their messages counts as what is remembered, for it is most of it.
func TestMemoryCountsState(t *testing.T) {
	state := json.RawMessage(`"` + strings.Repeat("x", model.MaxState-2) + `"`)
	m := newMemory()
	for i, c := range []struct{ entries, threads int }{{10, 1}, {100, 1}, {10, 2}} { // half a MiB; more than a thread may have; half a MiB
		p := past{st: thread.NewState(alice, switchboard.NewThreadID(alice, switchboard.FrameID(rune(97+i))))}
		for n := range c.entries {
			p.history = append(p.history, thread.Entry{Seq: uint64(n + 1), Data: []byte("{}"), Header: thread.Header{Note: thread.Note{State: state}}})
		}
		if m.keep(p); m.threads.Len() != c.threads || m.bytes != c.threads*10*(model.MaxState+2) {
			t.Errorf("after %d entries: %d threads of %d bytes", c.entries, m.threads.Len(), m.bytes)
		}
	}
}
