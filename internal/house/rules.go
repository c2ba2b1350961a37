package house

import (
	"fmt"
	"slices"
	"strings"
)

// rule is a thing there is one of, or that is done in few places.
type rule struct {
	name string
	find func(*Tree) ([]site, error)
	only []string // where it is: units (transport.(*device).write), files or packages
	do   string   // what to do instead
}

const websocketPath = "github.com/coder/websocket"

// rules is the table of what there is one of.
var rules = []rule{
	{"there is one MessageRouter", typesLike("Router", "Route"), []string{"router.Router"},
		"add the type to the root's table of messages and let router.Router handle it"},
	{"there is one Broadcaster", typesLike("Broadcaster", "Broadcast"), []string{"delivery.Broadcaster"},
		"append to the log: delivery follows it"},
	{"there is one ToolDispatcher", typesLike("Dispatcher", "Dispatch"), []string{"tool.Dispatcher"},
		"call tool.Dispatcher.Dispatch"},
	{"one function runs a tool", uses("tool", "Tool", "Call"), []string{"tool.(*Dispatcher).contain"},
		"call tool.Dispatcher.Dispatch"},
	{"only the ToolDispatcher says tool_executing and tool_completed", builds("ToolExecutingEvent", "ToolCompletedEvent"),
		[]string{"tool.(*Dispatcher).begin", "tool.(*Dispatcher).complete", "event.go"},
		"call tool.Dispatcher.Dispatch, with Abandoned for a call that must not run, or Relay for one that was made elsewhere"},
	{"one loop takes frames from an outbox", uses("delivery", "Outbox", "Next"), []string{"transport.(*device).write"},
		"queue a reply with Outbox.Reply, or append an event"},
	{"one loop writes to a device", uses("transport", "encoder", "Write"), []string{"transport.(*device).write", "transport.(*socket).Refuse"},
		"queue it with Outbox.Reply, or append an event"},
	{"one function writes to a socket", uses(websocketPath, "Conn", "Write", "Writer"),
		[]string{"transport.(*socket).Write", "client.(*Conn).Do"}, "queue it with Outbox.Reply, or append an event"},
	{"delivery gives frames to outboxes in one place", uses("delivery", "Outbox", "push"),
		[]string{"delivery.(*tail).entry", "delivery.(*tail).delta"}, "append an event: the tail gives it to the devices"},
	{"one function appends a message, one what agents do", uses("thread", "State", "Put"),
		[]string{"router.(*Router).decide", "agent.(*task).put", "journal/journaltest"}, "return a draft from the fold and let the router append it"},
	{"appends go through the fold", uses("thread", "Log", "Append"), []string{"thread.(*State).Put", "agent.remember.Append", "journal/journaltest"},
		"call thread.State.Put, which decides anew on a conflict"},
	{"an ack comes from the fold alone", builds("Ack"), []string{"thread.(*State).Accept"},
		"answer with the Ack of the Verdict, once its draft is stored"},
	{"subjects are built in one file", literals("ev.", "live.", "delta.", "snap.", "list.", "EVENTS_"), []string{"journal/subject.go"},
		"add a function to journal/subject.go that checks the ids"},
	{"there is one codec", codes("Event", "Delta", "Message"), []string{"codec.go"},
		"call the root's Encode… and Decode… functions"},
	{"there is one table of codes", keyed("Code"), []string{"code.go"}, "add the column to switchboard.CodeInfo"},
	{"codes meet statuses in their table", statuses("Code"), []string{"code.go", "client.codeOfStatus"}, "use switchboard.Codes"},
	{"there is one table of limits", builds("Limits"), []string{"limit.go"}, "start from switchboard.DefaultLimits"},
	{"there is one table of event types", keyed("EventType"), []string{"event.go"}, "add the column to the table in event.go"},
	{"there is one table of message types", keyed("MessageType"), []string{"message.go", "router/router.go"},
		"add the type to the table in message.go, and its handler to router.New"},
}

// checkRule compares the places where something is done with those where it should be.
func (t *Tree) checkRule(r rule) []Finding {
	sites, err := r.find(t)
	if err != nil {
		return []Finding{{Text: fmt.Sprintf("internal/house/rules.go: %q looks for what is not there: %v", r.name, err)}}
	}
	var right []string
	var out []Finding
	for _, entry := range r.only {
		i := slices.IndexFunc(sites, func(s site) bool { return s.is(entry) })
		if i < 0 {
			out = append(out, Finding{Text: fmt.Sprintf("internal/house/rules.go: %q names %s, where nothing is found: correct the entry or remove it", r.name, entry)})
			continue
		}
		right = append(right, sites[i].String())
	}
	for _, s := range sites {
		if slices.ContainsFunc(r.only, s.is) {
			continue
		}
		out = append(out, Finding{s.file, s.line, fmt.Sprintf("%s, at %s: this is another. Instead, %s", r.name, strings.Join(right, " and "), r.do)})
	}
	return out
}
