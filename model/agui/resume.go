package agui

import (
	"bytes"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/netra-systems/switchboard/model/wire"
)

// wireResume answers an interrupt.
type wireResume struct {
	ID      string         `json:"interruptId"`
	Status  string         `json:"status"` // resolved or cancelled
	Payload jsontext.Value `json:"payload,omitempty"`
}

// decision is the result of a call of InterruptTool.
type decision struct {
	Approved  bool           `json:"approved"`
	Arguments jsontext.Value `json:"arguments"`
}

// resume answers all interrupts of the last message, as the protocol wants it: none may be left out.
func (e *encoder) resume() {
	if e.last < 0 {
		return
	}
	x := &e.messages[e.last]
	k := keptOf(x)
	for i := range k.Interrupts {
		q := &k.Interrupts[i]
		asked, result := x.Calls[q.Call].Arguments, e.decisions[q.ID]
		e.in.Resume = append(e.in.Resume, q.answer(asked, result))
		if edited := q.edited(asked, heard(result).Arguments); len(edited) > 0 { // what it will do, and the log shall say so
			changed := *q.Wants
			changed.Arguments = string(edited)
			e.wanted[changed.ID] = &changed
		}
	}
}

// answer makes what the agent is told of what a person was asked and came to decide. Who approves a tool with other
// arguments changes what it does; who answers a question with other arguments has written the answer there.
func (q *interrupt) answer(asked, result string) wireResume {
	d := heard(result)
	r := wireResume{ID: q.ID, Status: "resolved"}
	switch {
	case q.Boolean:
		r.Payload = encoded(d.Approved)
	case q.Wants != nil && !d.Approved:
		r.Payload = encoded(map[string]bool{"approved": false})
	case !d.Approved:
		r.Status = "cancelled"
	case q.Wants != nil:
		r.Payload = encoded(struct {
			Approved bool           `json:"approved"`
			Edited   jsontext.Value `json:"editedArgs,omitempty"`
		}{true, q.edited(asked, d.Arguments)})
	case len(d.Arguments) > 0 && !same(jsontext.Value(asked), d.Arguments):
		r.Payload = d.Arguments
	default:
		r.Payload = encoded(map[string]bool{"approved": true})
	}
	return r
}

// heard reads the result of a call of InterruptTool; one that cannot be read agrees to nothing.
func heard(result string) (d decision) {
	if json.Unmarshal([]byte(result), &d, wire.Tolerant) != nil || !d.Approved {
		return decision{}
	}
	return d
}

// edited returns the arguments of the tool that the agent wants to run, if they were changed.
func (q *interrupt) edited(asked string, given jsontext.Value) jsontext.Value {
	var before, after Interrupt
	if q.Wants == nil || json.Unmarshal([]byte(asked), &before, wire.Tolerant) != nil || json.Unmarshal(given, &after, wire.Tolerant) != nil ||
		after.Arguments.Kind() != '{' || same(before.Arguments, after.Arguments) {
		return nil
	}
	return after.Arguments
}

func same(a, b jsontext.Value) bool {
	a, b = a.Clone(), b.Clone()
	return a.Canonicalize() == nil && b.Canonicalize() == nil && bytes.Equal(a, b)
}

func encoded(v any) jsontext.Value {
	b, err := json.Marshal(v, jsontext.AllowInvalidUTF8(true), json.Deterministic(true))
	if err != nil {
		return jsontext.Value("null")
	}
	return b
}
