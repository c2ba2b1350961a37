package agent

import (
	"sync"

	"github.com/netra-systems/switchboard"
)

// openText is what a run is writing right now, for devices that come late.
type openText struct {
	mu      sync.Mutex // guards what follows
	thread  switchboard.ThreadID
	run     switchboard.RunID
	attempt int
	message switchboard.MessageID
	streams []*stream // in the order in which they began
	kept    string    // text of a message that was cut, until the run has ended
}

// stream is one sequence of deltas.
type stream struct {
	kind switchboard.DeltaKind
	call switchboard.CallID
	text []byte
	next int
}

// begin opens a message.
func (o *openText) begin(r switchboard.RunID, attempt int, m switchboard.MessageID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.thread, o.run, o.attempt, o.message, o.streams, o.kept = r.Thread(), r, attempt, m, nil, ""
}

// add takes a chunk and returns its delta.
func (o *openText) add(kind switchboard.DeltaKind, call switchboard.CallID, text string) switchboard.Delta {
	o.mu.Lock()
	defer o.mu.Unlock()
	var s *stream
	for _, x := range o.streams {
		if x.kind == kind && x.call == call {
			s = x
		}
	}
	if s == nil {
		s = &stream{kind: kind, call: call}
		o.streams = append(o.streams, s)
	}
	s.text = append(s.text, text...)
	s.next++
	return o.delta(s, s.next-1, 1, text)
}

func (o *openText) delta(s *stream, index, count int, text string) switchboard.Delta {
	p := switchboard.DeltaPayload{Attempt: o.attempt, MessageID: o.message, CallID: s.call, Kind: s.kind, Index: index, Count: count, Text: text}
	if s.call != "" {
		p.MessageID = ""
	}
	return switchboard.Delta{ThreadID: o.thread, RunID: o.run, Payload: p}
}

// encode returns everything so far, each stream as one delta.
func (o *openText) encode() [][]byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out [][]byte
	for _, s := range o.streams {
		if b, err := switchboard.EncodeDelta(o.delta(s, 0, s.next, string(s.text))); err == nil {
			out = append(out, b)
		}
	}
	return out
}

// text returns the answer so far: of the open message, or of one that was cut.
func (o *openText) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.streams {
		if s.kind == switchboard.DeltaText {
			return string(s.text)
		}
	}
	return o.kept
}

// reset closes the message; its text is final or void.
func (o *openText) reset() { o.keep("") }

// keep closes the message but keeps its text for the run's end.
func (o *openText) keep(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.streams, o.kept = nil, text
}
