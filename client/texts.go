package client

import (
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/netra-systems/switchboard"
)

const (
	openRuns   = 256  // runs whose text is being assembled
	closedSize = 8192 // ended runs, final messages and finished calls that are remembered
)

// Text is what is known of something still being written: a message's text or thinking, the arguments of a call, or how
// far a tool is.
type Text struct {
	ThreadID  switchboard.ThreadID
	RunID     switchboard.RunID
	MessageID switchboard.MessageID // of text and thinking
	CallID    switchboard.CallID    // of tool_arguments and tool_progress
	Kind      switchboard.DeltaKind
	Text      string   // all of it so far
	Progress  *float64 // of tool_progress
	Total     *float64 // of tool_progress, nil if not known
}

// stream names one stream of deltas of a run.
type stream struct {
	message switchboard.MessageID
	call    switchboard.CallID
	kind    switchboard.DeltaKind
}

// openRun is a run whose end was not seen.
type openRun struct {
	attempt int
	asked   bool // for the text so far, after a gap
	texts   map[stream]*switchboard.Assembly
}

// texts assembles deltas by the rules of the protocol: none of an ended run, of an older attempt, of a final or
// discarded message counts. Its memory is bounded. It belongs to one goroutine.
type texts struct {
	runs   *lru.Cache[switchboard.RunID, *openRun]
	closed *lru.Cache[string, struct{}] // ids of runs, messages and calls, or kind and id of what ends earlier
}

func newTexts() *texts {
	runs, _ := lru.New[switchboard.RunID, *openRun](openRuns) // it fails for sizes ≤ 0 only
	closed, _ := lru.New[string, struct{}](closedSize)
	return &texts{runs: runs, closed: closed}
}

// run returns the open run, which it makes if need be, or nil if the run has ended.
func (t *texts) run(id switchboard.RunID) *openRun {
	if t.closed.Contains(string(id)) {
		return nil
	}
	r, ok := t.runs.Get(id)
	if !ok {
		r = &openRun{texts: map[stream]*switchboard.Assembly{}}
		t.runs.Add(id, r)
	}
	return r
}

// add applies a delta. It returns the text if that changed, and whether to ask for it because pieces are missing.
func (t *texts) add(d switchboard.Delta) (text *Text, ask bool) {
	p := d.Payload
	if t.closed.Contains(string(p.MessageID)) || t.closed.Contains(string(p.CallID)) ||
		t.closed.Contains(string(p.Kind)+string(p.MessageID)+string(p.CallID)) {
		return nil, false
	}
	r := t.run(d.RunID)
	if r == nil || p.Attempt < r.attempt {
		return nil, false
	}
	out := &Text{
		ThreadID: d.ThreadID, RunID: d.RunID, MessageID: p.MessageID, CallID: p.CallID, Kind: p.Kind,
		Text: p.Text, Progress: p.Progress, Total: p.Total,
	}
	if p.Kind == switchboard.DeltaToolProgress {
		return out, false
	}
	key := stream{p.MessageID, p.CallID, p.Kind}
	a := r.texts[key]
	if a == nil {
		a = new(switchboard.Assembly)
		r.texts[key] = a
	}
	before := a.Text
	if !a.Add(p) {
		ask, r.asked = !r.asked, true
		return nil, ask
	}
	if p.Index == 0 {
		r.asked = false
	}
	if a.Text == before {
		return nil, false
	}
	out.Text = a.Text
	return out, false
}

// event closes what the event makes final.
func (t *texts) event(e switchboard.Event) {
	switch p := e.Payload.(type) {
	case *switchboard.AgentStartedEvent:
		t.attempt(e.RunID, p.Attempt)
	case *switchboard.AgentResumedEvent:
		t.attempt(e.RunID, p.Attempt)
		for _, m := range p.Discards {
			t.close(e.RunID, m)
		}
	case *switchboard.AgentThinkingEvent:
		if p.Source == "model" { // an agent's own words say nothing about what the model still thinks
			t.closed.Add(string(switchboard.DeltaThinking)+string(p.MessageID), struct{}{})
		}
	case *switchboard.AgentMessageEvent:
		t.close(e.RunID, p.MessageID)
		for _, c := range p.Calls {
			t.closed.Add(string(switchboard.DeltaToolArguments)+string(c.CallID), struct{}{})
			t.forget(e.RunID, stream{call: c.CallID, kind: switchboard.DeltaToolArguments})
		}
	case *switchboard.ToolCompletedEvent:
		t.closed.Add(string(p.CallID), struct{}{})
	case *switchboard.ThreadDeletedEvent:
		for _, id := range t.runs.Keys() {
			if id.Thread() == e.ThreadID {
				t.end(id)
			}
		}
	}
	if e.Type.Terminal() {
		t.end(e.RunID)
	}
}

// reconnected makes gaps worth asking about again: the server sends the open texts by itself.
func (t *texts) reconnected() {
	for _, r := range t.runs.Values() {
		r.asked = false
	}
}

func (t *texts) attempt(id switchboard.RunID, n int) {
	if r := t.run(id); r != nil && n > r.attempt {
		r.attempt = n
	}
}

func (t *texts) close(id switchboard.RunID, m switchboard.MessageID) {
	t.closed.Add(string(m), struct{}{})
	t.forget(id, stream{message: m, kind: switchboard.DeltaText})
	t.forget(id, stream{message: m, kind: switchboard.DeltaThinking})
}

func (t *texts) forget(id switchboard.RunID, s stream) {
	if r, ok := t.runs.Peek(id); ok {
		delete(r.texts, s)
	}
}

func (t *texts) end(id switchboard.RunID) {
	t.closed.Add(string(id), struct{}{})
	t.runs.Remove(id)
}
