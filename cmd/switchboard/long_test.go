package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
	"github.com/netra-systems/switchboard/internal/fakemodel"
)

// TestE2ELongThread has a conversation that is much longer than its model's window: what does not fit is summed up by a
// step that is in the log, the model is never sent more, and the thread gets a title.
func TestE2ELongThread(t *testing.T) {
	t.Parallel()
	const window, turns = 1000, 12
	m := plays(t, func(r fakemodel.Request) *fakemodel.Answer {
		switch {
		case strings.HasPrefix(r.Asked.System, "You sum up"):
			return says("They have said much, the first thing: " + r.Text()[:min(len(r.Text()), 60)])
		case strings.HasPrefix(r.Asked.System, "You name"):
			return says("“A long talk”")
		}
		return says(strings.Repeat("a long story ", 60))
	})
	s := configured(t, fmt.Sprintf(`
models: {main: {provider: openai, model: m, base_url: %q}}
agents:
  assistant: {instructions: Talk., titles: true, context: {tokens: %d, summary: true}}
`, m.URL(), window))
	token := s.user(t, "ann")
	h := newHistory()
	conn := h.connect(t, s, token)
	var thread switchboard.ThreadID
	for i := range turns {
		ack := send(t, conn, client.NewID(), thread, &switchboard.UserMessage{Text: fmt.Sprintf("Question %d: %s", i, strings.Repeat("why? ", 100))})
		untilEnd(t, conn, ack.RunID)
		if thread == "" {
			if p := untilType(t, conn, string(switchboard.ThreadRenamed)).Event.Payload.(*switchboard.ThreadRenamedEvent); p.Title != "A long talk" {
				t.Errorf("the title is %q", p.Title)
			}
			s.end(t, "KILL") // what is remembered of it is in the log
			untilClosed(t, conn)
			s.restart(t)
			conn = h.connect(t, s, token)
		}
		thread = ack.ThreadID
	}
	sums, titles := 0, 0
	for _, l := range told(t, s, token, h, thread) {
		if strings.HasPrefix(l, "agent_thinking Earlier messages were summed up:") {
			sums++
		}
		if strings.HasPrefix(l, "thread_renamed") {
			titles++
		}
	}
	longest, shown := 0, 0
	for _, r := range m.Requests() {
		size := len(r.Asked.System)
		for _, x := range r.Asked.Messages {
			size += len(x.Text)
		}
		if longest = max(longest, size); size > window*4 {
			t.Errorf("the model was sent %d bytes: %.60s", size, r.Asked.System)
		}
		if strings.Contains(r.Asked.System, "They have said much") {
			shown++
		}
	}
	t.Logf("%d turns of 1.3 KB: summed up %d times, shown to %d of %d requests, of which the longest had %d of %d bytes", turns, sums, shown, len(m.Requests()), longest, window*4)
	if sums < 2 || shown < turns/2 || titles != 1 {
		t.Errorf("summed up %d times, shown %d times, named %d times", sums, shown, titles)
	}
	s.end(t, "TERM")
}
