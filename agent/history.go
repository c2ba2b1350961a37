package agent

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/thread"
)

// historyBytes bounds the earlier runs that a model is shown if its agent says nothing else; the newest are shown.
const historyBytes = 256 << 10

// memoir is what the history of a thread says, run by run.
type memoir struct {
	runs    []*act // in the order in which they began, without those that were withdrawn
	summary string // of what was said up to covers
	covers  uint64
}

// act is one run: the stack of agents at work in it, each with what it has seen.
type act struct {
	id     switchboard.RunID
	last   uint64 // n of its newest entry
	scenes []*scene
}

// scene is what one agent of a stack has seen; those in whose place it goes on saw the same.
type scene struct {
	agent string
	asked string
	said  []said
	tools []string                      // that have returned since the last message
	tasks map[switchboard.CallID]string // of calls
	made  []made                        // what the agent at work has called
}

// said is a message and the agent that wrote it.
type said struct {
	model.Message
	by    string
	draft bool // withdrawn, or what was said about that: of no interest when the run has ended
}

// made is a call of an agent, and how it ended if it has.
type made struct {
	call switchboard.Call
	text string // written before it, in the same message
	done *switchboard.ToolCompletedEvent
}

func (s *scene) add(m model.Message) { s.said = append(s.said, said{Message: m, by: s.agent}) }

// settle forgets drafts: the run has ended.
func (s *scene) settle() {
	s.said = slices.DeleteFunc(s.said, func(m said) bool { return m.draft })
}

func (s *scene) bytes() (n int) {
	for _, m := range s.said {
		n += size(m.Message)
	}
	return n
}

// size is how much of a window a message takes, in bytes.
func size(m model.Message) int {
	n := len(m.Text) + len(m.State)
	for _, c := range m.Calls {
		n += len(c.Tool) + len(c.Arguments)
	}
	return n
}

// top is the scene of the agent at work.
func (a *act) top() *scene { return a.scenes[len(a.scenes)-1] }

// recollect reads a history.
func recollect(history []thread.Entry) *memoir {
	m := &memoir{}
	asked := map[switchboard.RunID]model.Message{}
	steers := map[switchboard.FrameID]model.Message{}
	acts := map[switchboard.RunID]*act{}
	for _, e := range history {
		if p, ok := e.Event.Payload.(*switchboard.UserMessageEvent); ok {
			asked[p.RunID] = question(p)
			steers[p.ID] = asked[p.RunID]
			continue
		}
		r := e.Event.RunID
		if p, ok := e.Event.Payload.(*switchboard.AgentStartedEvent); ok {
			s := &scene{agent: p.Agent, asked: asked[r].Text}
			s.add(asked[r])
			acts[r] = &act{id: r, scenes: []*scene{s}}
			m.runs = append(m.runs, acts[r])
		}
		a := acts[r]
		if a == nil || e.Event.ByPerson() {
			continue
		}
		a.last = e.Header.N
		if p, ok := e.Event.Payload.(*switchboard.MessagesTakenEvent); ok {
			for _, id := range p.IDs {
				a.top().add(steers[id])
			}
		}
		if p, ok := e.Event.Payload.(*switchboard.AgentThinkingEvent); ok && e.Header.Note.Covers > 0 {
			m.summary, m.covers = strings.TrimPrefix(p.Text, summed), e.Header.Note.Covers
		}
		if p, ok := e.Event.Payload.(*switchboard.AgentStoppedEvent); ok && p.Reason == switchboard.StoppedRollback {
			m.runs = slices.DeleteFunc(m.runs, func(x *act) bool { return x == a })
		}
		a.take(e)
	}
	return m
}

// take adds what an agent's event says.
func (a *act) take(e thread.Entry) {
	s, note := a.top(), &e.Header.Note
	switch p := e.Event.Payload.(type) {
	case *switchboard.AgentMessageEvent:
		s.message(p, note)
	case *switchboard.ToolCompletedEvent:
		s.tools = append(s.tools, p.Tool)
		s.add(result(p))
		for _, s := range a.scenes { // a call may be closed while the agent that it asks is at work
			for i := range s.made {
				if s.made[i].call.CallID == p.CallID {
					s.made[i].done = p
				}
			}
		}
	case *switchboard.AgentHandoffEvent:
		switch {
		case note.Ask != "":
			x := &scene{agent: p.To, asked: s.tasks[note.Ask]}
			x.add(model.Message{Role: model.User, Text: x.asked})
			a.scenes = append(a.scenes, x)
		case note.Back && len(a.scenes) > 1:
			a.scenes = a.scenes[:len(a.scenes)-1]
		default:
			s.agent, s.made = p.To, nil
		}
	case *switchboard.AgentCompletedEvent:
		s.settle()
		s.add(model.Message{Role: model.Assistant, Text: p.Text, State: note.State})
	case *switchboard.AgentFailedEvent:
		a.cut(p.PartialText)
	case *switchboard.AgentStoppedEvent:
		a.cut(p.PartialText)
	}
}

// message adds what an agent said, and what it was told about it.
func (s *scene) message(p *switchboard.AgentMessageEvent, note *thread.Note) {
	m := model.Message{Role: model.Assistant, Text: p.Text, State: note.State}
	s.tools = nil
	from, text := len(s.said), p.Text
	for _, c := range p.Calls {
		m.Calls = append(m.Calls, model.Call{ID: string(c.CallID), Tool: c.Tool, Arguments: string(c.Arguments)})
		s.made = append(s.made, made{call: c, text: text})
		text = ""
		if s.tasks == nil {
			s.tasks = map[switchboard.CallID]string{}
		}
		s.tasks[c.CallID] = argument(c, "task")
	}
	if m.Text != "" || len(m.Calls) > 0 {
		s.add(m)
	}
	if note.Advice != "" {
		s.add(model.Message{Role: model.User, Text: "This answer is not good enough: " + note.Advice + "\n\nWrite the answer anew, without a word about this."})
		for i := range s.said[from:] {
			s.said[from+i].draft = true
		}
	}
}

// cut adds what an agent had said when its run ended early: to whoever reads the run later.
func (a *act) cut(partial string) {
	a.scenes = a.scenes[:1]
	a.top().settle()
	if partial != "" {
		a.top().add(model.Message{Role: model.Assistant, Text: partial})
	}
}

// act returns a run, nil if it is not remembered.
func (m *memoir) act(id switchboard.RunID) *act {
	if i := slices.IndexFunc(m.runs, func(a *act) bool { return a.id == id }); i >= 0 {
		return m.runs[i]
	}
	return nil
}

// asked is what a run was asked.
func (m *memoir) asked(id switchboard.RunID) string {
	if a := m.act(id); a != nil {
		return a.scenes[0].asked
	}
	return ""
}

// earlier returns the runs before one that no summary covers, the oldest first.
func (m *memoir) earlier(id switchboard.RunID) []*act {
	return slices.DeleteFunc(slices.Clone(m.runs), func(a *act) bool { return a.id == id || a.last <= m.covers })
}

// fitting returns how many of the newest runs fit into so many bytes.
func fitting(runs []*act, bytes int) (n int) {
	for _, a := range slices.Backward(runs) {
		if bytes -= a.scenes[0].bytes(); bytes < 0 {
			break
		}
		n++
	}
	return n
}

// conversation returns what an agent is shown in a run: the newest of the earlier runs, each a question and what came of
// it, and the run itself so far. An agent that was asked by another one is shown its task and what it did itself.
func (m *memoir) conversation(id switchboard.RunID, agent string, newest int) []model.Message {
	a := m.act(id)
	if a == nil {
		return nil
	}
	var out []model.Message
	if len(a.scenes) == 1 {
		earlier := m.earlier(id)
		for _, x := range earlier[len(earlier)-newest:] {
			out = append(out, x.scenes[0].shown(agent)...)
		}
	}
	return append(out, a.top().shown(agent)...)
}

// shown returns the messages as an agent is shown them. What a model wants back is given to its own agent alone.
func (s *scene) shown(agent string) []model.Message {
	var out []model.Message
	for _, m := range s.said {
		if m.by != agent {
			m.State = nil
		}
		out = append(out, m.Message)
	}
	return answered(out)
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
func (m *memoir) about(id switchboard.RunID, a Agent) string {
	reader := a.ModelName()
	if reader == "" {
		reader = a.Name
	}
	x := m.act(id)
	if x == nil {
		return reader + " reads"
	}
	s := x.top()
	asked := thread.Excerpt(s.asked, 100)
	if len(s.tools) > 0 {
		return fmt.Sprintf("Reading what %s returned, to answer “%s”", strings.Join(slices.Compact(slices.Clone(s.tools)), " and "), asked)
	}
	return fmt.Sprintf("%s reads “%s”", reader, asked)
}

// input is what a run was given beside its text.
func input(history []thread.Entry, id switchboard.RunID) (text string, structured json.RawMessage) {
	for _, e := range history {
		if p, ok := e.Event.Payload.(*switchboard.UserMessageEvent); ok && p.RunID == id {
			return p.Text, p.Input
		}
	}
	return "", nil
}
