package switchboard

import (
	"strings"
	"testing"
)

// play adds events by the names of a little language — the types, with ":call" where they are about one — and returns
// the first error.
func play(g *Grammar, script string) error {
	for word := range strings.FieldsSeq(script) {
		name, call, _ := strings.Cut(word, ":")
		e := Event{Type: EventType(name), Payload: eventTypes[EventType(name)].payload()}
		switch p := e.Payload.(type) {
		case *ToolExecutingEvent:
			p.CallID = CallID(call)
		case *ToolCompletedEvent:
			p.CallID = CallID(call)
		}
		if err := g.Add(e); err != nil {
			return err
		}
	}
	return nil
}

func TestGrammarTakes(t *testing.T) {
	for script, ended := range map[string]EventType{
		"": "", "user_message": "", "agent_started": "",
		"agent_started agent_thinking agent_completed":                         AgentCompleted,
		"agent_started agent_failed":                                           AgentFailed,
		"agent_started agent_stopped":                                          AgentStopped,
		"user_message agent_started stop_requested agent_stopped user_message": AgentStopped,
		"agent_started agent_thinking agent_message tool_executing:1 tool_completed:1 agent_thinking agent_completed": AgentCompleted,
		"agent_started agent_thinking agent_message tool_executing:1 tool_executing:2 tool_completed:2 " +
			"tool_completed:1 agent_completed": AgentCompleted,
		"agent_started agent_thinking agent_message tool_approval_required tool_decided agent_resumed tool_executing:1 " +
			"tool_completed:1 agent_completed": AgentCompleted,
		"agent_started agent_thinking agent_resumed agent_resumed messages_taken agent_handoff agent_completed thread_renamed": AgentCompleted,
		"agent_started tool_executing:1 agent_resumed": "",
	} {
		var g Grammar
		if err := play(&g, script); err != nil {
			t.Errorf("%s: %v", script, err)
		}
		if g.Ended() != ended {
			t.Errorf("%s ended with %q, want %q", script, g.Ended(), ended)
		}
	}
}

func TestGrammarRefuses(t *testing.T) {
	for script, want := range map[string]string{
		"agent_thinking":              "agent_thinking before agent_started",
		"agent_completed":             "agent_completed before agent_started",
		"user_message agent_resumed":  "agent_resumed before agent_started",
		"agent_started agent_started": "a second agent_started",
		"agent_started agent_thinking agent_completed agent_completed":                                "agent_completed after agent_completed",
		"agent_started agent_failed agent_thinking":                                                   "agent_thinking after agent_failed",
		"agent_started agent_stopped agent_failed":                                                    "agent_failed after agent_stopped",
		"agent_started agent_stopped agent_resumed":                                                   "agent_resumed after agent_stopped",
		"agent_started agent_failed agent_started":                                                    "agent_started after agent_failed",
		"agent_started agent_stopped tool_completed:1":                                                "tool_completed after agent_stopped",
		"agent_started tool_completed:1":                                                              "tool_completed without an open tool_executing",
		"agent_started tool_executing:1 tool_completed:2":                                             "tool_completed without an open tool_executing",
		"agent_started tool_executing:1 tool_completed:1 tool_completed:1":                            "tool_completed without an open tool_executing",
		"agent_started tool_executing:1 tool_executing:1":                                             "a second tool_executing of a call",
		"agent_started tool_executing:1 tool_completed:1 tool_executing:1":                            "a second tool_executing of a call",
		"agent_started agent_thinking tool_executing:1 agent_completed":                               "agent_completed with 1 open tool calls",
		"agent_started tool_executing:1 agent_failed":                                                 "agent_failed with 1 open tool calls",
		"agent_started tool_executing:1 tool_executing:2 agent_stopped":                               "agent_stopped with 2 open tool calls",
		"agent_started agent_completed":                                                               "agent_completed without agent_thinking",
		"agent_started agent_message tool_executing:1 tool_completed:1 agent_resumed agent_completed": "agent_completed without agent_thinking",
	} {
		var g Grammar
		err := play(&g, script)
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", script, err, want)
		}
	}
}
