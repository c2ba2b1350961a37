package agent

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/thread"
)

// told is the entries of a thread.
type told []thread.Entry

func (es *told) add(id switchboard.RunID, p switchboard.EventPayload, n thread.Note) {
	*es = append(*es, thread.Entry{Event: switchboard.Event{Type: p.EventType(), RunID: id, Payload: p}, Header: thread.Header{N: uint64(len(*es)) + 1, Note: n}})
}

// a call that is closed while the agent that it asks is at work is closed to the agent that asked: else a function would wait
// for it for ever.
func TestClosedWhileAsking(t *testing.T) {
	id := switchboard.NewThreadID(alice, "a").Run(1)
	call := switchboard.Call{CallID: id.Call(1, 0), Tool: "ask_helper", Arguments: json.RawMessage(`{"task":"x"}`)}
	var es told
	add := func(p switchboard.EventPayload, n thread.Note) { es.add(id, p, n) }
	add(&switchboard.UserMessageEvent{RunID: id, Text: "?"}, thread.Note{})
	add(&switchboard.AgentStartedEvent{Agent: "boss"}, thread.Note{})
	add(&switchboard.AgentMessageEvent{Step: 1, Calls: []switchboard.Call{call}}, thread.Note{})
	add(&switchboard.ToolExecutingEvent{CallID: call.CallID, Tool: call.Tool}, thread.Note{})
	add(&switchboard.AgentHandoffEvent{From: "boss", To: "helper"}, thread.Note{Ask: call.CallID})
	add(&switchboard.ToolCompletedEvent{CallID: call.CallID, Tool: call.Tool, Status: switchboard.CallUnknown}, thread.Note{})
	add(&switchboard.AgentHandoffEvent{From: "helper", To: "boss"}, thread.Note{Back: true})
	made := recollect(es).act(id).top().made
	if len(made) != 1 || made[0].done == nil {
		t.Errorf("made: %+v", made)
	}
}

// a draft is shown to whoever writes the answer anew, and to nobody after that.
func TestDraftsAreForgotten(t *testing.T) {
	th := switchboard.NewThreadID(alice, "a")
	first, second := th.Run(1), th.Run(9)
	texts := func(ms []model.Message) (out []string) {
		for _, m := range ms {
			out = append(out, m.Text)
		}
		return out
	}
	var es told
	es.add(first, &switchboard.UserMessageEvent{RunID: first, Text: "why?"}, thread.Note{})
	es.add(first, &switchboard.AgentStartedEvent{Agent: "a"}, thread.Note{})
	es.add(first, &switchboard.AgentMessageEvent{Step: 1, Text: "short"}, thread.Note{Advice: "say more"})
	if got := texts(recollect(es).conversation(first, "a", 0)); len(got) != 3 || got[1] != "short" || !strings.Contains(got[2], "say more") {
		t.Errorf("to write it anew: %q", got)
	}
	for want, end := range map[string]switchboard.EventPayload{
		"long": &switchboard.AgentCompletedEvent{Text: "long"}, "lo": &switchboard.AgentStoppedEvent{PartialText: "lo"},
		"still short": &switchboard.AgentFailedEvent{PartialText: "still short"},
	} {
		es := slices.Clone(es)
		es.add(first, end, thread.Note{})
		es.add(second, &switchboard.UserMessageEvent{RunID: second, Text: "how?"}, thread.Note{})
		es.add(second, &switchboard.AgentStartedEvent{Agent: "a"}, thread.Note{})
		if got := texts(recollect(es).conversation(second, "a", 1)); !slices.Equal(got, []string{"why?", want, "how?"}) {
			t.Errorf("after %s: %q", end.EventType(), got)
		}
	}
}
