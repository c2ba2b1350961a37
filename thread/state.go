package thread

import (
	"slices"
	"sort"
	"time"

	"github.com/netra-systems/switchboard"
)

// Phase is where a run stands.
type Phase int

// The phases of a run; one that has ended is forgotten.
const (
	Queued    Phase = iota
	Active          // claimed by a worker
	Suspended       // waits for a person
)

// Run is a run that has not ended.
type Run struct {
	ID      switchboard.RunID
	N       uint64 // of its message
	Message switchboard.FrameID
	Agent   string
	Phase   Phase
	Attempt int
	Lost    int           // takeovers in a row without a new step
	Started time.Time     // of the first attempt
	Paused  time.Time     // when it began to wait for a person
	Waited  time.Duration // for persons, in all
	Worker  string        // of the newest claim
	Claim   uint64        // sequence of the newest claim
	Wake    uint64        // wake-up under which it was made
	Stop    switchboard.StopReason
	Step    Step              // the newest
	Calls   int               // of all steps
	Usage   switchboard.Usage // of recorded steps
	Entries []uint64          // numbers of its entries
	Steers  []Steer           // messages that wait to be taken
}

// Deadline returns when the run must have ended if it may work for so long: the time that it waits for people does not
// count.
func (r *Run) Deadline(limit time.Duration) time.Time { return r.Started.Add(limit + r.Waited) }

// Step is a model step of a run and the calls it asked for.
type Step struct {
	N        int  // from 1; 0 before the first
	Recorded bool // its agent_message is stored
	Thought  bool // the agent has said what the step is about
	Calls    []Call
}

// Call is a tool call of a step.
type Call struct {
	switchboard.Call
	Asked    bool // a person must decide
	Expires  time.Time
	Decision switchboard.Decision
	Expired  bool
	Started  bool
	Done     bool
}

// Waits reports whether the call waits for a person.
func (c *Call) Waits() bool { return c.Asked && c.Decision == "" && !c.Done }

// Steer is a message handed to a running agent.
type Steer struct {
	N       uint64
	Message switchboard.FrameID
	Agent   string
}

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
		s.Summary = e.Header.Summary
		s.In, s.behind = e.Header.In-1, e.Header.In-1
	}
	s.Position = Position{N: e.Header.N, Seq: e.Seq, Chain: e.Header.Chain}
	if e.Event.Type.ByPerson() {
		s.In++
		s.mark(e)
	}
	s.apply(e)
	s.recall(e)
	s.summarize(e)
	switch {
	case s.AtRest():
		s.Duty, s.Claimed = 0, 0
	case rested && e.Event.Type.ByPerson():
		s.Duty, s.Claimed = e.Seq, 0
	}
	if h := e.Header; h.Wake != 0 && h.Wake == s.Duty {
		s.Claimed = max(s.Claimed, h.Delivery)
	}
	if s.bytes += len(e.Data); len(s.Runs) == 0 {
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

// queue takes a message: as the next run, the last one, or to steer the running one.
func (s *State) queue(e Entry, p *switchboard.UserMessageEvent) {
	n := e.Header.N
	busy := s.Busy()
	if p.OnBusy == switchboard.Steer && busy != nil && busy.Stop == "" {
		busy.Steers = append(busy.Steers, Steer{N: n, Message: p.ID, Agent: p.Agent})
		return
	}
	r := &Run{ID: p.RunID, N: n, Message: p.ID, Agent: p.Agent, Entries: []uint64{n}}
	if busy != nil && (p.OnBusy == switchboard.Interrupt || p.OnBusy == switchboard.Rollback) {
		reason := switchboard.StoppedInterrupt
		if p.OnBusy == switchboard.Rollback {
			reason = switchboard.StoppedRollback
		}
		s.stop(busy.ID, reason)
		s.Runs = slices.Insert(s.Runs, 1, r)
		return
	}
	s.Runs = append(s.Runs, r)
}

// stop marks a run; the first reason stays.
func (s *State) stop(id switchboard.RunID, why switchboard.StopReason) {
	s.unsteer(id)
	r := s.Run(id)
	if r == nil || r.Stop != "" {
		return
	}
	r.Stop = why
	if r.Phase == Queued { // it ends before those that wait in front of it, if nobody holds the thread
		i := slices.Index(s.Runs, r)
		first := 0
		if s.Busy() != nil {
			first = 1
		}
		s.Runs = slices.Insert(slices.Delete(s.Runs, i, i+1), first, r)
	}
}

// unsteer lets a message that waits to be taken be a run after all.
func (s *State) unsteer(id switchboard.RunID) {
	for _, r := range s.Runs {
		i := slices.IndexFunc(r.Steers, func(x Steer) bool { return s.Thread.Run(x.N) == id })
		if i >= 0 {
			s.Runs = append(s.Runs, s.fromSteer(r.Steers[i]))
			r.Steers = slices.Delete(r.Steers, i, i+1)
			return
		}
	}
}

func (s *State) fromSteer(x Steer) *Run {
	return &Run{ID: s.Thread.Run(x.N), N: x.N, Message: x.Message, Agent: x.Agent, Entries: []uint64{x.N}}
}

func (s *State) decide(p *switchboard.ToolDecidedEvent) {
	r := s.Run(p.CallID.Run())
	if r == nil {
		return
	}
	if c := r.Call(p.CallID); c != nil && c.Waits() {
		c.Decision, c.Expired = p.Decision, p.By == "timeout"
		if len(p.Arguments) > 0 {
			c.Arguments = p.Arguments
		}
	}
}

// Call returns a call of the run's newest step, nil if there is none of this id.
func (r *Run) Call(id switchboard.CallID) *Call {
	for i := range r.Step.Calls {
		if r.Step.Calls[i].CallID == id {
			return &r.Step.Calls[i]
		}
	}
	return nil
}

// advance folds an entry that an agent wrote.
func (s *State) advance(r *Run, e Entry) {
	switch p := e.Event.Payload.(type) {
	case *switchboard.AgentStartedEvent:
		r.claim(e, p.Attempt)
		r.Started = e.Event.Time.Time
	case *switchboard.AgentResumedEvent:
		r.claim(e, p.Attempt)
		if p.Reason == switchboard.ResumedTakeover {
			r.Lost++
		}
		if !r.Step.Recorded { // its thinking, if any, belongs to a message that is void now
			r.Step.Thought = false
		}
	case *switchboard.AgentThinkingEvent:
		if p.Step > r.Step.N {
			r.Step = Step{N: p.Step}
		}
		r.Step.Thought = true
	case *switchboard.AgentMessageEvent:
		r.Lost = 0
		r.Step.Recorded = true
		r.Calls += len(p.Calls)
		r.Usage.InputTokens += e.Header.Usage.InputTokens
		r.Usage.OutputTokens += e.Header.Usage.OutputTokens
		for _, c := range p.Calls {
			r.Step.Calls = append(r.Step.Calls, Call{Call: c})
		}
	case *switchboard.MessagesTakenEvent:
		r.Steers = slices.DeleteFunc(r.Steers, func(x Steer) bool { return slices.Contains(p.IDs, x.Message) })
	case *switchboard.ToolApprovalRequiredEvent:
		if c := r.Call(p.CallID); c != nil {
			c.Asked, c.Expires = true, p.Expires.Time
		}
		r.suspend(e)
	case *switchboard.ToolExecutingEvent:
		if c := r.Call(p.CallID); c != nil {
			c.Started = true
		}
	case *switchboard.ToolCompletedEvent:
		r.Lost = 0
		if c := r.Call(p.CallID); c != nil {
			c.Started, c.Done = true, true
		}
		r.suspend(e)
	case *switchboard.AgentCompletedEvent, *switchboard.AgentFailedEvent, *switchboard.AgentStoppedEvent:
		s.end(r)
	}
}

func (r *Run) claim(e Entry, attempt int) {
	if r.Phase == Suspended {
		r.Waited += e.Event.Time.Sub(r.Paused)
	}
	r.Phase, r.Attempt, r.Worker, r.Claim, r.Wake = Active, attempt, e.Header.Worker, e.Seq, e.Header.Wake
}

// suspend lets the run wait if all that is left of its step waits for a person.
func (r *Run) suspend(e Entry) {
	left := 0
	for i := range r.Step.Calls {
		if c := &r.Step.Calls[i]; c.Waits() {
			left++
		} else if !c.Done {
			return
		}
	}
	if left > 0 {
		r.Phase, r.Paused = Suspended, e.Event.Time.Time
	}
}

// end forgets a run; messages it did not take become runs.
func (s *State) end(r *Run) {
	s.Runs = slices.DeleteFunc(s.Runs, func(x *Run) bool { return x == r })
	for _, x := range r.Steers {
		s.Runs = append(s.Runs, s.fromSteer(x))
	}
}

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
	if d.Event.Type.ByPerson() {
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
		x.Steers = slices.Clone(r.Steers)
		x.Entries = nil
		c.Runs[i] = &x
	}
	return &c
}

// SeqAt returns a sequence at or below which the entry n lies, to start reading from.
func (s *State) SeqAt(n uint64) uint64 {
	i := sort.Search(len(s.Marks), func(i int) bool { return s.Marks[i].N > n })
	if i == 0 {
		return 0
	}
	return s.Marks[i-1].Seq
}
