package terminal

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
)

const (
	shortText = 160  // characters of arguments and results
	longLine  = 1000 // characters of a title, name or error
)

// paper is what a view writes on. What it is given is clean.
type paper interface {
	// answer writes a piece of what the agent answers, thought one of what the model thinks.
	answer(piece string)
	thought(piece string)
	// fresh ends a line that has been begun.
	fresh()
	// note writes a line about what happens, tell one that a person should see.
	note(line string)
	tell(line string)
	// called writes the beginning of a line about a call, result its end.
	called(line string)
	result(rest string)
}

// written is what was shown of a text.
type written struct {
	key     string
	raw     string
	cleaner cleaner
}

// view writes a thread, event by event, with the texts that are being written between them. It shows each character of
// a text once. It belongs to one goroutine.
type view struct {
	on    paper
	texts map[switchboard.RunID]map[string]*written // by kind and message
	calls map[switchboard.CallID]string             // that have not ended, as they were shown
	open  string                                    // the text or call at the end of the paper
	last  *written                                  // the answer shown last in a run
	mine  func(switchboard.FrameID) bool            // whether a message was typed here
	saw   uint64                                    // n of the last event
}

func newView(on paper, mine func(switchboard.FrameID) bool) *view {
	return &view{on: on, texts: map[switchboard.RunID]map[string]*written{}, calls: map[switchboard.CallID]string{}, mine: mine}
}

// text shows what is new of a text being written.
func (v *view) text(t client.Text) {
	switch t.Kind {
	case switchboard.DeltaText, switchboard.DeltaThinking:
		v.grow(t.RunID, t.Kind, t.MessageID, t.Text)
	}
}

// grow shows what is new of a text.
func (v *view) grow(run switchboard.RunID, kind switchboard.DeltaKind, id switchboard.MessageID, text string) {
	key := string(kind) + " " + string(id)
	w := v.texts[run][key]
	if w == nil {
		if text == "" {
			return
		}
		if v.texts[run] == nil {
			v.texts[run] = map[string]*written{}
		}
		w = &written{key: key}
		v.texts[run][key] = w
	}
	if !strings.HasPrefix(text, w.raw) {
		v.aside("what was shown of this text is void; it is now:")
		*w = written{key: key}
	}
	piece := text[len(w.raw):]
	if piece == "" {
		return
	}
	v.begin(key)
	w.raw = text
	if kind == switchboard.DeltaThinking {
		v.on.thought(w.cleaner.write(piece))
		return
	}
	v.last = w
	v.on.answer(w.cleaner.write(piece))
}

// finish shows what is left of a text that is final.
func (v *view) finish(run switchboard.RunID, kind switchboard.DeltaKind, id switchboard.MessageID, text string) {
	v.grow(run, kind, id, text)
	if w := v.texts[run][string(kind)+" "+string(id)]; w != nil {
		v.rest(w, kind)
	}
}

// rest writes what was held back of a text.
func (v *view) rest(w *written, kind switchboard.DeltaKind) {
	if rest := w.cleaner.end(); rest != "" {
		v.begin(w.key)
		if kind == switchboard.DeltaThinking {
			v.on.thought(rest)
		} else {
			v.on.answer(rest)
		}
	}
}

// begin ends what is open at the end of the paper, unless that is what key names.
func (v *view) begin(key string) {
	if v.open != key {
		v.on.fresh()
		v.open = key
	}
}

// aside writes a line about what happens.
func (v *view) aside(format string, args ...any) {
	v.begin("")
	v.on.note(fmt.Sprintf(format, args...))
}

func (v *view) tell(format string, args ...any) {
	v.begin("")
	v.on.tell(fmt.Sprintf(format, args...))
}

// event shows an event; one that was shown before is left out.
func (v *view) event(e switchboard.Event) {
	if e.N > 0 && e.N <= v.saw {
		return
	}
	v.saw = max(v.saw, e.N)
	switch p := e.Payload.(type) {
	case *switchboard.UserMessageEvent:
		v.message(p)
	case *switchboard.ToolDecidedEvent:
		v.decided(p)
	case *switchboard.ThreadRenamedEvent:
		v.aside("this conversation is now called %q", inLine(p.Title, longLine))
	case *switchboard.AnswerRatedEvent:
		v.aside("rated as %s", map[switchboard.Rating]string{switchboard.RatedUp: "good", switchboard.RatedDown: "bad"}[p.Rating])
	case *switchboard.AgentThinkingEvent:
		if p.Source == "model" {
			v.finish(e.RunID, switchboard.DeltaThinking, p.MessageID, p.Text)
		} else {
			v.begin("")
			v.on.thought(Clean(p.Text) + "\n")
		}
	case *switchboard.AgentMessageEvent:
		v.finish(e.RunID, switchboard.DeltaText, p.MessageID, p.Text)
	case *switchboard.ToolApprovalRequiredEvent:
		left := time.Until(p.Expires.Time)
		v.tell("%s wants to run with %s. /approve or /deny%s", inLine(p.Tool, longLine), short(p.Arguments), within(left))
	case *switchboard.ToolExecutingEvent, *switchboard.ToolCompletedEvent:
		v.call(p)
	case *switchboard.AgentHandoffEvent:
		v.aside("%s goes on instead of %s", inLine(p.To, longLine), inLine(p.From, longLine))
	case *switchboard.AgentResumedEvent:
		v.resumed(e.RunID, p)
	case *switchboard.AgentCompletedEvent:
		v.finish(e.RunID, switchboard.DeltaText, p.MessageID, p.Text)
	case *switchboard.AgentFailedEvent:
		v.partial(e.RunID, p.PartialText)
		v.tell("failed: %s (%s)", inLine(p.Message, longLine), p.Code)
	case *switchboard.AgentStoppedEvent:
		v.partial(e.RunID, p.PartialText)
		v.aside("stopped%s", stopped(p.Reason))
	}
	if e.Type.Terminal() {
		v.begin("")
		v.last = nil
		delete(v.texts, e.RunID)
	}
}

func stopped(r switchboard.StopReason) string {
	switch r {
	case switchboard.StoppedInterrupt:
		return ", for the next message"
	case switchboard.StoppedRollback:
		return " and withdrawn"
	case switchboard.StoppedByShutdown:
		return ": the server was shut down"
	}
	return ""
}

func within(left time.Duration) string {
	if left <= 0 {
		return ""
	}
	switch {
	case left >= 2*time.Hour:
		return fmt.Sprintf(" within %d h", int(left.Hours()))
	case left >= 2*time.Minute:
		return fmt.Sprintf(" within %d min", int(left.Minutes()))
	}
	return fmt.Sprintf(" within %d s", int(left.Seconds()))
}

func (v *view) message(p *switchboard.UserMessageEvent) {
	if v.mine(p.ID) {
		return
	}
	v.begin("")
	text := Clean(p.Text)
	if text == "" {
		text = "(" + short(p.Input) + ")"
	}
	for l := range strings.Lines(text) {
		v.on.tell(prompt + strings.TrimSuffix(l, "\n"))
	}
	for _, a := range p.Attachments {
		v.on.note("attached: " + inLine(a.Name, longLine))
	}
}

func (v *view) decided(p *switchboard.ToolDecidedEvent) {
	switch {
	case p.By == "timeout":
		v.aside("nobody decided in time: denied")
	case p.ID != "" && v.mine(p.ID):
	case p.Decision == switchboard.Approve:
		v.aside("approved")
	default:
		v.aside("denied")
	}
}

// call shows a call on one line: what is run with what, and when it has ended, what came of it.
func (v *view) call(p switchboard.EventPayload) {
	switch p := p.(type) {
	case *switchboard.ToolExecutingEvent:
		line := inLine(p.Tool, longLine) + " " + short(p.Arguments)
		v.calls[p.CallID] = line
		v.begin("call " + string(p.CallID))
		v.on.called(line)
	case *switchboard.ToolCompletedEvent:
		if key := "call " + string(p.CallID); v.open != key { // others began in between
			v.begin(key)
			v.on.called(cmp.Or(v.calls[p.CallID], inLine(p.Tool, longLine)))
		}
		delete(v.calls, p.CallID)
		result := short(p.Result)
		if p.Status != switchboard.CallOK {
			result = string(p.Status)
			if p.Error != "" {
				result += ": " + inLine(p.Error, shortText)
			}
		}
		if p.DurationMS >= 100 {
			result += fmt.Sprintf("  (%.1f s)", float64(p.DurationMS)/1000)
		}
		v.on.result(" → " + result)
		v.open = ""
	}
}

// resumed tells what has become of what was shown.
func (v *view) resumed(run switchboard.RunID, p *switchboard.AgentResumedEvent) {
	void := false
	for _, m := range p.Discards {
		for _, kind := range []switchboard.DeltaKind{switchboard.DeltaText, switchboard.DeltaThinking} {
			key := string(kind) + " " + string(m)
			if w := v.texts[run][key]; w != nil {
				void = void || kind == switchboard.DeltaText
				delete(v.texts[run], key)
			}
		}
	}
	v.last = nil
	switch {
	case void:
		v.aside("the server was lost while it answered; another try, and what it had written is void:")
	case p.Reason == switchboard.ResumedTakeover:
		v.aside("the server was lost while it worked; it goes on from its last step")
	}
}

// partial shows what is left of half an answer.
func (v *view) partial(run switchboard.RunID, text string) {
	if text == "" {
		return
	}
	if w := v.last; w != nil && strings.HasPrefix(text, w.raw) {
		if piece := w.cleaner.write(text[len(w.raw):]); piece != "" {
			v.begin(w.key)
			v.on.answer(piece)
		}
		v.rest(w, switchboard.DeltaText)
		return
	}
	v.finish(run, switchboard.DeltaText, "partial", text)
}

// short writes JSON for people: a string as it is, and an object's only value, or its member result, instead of it.
func short(b json.RawMessage) string {
	var object map[string]json.RawMessage
	for json.Unmarshal(b, &object) == nil {
		inner, ok := object["result"]
		for _, only := range object {
			if len(object) == 1 {
				inner, ok = only, true
			}
		}
		if !ok {
			break
		}
		b, object = inner, nil
	}
	var s string
	if json.Unmarshal(b, &s) == nil {
		return inLine(s, shortText)
	}
	var compact bytes.Buffer
	if json.Compact(&compact, b) != nil {
		return strconv.Quote(inLine(string(b), shortText))
	}
	return inLine(compact.String(), shortText)
}
