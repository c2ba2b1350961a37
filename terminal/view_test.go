package terminal

import (
	"strings"
	"testing"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
)

// sheet is paper that keeps what is written.
type sheet struct {
	strings.Builder
	answers strings.Builder // of every answer, one after the other
}

func (s *sheet) answer(p string)  { s.WriteString(p); s.answers.WriteString(p) }
func (s *sheet) thought(p string) { s.WriteString(p) }
func (s *sheet) note(l string)    { s.fresh(); s.WriteString("# " + l + "\n") }
func (s *sheet) tell(l string)    { s.fresh(); s.WriteString("! " + l + "\n") }
func (s *sheet) called(l string)  { s.WriteString("· " + l) }
func (s *sheet) result(r string)  { s.WriteString(r + "\n") }
func (s *sheet) fresh() {
	if t := s.String(); t != "" && !strings.HasSuffix(t, "\n") {
		s.WriteString("\n")
	}
}

var (
	thread = switchboard.NewThreadID(switchboard.NewUserID("local", "", "ann"), "first")
	run    = thread.Run(1)
)

// happening is an event or a text.
type happening any

func event(p switchboard.EventPayload) happening { return p }

func text(message switchboard.MessageID, s string) happening {
	return client.Text{ThreadID: thread, RunID: run, MessageID: message, Kind: switchboard.DeltaText, Text: s}
}

func thought(message switchboard.MessageID, s string) happening {
	return client.Text{ThreadID: thread, RunID: run, MessageID: message, Kind: switchboard.DeltaThinking, Text: s}
}

// shows plays what happens to a view.
func shows(v *view, all ...happening) {
	n := v.saw
	for _, h := range all {
		switch h := h.(type) {
		case client.Text:
			v.text(h)
		case switchboard.EventPayload:
			n++
			v.event(switchboard.Event{Type: h.EventType(), ThreadID: thread, RunID: run, N: n, Payload: h})
		}
	}
}

func nobody(switchboard.FrameID) bool { return false }

func TestView(t *testing.T) {
	started := event(&switchboard.AgentStartedEvent{Attempt: 1})
	completed := func(m switchboard.MessageID, s string) happening {
		return event(&switchboard.AgentCompletedEvent{MessageID: m, Text: s})
	}
	for name, c := range map[string]struct {
		all  []happening
		want string
	}{
		"texts grow and the event has the rest": {
			[]happening{started, text("m", "Hel"), text("m", "Hello"), text("m", "Hello"), completed("m", "Hello, you")}, "Hello, you\n"},
		"no delta came": {[]happening{started, completed("m", "all\nof it\n")}, "all\nof it\n"},
		"a late delta says nothing": {
			[]happening{started, text("m", "ab"), completed("m", "abc"), event(&switchboard.ThreadRenamedEvent{Title: "T"})},
			"abc\n# this conversation is now called \"T\"\n"},
		"ratings": {
			[]happening{started, completed("m", "42"), event(&switchboard.AnswerRatedEvent{RunID: run, Rating: switchboard.RatedUp}),
				event(&switchboard.AnswerRatedEvent{RunID: run, Rating: switchboard.RatedDown, Comment: "\x1b[2J"})},
			"42\n# rated as good\n# rated as bad\n"},
		"thoughts come before, and once": {
			[]happening{started, thought("m", "Hm"), thought("m", "Hmm"), event(&switchboard.AgentThinkingEvent{MessageID: "m", Text: "Hmm.", Source: "model"}),
				text("m", "Yes"), completed("m", "Yes")}, "Hmm.\nYes\n"},
		"a takeover voids what was shown": {
			[]happening{started, text("m1", "One and"), event(&switchboard.AgentResumedEvent{Attempt: 2, Reason: switchboard.ResumedTakeover, Discards: []switchboard.MessageID{"m1"}}),
				text("m2", "One"), completed("m2", "One and two")},
			"One and\n# the server was lost while it answered; another try, and what it had written is void:\nOne and two\n"},
		"a takeover between steps": {
			[]happening{started, event(&switchboard.AgentResumedEvent{Attempt: 2, Reason: switchboard.ResumedTakeover}), completed("m2", "Two")},
			"# the server was lost while it worked; it goes on from its last step\nTwo\n"},
		"a text that is not what it was": {
			[]happening{started, text("m", "black"), completed("m", "white")}, "black\n# what was shown of this text is void; it is now:\nwhite\n"},
		"calls": {
			[]happening{started, text("m", "I add."), event(&switchboard.AgentMessageEvent{MessageID: "m", Text: "I add.", Calls: nil}),
				event(&switchboard.ToolExecutingEvent{CallID: "c1", Tool: "calculator", Arguments: []byte(`{"expression":"1+1"}`)}),
				event(&switchboard.ToolCompletedEvent{CallID: "c1", Tool: "calculator", Status: switchboard.CallOK, Result: []byte(`{"expression":"1+1","result":"2"}`), DurationMS: 1500}),
				event(&switchboard.ToolExecutingEvent{CallID: "c2", Tool: "clock", Arguments: []byte(`{"a":1,"b":[2]}`)}),
				event(&switchboard.ToolExecutingEvent{CallID: "c3", Tool: "clock", Arguments: []byte(`{}`)}),
				event(&switchboard.ToolCompletedEvent{CallID: "c2", Tool: "clock", Status: switchboard.CallError, Error: "no such place"}),
				completed("m2", "2")},
			"I add.\n· calculator 1+1 → 2  (1.5 s)\n· clock {\"a\":1,\"b\":[2]}\n· clock {}\n· clock {\"a\":1,\"b\":[2]} → error: no such place\n2\n"},
		"half an answer": {
			[]happening{started, text("m", "Once up"), event(&switchboard.AgentStoppedEvent{Reason: switchboard.StoppedByUser, PartialText: "Once upon"})},
			"Once upon\n# stopped\n"},
		"half an answer that was not seen": {
			[]happening{started, event(&switchboard.AgentFailedEvent{Code: switchboard.ModelUnavailable, Message: "the model is gone", PartialText: "Once"})},
			"Once\n! failed: the model is gone (model_unavailable)\n"},
		"from another device": {
			[]happening{event(&switchboard.UserMessageEvent{ID: "x", RunID: run, Text: "two\nlines"})}, "! > two\n! > lines\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s := new(sheet)
			v := newView(s, nobody)
			shows(v, c.all...)
			if got := s.String(); got != c.want {
				t.Errorf("shown:\n%s\nwant:\n%s", got, c.want)
			}
			if len(v.texts) != 0 && c.all[len(c.all)-1].(switchboard.EventPayload).EventType().Terminal() {
				t.Errorf("%d runs are still remembered", len(v.texts))
			}
		})
	}
}

// Whatever says something that a terminal would obey, nothing of that reaches it.
func TestNothingIsInjected(t *testing.T) {
	const evil = "a\x1b[2J\x1b]52;c;cm0=\x07\x1b]0;t\x07\u009b6n\rb\x08\x00\u202e"
	quoted := []byte(`"a\u001b[2J\u009b6n\r\nb\u0007"`)
	s := new(sheet)
	v := newView(s, nobody)
	shows(v,
		event(&switchboard.UserMessageEvent{ID: "x", RunID: run, Text: evil, Attachments: []switchboard.Attachment{{Name: evil}}}),
		event(&switchboard.UserMessageEvent{ID: "y", RunID: run, Input: quoted}),
		event(&switchboard.AgentStartedEvent{Agent: evil, Model: evil, Attempt: 1}),
		thought("m", evil), event(&switchboard.AgentThinkingEvent{MessageID: "m", Text: evil + evil, Source: "model"}),
		event(&switchboard.AgentThinkingEvent{MessageID: "m", Text: evil, Source: "agent"}),
		text("m", evil), event(&switchboard.AgentMessageEvent{MessageID: "m", Text: evil + "\x1b"}),
		event(&switchboard.ToolApprovalRequiredEvent{CallID: "c", Tool: evil, Arguments: quoted}),
		event(&switchboard.ToolExecutingEvent{CallID: "c", Tool: evil, Arguments: quoted, Title: evil}),
		event(&switchboard.ToolCompletedEvent{CallID: "c", Tool: evil, Status: switchboard.CallOK, Result: quoted}),
		event(&switchboard.ToolCompletedEvent{CallID: "d", Tool: evil, Status: switchboard.CallError, Error: evil}),
		event(&switchboard.ToolCompletedEvent{CallID: "d", Tool: evil, Status: switchboard.CallOK, Result: []byte("\x1b[2J")}),
		event(&switchboard.AgentHandoffEvent{From: evil, To: evil, Reason: evil}),
		event(&switchboard.ThreadRenamedEvent{Title: evil}),
		event(&switchboard.AgentFailedEvent{Code: "x", Message: evil, PartialText: evil}),
	)
	for i, r := range s.String() {
		if !shown(r) {
			t.Errorf("%U is shown at %d: %q", r, i, s.String()[max(0, i-20):i])
		}
	}
	if n := strings.Count(s.String(), "ab"); n < 15 {
		t.Errorf("the text around it is gone too: %d of it\n%s", n, s)
	}
}

// However a text comes in pieces, its characters come once.
func TestPiecesOfAnAnswer(t *testing.T) {
	const answer = "Über \x1b[1mpieces\x1b[0m:\n日本 👩‍🚀 end\x1b[3"
	whole := Clean(answer)
	for cut := range len(answer) + 1 {
		for cut2 := cut; cut2 <= len(answer); cut2++ {
			a, b := strings.ToValidUTF8(answer[:cut], ""), strings.ToValidUTF8(answer[:cut2], "")
			s := new(sheet)
			shows(newView(s, nobody), text("m", a), text("m", b), event(&switchboard.AgentCompletedEvent{MessageID: "m", Text: answer}))
			if got := s.answers.String(); got != whole {
				t.Fatalf("%d, %d: %q, want %q", cut, cut2, got, whole)
			}
		}
	}
}
