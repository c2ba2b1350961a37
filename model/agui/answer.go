package agui

import (
	"fmt"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/model/wire"
)

const (
	maxCalls = 256     // of one run
	maxState = 1 << 20 // bytes of an agent's state
)

// answer turns the events of one run into model.Chunks. It is used by one goroutine.
//
// Calls are given when it is known what they are: one that the agent has run itself, with its result, or one of ours, at
// the end of the run.
type answer struct {
	out   *wire.Out
	asked *encoder

	kept  kept           // of the message of ours that is being written
	state jsontext.Value // the agent's

	open      string            // the agent's message that is being written, by START and END
	chunked   string            // the one that is being written by CHUNK
	said      map[string]string // what was given of the agent's messages
	snapshot  map[string]string // what it says that it has said, in messages that we do not know
	newest    string            // the last of those
	subagents strings.Builder   // what the last message of a subagent says
	subagent  string            // that message

	calls    map[string]*remote
	order    []*remote
	chunking *remote // written by TOOL_CALL_CHUNK

	end   *wireEvent // RUN_FINISHED
	usage model.Usage
}

// remote is a call that the agent makes.
type remote struct {
	call
	tool      string
	arguments strings.Builder
	open      bool
	done      bool // it was given
}

func newAnswer(o *wire.Out, e *encoder) *answer {
	return &answer{out: o, asked: e, kept: kept{Asked: e.asked}, state: e.in.State, said: map[string]string{},
		snapshot: map[string]string{}, calls: map[string]*remote{}}
}

// Take reads an event. Those that are not known are left out, and what follows the end of the run is not read.
func (a *answer) Take(_ string, data []byte) (wire.Progress, error) {
	var e wireEvent
	if err := json.Unmarshal(data, &e, wire.Tolerant); err != nil {
		return wire.More, fmt.Errorf("%w: %d bytes that cannot be read", wire.ErrGarbage, len(data)) // the bytes are the user's
	}
	switch e.Type {
	case "RUN_STARTED":
		a.out.Begin()
	case "RUN_FINISHED":
		a.count(e.Usage)
		a.end = &e
		return wire.Done, nil
	case "RUN_ERROR":
		return wire.More, a.failed(&e)
	case "STATE_SNAPSHOT":
		return wire.More, a.setState(e.Snapshot)
	case "STATE_DELTA":
		return wire.More, a.patch(e.Delta)
	case "MESSAGES_SNAPSHOT":
		return wire.More, a.recall(e.Messages)
	}
	switch {
	case strings.HasPrefix(e.Type, "TOOL_CALL_"):
		return wire.More, a.takeCall(&e)
	case strings.HasPrefix(e.Type, "TEXT_MESSAGE_") && e.Subagent != "":
		return wire.More, a.overhear(&e)
	case strings.HasPrefix(e.Type, "TEXT_MESSAGE_"):
		return wire.More, a.takeText(&e)
	case e.Type == "REASONING_MESSAGE_CONTENT", e.Type == "REASONING_MESSAGE_CHUNK", e.Type == "THINKING_TEXT_MESSAGE_CONTENT":
		return wire.More, a.think(&e)
	}
	return wire.More, nil
}

func (a *answer) count(usage []wireUsage) {
	for _, u := range usage {
		a.usage.Input += u.Input
		a.usage.Output += u.Output
	}
}

// failed makes an error of the agent's own. What it says may quote anything, and goes to logs alone.
func (a *answer) failed(e *wireEvent) error {
	a.out.Begin()
	if a.count(e.Usage); a.usage != (model.Usage{}) {
		if err := a.out.Give(model.Chunk{Usage: &a.usage}); err != nil {
			return err
		}
	}
	told := &wire.ServerError{Message: e.Text, Type: "RUN_ERROR", Code: e.Code}
	kind := told.Kind()
	if kind == "" {
		kind = model.Unavailable
	}
	return &model.Error{Kind: kind, Message: "the remote agent reported an error", Err: told}
}

func (a *answer) setState(v jsontext.Value) error {
	if len(v) > maxState {
		return wire.ErrTooLarge
	}
	if len(v) > 0 {
		a.state = v.Clone()
		a.kept.State = a.state
	}
	return nil
}

// patch changes the state by a JSON Patch (RFC 6902).
func (a *answer) patch(v jsontext.Value) error {
	p, err := jsonpatch.DecodePatch(v)
	if err != nil {
		return fmt.Errorf("%w: a change of state that cannot be read", wire.ErrGarbage)
	}
	options := jsonpatch.NewApplyOptions()
	options.AccumulatedCopySizeLimit = maxState
	b, err := p.ApplyWithOptions(a.state, options)
	if err != nil {
		return fmt.Errorf("%w: a change of state that does not fit it", wire.ErrGarbage)
	}
	return a.setState(b)
}

func (a *answer) think(e *wireEvent) error {
	s, err := e.delta()
	if err != nil || s == "" {
		return err
	}
	return a.out.Give(model.Chunk{Thinking: s})
}

// overhear takes what a subagent says to the agent: it is thinking, unless nothing else is said.
func (a *answer) overhear(e *wireEvent) error {
	s, err := e.delta()
	if err != nil || s == "" {
		return err
	}
	if e.Message != "" && e.Message != a.subagent {
		a.subagent = e.Message
		a.subagents.Reset()
	}
	if err := a.out.Hold(len(s)); err != nil {
		return err
	}
	a.subagents.WriteString(s)
	return a.out.Give(model.Chunk{Thinking: s})
}

func (a *answer) takeText(e *wireEvent) error {
	s, err := e.delta()
	if err != nil {
		return err
	}
	switch e.Type {
	case "TEXT_MESSAGE_START":
		if e.Message == "" || a.open != "" {
			return fmt.Errorf("%w: a message began within another", wire.ErrGarbage)
		}
		a.open = e.Message
		return a.remembered(e.Message)
	case "TEXT_MESSAGE_CONTENT":
		if e.Message == "" || e.Message != a.open {
			return fmt.Errorf("%w: a piece of no message", wire.ErrGarbage)
		}
		return a.say(e.Message, s)
	case "TEXT_MESSAGE_END":
		if e.Message != a.open {
			return fmt.Errorf("%w: an end of no message", wire.ErrGarbage)
		}
		a.open = ""
	case "TEXT_MESSAGE_CHUNK":
		if e.Message != "" && e.Message != a.chunked {
			a.chunked = e.Message
			if err := a.remembered(e.Message); err != nil {
				return err
			}
		}
		if a.chunked == "" {
			return fmt.Errorf("%w: a piece of no message", wire.ErrGarbage)
		}
		return a.say(a.chunked, s)
	}
	return nil
}

// say gives text of one of the agent's messages; several are parts of one of ours.
func (a *answer) say(id, s string) error {
	if s == "" {
		return nil
	}
	a.said[id] += s
	if n := len(a.kept.Parts); n == 0 || a.kept.Parts[n-1].ID != id {
		if n > 0 {
			if err := a.out.Give(model.Chunk{Text: separator}); err != nil {
				return err
			}
		}
		a.kept.Parts = append(a.kept.Parts, part{ID: id})
	}
	a.kept.Parts[len(a.kept.Parts)-1].Bytes += len(s)
	return a.out.Give(model.Chunk{Text: s})
}

// recall takes a snapshot of the conversation: what is new in it is kept, and what a message that is being written lacks
// is given. That is how one joins a run that has begun.
func (a *answer) recall(messages []wireSaid) error {
	for _, m := range messages {
		text := textOf(m.Content)
		if m.Role != "assistant" || text == "" || a.asked.known[m.ID] {
			continue
		}
		if err := a.out.Hold(len(text)); err != nil {
			return err
		}
		a.snapshot[m.ID], a.newest = text, m.ID
	}
	for _, id := range []string{a.open, a.chunked} {
		if err := a.remembered(id); err != nil {
			return err
		}
	}
	return nil
}

// remembered gives what a snapshot has more than was given of a message.
func (a *answer) remembered(id string) error {
	rest, ok := strings.CutPrefix(a.snapshot[id], a.said[id])
	if id == "" || !ok {
		return nil
	}
	return a.say(id, rest)
}
