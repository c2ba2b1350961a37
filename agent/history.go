package agent

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/thread"
)

// historyBytes bounds the earlier runs that a model is shown; the newest are shown.
const historyBytes = 256 << 10

// exchange is what was said in one run.
type exchange struct {
	messages []model.Message
	bytes    int
}

func (x *exchange) add(m model.Message) {
	x.messages = append(x.messages, m)
	x.bytes += len(m.Text)
	for _, c := range m.Calls {
		x.bytes += len(c.Arguments)
	}
}

// conversation returns what a model is asked in a run: the earlier runs, each a question and what came of it, without
// what was withdrawn, and the run itself so far.
func conversation(history []thread.Entry, current switchboard.RunID) []model.Message {
	runs := map[switchboard.RunID]*exchange{}
	asked := map[switchboard.RunID]model.Message{}
	steers := map[switchboard.FrameID]model.Message{}
	var order []switchboard.RunID
	for _, e := range history {
		if p, ok := e.Event.Payload.(*switchboard.UserMessageEvent); ok {
			asked[p.RunID] = question(p)
			steers[p.ID] = asked[p.RunID]
			continue
		}
		r := e.Event.RunID
		if e.Event.Type == switchboard.AgentStarted {
			runs[r] = &exchange{}
			runs[r].add(asked[r])
			order = append(order, r)
		}
		x := runs[r]
		if x == nil {
			continue
		}
		switch p := e.Event.Payload.(type) {
		case *switchboard.MessagesTakenEvent:
			for _, id := range p.IDs {
				x.add(steers[id])
			}
		case *switchboard.AgentMessageEvent:
			m := model.Message{Role: model.Assistant, Text: p.Text}
			for _, c := range p.Calls {
				m.Calls = append(m.Calls, model.Call{ID: string(c.CallID), Tool: c.Tool, Arguments: string(c.Arguments)})
			}
			x.add(m)
		case *switchboard.ToolCompletedEvent:
			x.add(result(p))
		case *switchboard.AgentCompletedEvent:
			x.add(model.Message{Role: model.Assistant, Text: p.Text})
		case *switchboard.AgentFailedEvent:
			x.cut(p.PartialText)
		case *switchboard.AgentStoppedEvent:
			x.cut(p.PartialText)
			if p.Reason == switchboard.StoppedRollback {
				delete(runs, r)
			}
		}
	}
	return newest(runs, order, current)
}

// newest puts the runs together that are shown: the current one and, backwards, as many as fit.
func newest(runs map[switchboard.RunID]*exchange, order []switchboard.RunID, current switchboard.RunID) []model.Message {
	left := historyBytes
	first := len(order)
	for first > 0 {
		x := runs[order[first-1]]
		if x != nil && order[first-1] != current {
			if left < x.bytes {
				break
			}
			left -= x.bytes
		}
		first--
	}
	var out []model.Message
	for i, r := range order {
		if x := runs[r]; x != nil && (i >= first || r == current) {
			out = append(out, answered(x.messages)...)
		}
	}
	return out
}

// cut adds what an agent had said when its run ended early.
func (x *exchange) cut(partial string) {
	if partial != "" {
		x.add(model.Message{Role: model.Assistant, Text: partial})
	}
}

func question(p *switchboard.UserMessageEvent) model.Message {
	text := p.Text
	if len(p.Input) > 0 {
		text += "\n\nInput:\n" + string(p.Input)
	}
	for _, a := range p.Attachments {
		text += fmt.Sprintf("\n\nAttachment: %s (%s) %s", a.Name, a.MediaType, a.URL)
	}
	return model.Message{Role: model.User, Text: strings.TrimSpace(text)}
}

func result(p *switchboard.ToolCompletedEvent) model.Message {
	text := string(p.Result)
	if p.Status != switchboard.CallOK {
		text = strings.TrimSpace(fmt.Sprintf("The call ended with status %q. %s %s", p.Status, p.Error, p.Result))
	}
	return model.Message{Role: model.ToolRole, CallID: string(p.CallID), Text: text}
}

// answered puts the results of a message's calls right behind it, in their order: providers want each call answered.
func answered(in []model.Message) []model.Message {
	results := map[string]model.Message{}
	for _, m := range in {
		if m.Role == model.ToolRole {
			results[m.CallID] = m
		}
	}
	var out []model.Message
	for _, m := range in {
		if m.Role == model.ToolRole {
			continue
		}
		out = append(out, m)
		for _, c := range m.Calls {
			r, ok := results[c.ID]
			if !ok {
				r = model.Message{Role: model.ToolRole, CallID: c.ID, Text: "The call was not made."}
			}
			out = append(out, r)
		}
	}
	return out
}

// about says what a step is about to do, made from what it is given.
func about(history []thread.Entry, run switchboard.RunID, a Agent) string {
	var asked string
	var tools []string
	for _, e := range history {
		switch p := e.Event.Payload.(type) {
		case *switchboard.UserMessageEvent:
			if p.RunID == run {
				asked = thread.Excerpt(p.Text, 100)
			}
		case *switchboard.AgentMessageEvent:
			if e.Event.RunID == run {
				tools = nil
			}
		case *switchboard.ToolCompletedEvent:
			if e.Event.RunID == run {
				tools = append(tools, p.Tool)
			}
		}
	}
	if len(tools) > 0 {
		return fmt.Sprintf("Reading what %s returned, to answer “%s”", strings.Join(slices.Compact(tools), " and "), asked)
	}
	return fmt.Sprintf("%s reads “%s”", a.Model.Name(), asked)
}
