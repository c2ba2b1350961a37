package thread

import (
	"maps"
	"slices"
	"strings"

	"github.com/netra-systems/switchboard"
)

// summarize keeps the thread's row in the list.
func (s *State) summarize(e Entry) {
	u := &s.Summary
	u.ThreadID, u.Updated = s.Thread, e.Event.Time
	switch p := e.Event.Payload.(type) {
	case *switchboard.UserMessageEvent:
		if e.Header.N == 1 {
			u.Created, u.Title = e.Event.Time, p.Title
		}
		u.LastText = Excerpt(p.Text, 160)
	case *switchboard.AgentCompletedEvent:
		u.LastText = Excerpt(p.Text, 160)
	case *switchboard.ThreadRenamedEvent:
		u.Title = p.Title
	case *switchboard.ThreadDeletedEvent:
		*u = switchboard.ThreadSummary{ThreadID: s.Thread, Updated: e.Event.Time}
	}
	u.ActiveRun = ""
	if len(s.Runs) > 0 {
		u.ActiveRun = s.Runs[0].ID
	}
}

// Preview writes into the draft's header what the thread will look like after it: the state itself does not change.
func (s *State) Preview(d *Draft) {
	c := s.clone()
	c.Apply(Entry{User: s.User, Event: d.Event, Header: d.Header})
	d.Header.Summary, d.Header.Attempt, d.Header.Held, d.Header.Window = c.Summary, 0, false, s.Window
	d.Header.Total, d.Header.Named = c.Total, c.Named
	if d.Event.Type.ByPerson() { // also of a title that an agent gave: a fold may begin with it
		d.Header.In = c.In
	}
	if r := c.Busy(); r != nil {
		d.Header.Attempt, d.Header.Held = r.Attempt, r.Phase == Active
	}
}

// clone copies what Apply changes, but for IDs, Asked and Marks.
func (s *State) clone() *State {
	c := *s
	c.IDs, c.Marks, c.Asked = map[switchboard.FrameID]Accepted{}, nil, nil
	c.Runs = make([]*Run, len(s.Runs))
	for i, r := range s.Runs {
		x := *r
		x.Step.Calls = slices.Clone(r.Step.Calls)
		x.Below = slices.Clone(r.Below)
		for i := range x.Below {
			x.Below[i].Step.Calls = slices.Clone(x.Below[i].Step.Calls)
		}
		x.Own = maps.Clone(r.Own)
		x.Steers = slices.Clone(r.Steers)
		x.Entries = nil
		c.Runs[i] = &x
	}
	return &c
}

// Excerpt returns the text in one line of at most n characters.
func Excerpt(text string, n int) string {
	s := strings.Join(strings.Fields(text[:min(len(text), 8*n)]), " ")
	r := []rune(strings.ToValidUTF8(s, ""))
	if len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return string(r)
}
