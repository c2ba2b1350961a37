package thread

import (
	"slices"
	"sort"
	"time"

	"github.com/netra-systems/switchboard"
)

// Accepted is what is known of a message that was accepted.
type Accepted struct {
	N      uint64
	Run    switchboard.RunID
	Digest string
}

// State is the fold of a thread.
type State struct {
	User   switchboard.UserID
	Thread switchboard.ThreadID
	Position
	Summary switchboard.ThreadSummary
	Total   switchboard.Usage // of all runs, as far as the log knows
	Named   bool              // the title was given: it is not the first message's
	Deleted bool
	Runs    []*Run // the active or suspended one first, then the queue
	Asked   []uint64
	Marks   []Mark // of entries that people wrote, some
	In      uint64 // entries that people wrote
	Duty    uint64 // sequence of the entry that ended the last rest, 0 at rest
	Claimed uint64 // highest delivery count recorded by a claim under the duty wake-up
	IDs     map[switchboard.FrameID]Accepted

	Window Window
	bytes  int      // since its rest
	before Position // where this fold began; what people wrote up to there is not known until Recall
	behind uint64   // entries that people wrote up to there
}

// Mark is where an entry lies.
type Mark struct{ N, Seq uint64 }

// markEvery is the least distance of Marks.
const markEvery = 32

// NewState returns the state of a thread without entries.
func NewState(u switchboard.UserID, t switchboard.ThreadID) *State {
	return &State{User: u, Thread: t, IDs: map[switchboard.FrameID]Accepted{}}
}

// Exists reports whether the thread has been made and not deleted.
func (s *State) Exists() bool { return s.N > 0 && !s.Deleted }

// Run returns a run that has not ended, nil if there is none of this id.
func (s *State) Run(id switchboard.RunID) *Run {
	for _, r := range s.Runs {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// Busy returns the run that holds the thread, active or suspended; nil if there is none.
func (s *State) Busy() *Run {
	if len(s.Runs) > 0 && s.Runs[0].Phase != Queued {
		return s.Runs[0]
	}
	return nil
}

// Action is what a thread needs next.
type Action int

// The actions.
const (
	Nothing  Action = iota
	Start           // claim the next queued run
	GoOn            // a suspended run has its decision
	EndRun          // stop a run that no worker holds
	TakeOver        // a worker has a claim: if it is not you, and you hold the duty wake-up, it is lost
)

// Next returns what the thread needs and the run it is about.
func (s *State) Next() (Action, *Run) {
	if s.Deleted || len(s.Runs) == 0 {
		return Nothing, nil
	}
	r := s.Runs[0]
	switch {
	case r.Phase == Active:
		return TakeOver, r
	case r.Stop != "":
		return EndRun, r
	case r.Phase == Queued:
		return Start, r
	case slices.ContainsFunc(r.Step.Calls, func(c Call) bool { return c.Asked && c.Decision != "" && !c.Done }):
		return GoOn, r
	}
	return Nothing, r
}

// AtRest reports whether no run is active and nothing is next.
func (s *State) AtRest() bool {
	a, _ := s.Next()
	return a == Nothing
}

// Expiry returns when the first undecided approval of a suspended run expires, and its call; zero if there is none.
func (s *State) Expiry() (time.Time, *Call) {
	r := s.Busy()
	if r == nil || r.Phase != Suspended {
		return time.Time{}, nil
	}
	var first *Call
	for i := range r.Step.Calls {
		if c := &r.Step.Calls[i]; c.Waits() && (first == nil || c.Expires.Before(first.Expires)) {
			first = c
		}
	}
	if first == nil {
		return time.Time{}, nil
	}
	return first.Expires, first
}

// Apply folds the next entry of the thread.
func (s *State) Apply(e Entry) {
	rested := s.AtRest()
	if s.Position == s.before && s.N > 0 { // the first that is known of the thread
		s.Summary, s.Named, s.Total = e.Header.Summary, e.Header.Named, less(e.Header.Total, e.Header.Usage)
		s.In = e.Header.In
		if e.Event.ByPerson() {
			s.In--
		}
		s.behind = s.In
	}
	s.Position = Position{N: e.Header.N, Seq: e.Seq, Chain: e.Header.Chain}
	s.Total = sum(s.Total, e.Header.Usage)
	s.Named = s.Named || e.Event.Type == switchboard.ThreadRenamed
	s.apply(e)
	if e.Event.ByPerson() {
		s.In++
		s.mark(e)
		s.recall(e)
	}
	s.summarize(e)
	switch {
	case s.AtRest():
		s.Duty, s.Claimed = 0, 0
	case rested && e.Event.ByPerson():
		s.Duty, s.Claimed = e.Seq, 0
	}
	if h := e.Header; h.Wake != 0 && h.Wake == s.Duty {
		s.Claimed = max(s.Claimed, h.Delivery)
	}
	if s.bytes += e.Size(); len(s.Runs) == 0 {
		s.Window.rest(s.Position, s.bytes)
		s.bytes = 0
	}
}

// mark keeps where an entry lies.
func (s *State) mark(e Entry) {
	if k := len(s.Marks); k == 0 || e.Header.N >= s.Marks[k-1].N+markEvery {
		s.Marks = append(s.Marks, Mark{e.Header.N, e.Seq})
	}
}

func (s *State) apply(e Entry) {
	switch p := e.Event.Payload.(type) {
	case *switchboard.UserMessageEvent:
		s.queue(e, p)
	case *switchboard.StopRequestedEvent:
		s.stop(p.RunID, switchboard.StoppedByUser)
	case *switchboard.ToolDecidedEvent:
		s.decide(p)
	case *switchboard.ThreadRenamedEvent, *switchboard.AnswerRatedEvent:
	case *switchboard.ThreadDeletedEvent:
		s.Deleted, s.Runs = true, nil
		s.IDs = map[switchboard.FrameID]Accepted{}
	default:
		if r := s.Run(e.Event.RunID); r != nil {
			r.Entries = append(r.Entries, e.Header.N)
			r.spend(e.Header.Usage)
			s.advance(r, e)
		}
	}
}

// recall keeps the id of a message that was accepted.
func (s *State) recall(e Entry) {
	switch p := e.Event.Payload.(type) {
	case *switchboard.UserMessageEvent:
		s.Asked = append(s.Asked, e.Header.N)
		s.remember(e, p.ID, p.RunID)
	case *switchboard.StopRequestedEvent:
		s.remember(e, p.ID, p.RunID)
	case *switchboard.ToolDecidedEvent:
		s.remember(e, p.ID, p.CallID.Run())
	case *switchboard.AnswerRatedEvent:
		s.remember(e, p.ID, p.RunID)
	case *switchboard.ThreadRenamedEvent:
		s.remember(e, p.ID, "")
	case *switchboard.ThreadDeletedEvent:
		s.remember(e, p.ID, "")
	}
}

func (s *State) remember(e Entry, id switchboard.FrameID, run switchboard.RunID) {
	if id != "" {
		s.IDs[id] = Accepted{N: e.Header.N, Run: run, Digest: e.Header.Digest}
	}
}

// SeqAt returns a sequence at or below which the entry n lies, to start reading from.
func (s *State) SeqAt(n uint64) uint64 {
	i := sort.Search(len(s.Marks), func(i int) bool { return s.Marks[i].N > n })
	if i == 0 {
		return 0
	}
	return s.Marks[i-1].Seq
}

// less takes away what an entry adds, for a header tells the sum with it.
func less(a, b switchboard.Usage) switchboard.Usage {
	return switchboard.Usage{InputTokens: max(0, a.InputTokens-b.InputTokens), OutputTokens: max(0, a.OutputTokens-b.OutputTokens)}
}
