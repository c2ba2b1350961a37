package thread

import (
	"slices"
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

// Run is a run that has not ended. The agent at work is the top of a stack of frames: those below wait, each with a
// call, for what the one above it says.
type Run struct {
	ID      switchboard.RunID
	N       uint64 // of its message
	Message switchboard.FrameID
	Lead    string // the agent that the message was for
	Agent   string // the agent at work
	Step    Step   // its newest
	Below   []Frame
	Last    int // number of the newest step of any agent
	Drafts  int // answers that were withdrawn to be written anew
	Phase   Phase
	Attempt int
	Claimed
	Pauses
	Stop    switchboard.StopReason
	Calls   int              // of all steps
	Spent                    // by all agents
	Own     map[string]Spent // by each agent
	Entries []uint64         // numbers of its entries
	Steers  []Steer          // messages that wait to be taken
}

// Claimed is who holds a run.
type Claimed struct {
	Worker string // of the newest claim
	Claim  uint64 // sequence of the newest claim
	Wake   uint64 // wake-up under which it was made
	Lost   int    // takeovers in a row without a new step
}

// Pauses are the times of a run.
type Pauses struct {
	Started time.Time     // of the first attempt
	Paused  time.Time     // when it began to wait for a person
	Waited  time.Duration // for persons, in all
}

// Spent is what steps have cost, as far as the log knows.
type Spent struct {
	Steps int
	Usage switchboard.Usage
}

// Frame is an agent that waits for what another one says.
type Frame struct {
	Agent string
	Step  Step
	Call  switchboard.CallID // of the step, which the other one answers
}

// Step is a model step of a run and the calls it asked for.
type Step struct {
	N        int  // from 1; 0 before the first
	Recorded bool // its agent_message is stored
	Thought  bool // the agent has said what the step is about
	Handed   bool // the conversation was handed over after it
	Calls    []Call
	Text     string // of one that was asked and answers: it has no calls
	Failed   string // why it could not
	Advice   string // how a withdrawn answer is to be written anew
}

// Call is a tool call of a step.
type Call struct {
	switchboard.Call
	Asked     bool // a person must decide
	Expires   time.Time
	Decision  switchboard.Decision
	Reason    string // of the person who decided
	Expired   bool
	Elsewhere bool // the model's side ran it: only its result may be missing
	Started   bool
	Answer    *Answer // what the agent said that was asked; nil: nothing yet
	Done      bool
	Status    switchboard.CallStatus // once done
}

// Answer is what an agent said that was asked, or why it could not.
type Answer struct{ Text, Failed string }

// Waits reports whether the call waits for a person.
func (c *Call) Waits() bool { return c.Asked && c.Decision == "" && !c.Done }

// Steer is a message handed to a running agent.
type Steer struct {
	N       uint64
	Message switchboard.FrameID
	Agent   string
}

func newRun(id switchboard.RunID, n uint64, m switchboard.FrameID, agent string) *Run {
	return &Run{ID: id, N: n, Message: m, Lead: agent, Agent: agent, Entries: []uint64{n}, Own: map[string]Spent{}}
}

// Deadline returns when the run must have ended if it may work for so long: the time that it waits for people does not
// count.
func (r *Run) Deadline(limit time.Duration) time.Time { return r.Started.Add(limit + r.Waited) }

// Call returns a call of the newest step of an agent at work or waiting, nil if there is none of this id.
func (r *Run) Call(id switchboard.CallID) *Call {
	if c := r.Step.call(id); c != nil {
		return c
	}
	for i := range r.Below {
		if c := r.Below[i].Step.call(id); c != nil {
			return c
		}
	}
	return nil
}

func (s *Step) call(id switchboard.CallID) *Call {
	for i := range s.Calls {
		if s.Calls[i].CallID == id {
			return &s.Calls[i]
		}
	}
	return nil
}

// Has reports whether an agent is at work or waits.
func (r *Run) Has(agent string) bool {
	return r.Agent == agent || r.Waits(agent)
}

// Waits reports whether an agent waits for what another one says.
func (r *Run) Waits(agent string) bool {
	return slices.ContainsFunc(r.Below, func(f Frame) bool { return f.Agent == agent })
}

// Open returns the number of the step that is open or comes next.
func (r *Run) Open() int {
	if r.Step.N == r.Last && r.Last > 0 && !r.Step.Recorded {
		return r.Last
	}
	return r.Last + 1
}

// advance folds an entry that an agent wrote.
func (s *State) advance(r *Run, e Entry) {
	note := &e.Header.Note
	s.Window.Keep = s.Window.Keep || note.Keep
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
		r.begin(p.Step)
		if note.Covers == 0 {
			r.Step.Thought = true
		}
		s.Window.Sum = max(s.Window.Sum, note.Covers)
	case *switchboard.AgentMessageEvent:
		r.begin(p.Step)
		r.record(p, note)
	case *switchboard.MessagesTakenEvent:
		r.Steers = slices.DeleteFunc(r.Steers, func(x Steer) bool {
			taken := slices.Contains(p.IDs, x.Message)
			if taken {
				r.Entries = append(r.Entries, x.N)
			}
			return taken
		})
		slices.Sort(r.Entries)
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
		if p.Status != switchboard.CallUnknown { // to close a call whose worker was lost is no step: the next one may be lost as well
			r.Lost = 0
		}
		if c := r.Call(p.CallID); c != nil {
			c.Started, c.Done, c.Status = true, true, p.Status
		}
		r.suspend(e)
	case *switchboard.AgentHandoffEvent:
		r.hand(p, note)
	case *switchboard.AgentCompletedEvent, *switchboard.AgentFailedEvent, *switchboard.AgentStoppedEvent:
		s.end(r)
	}
}

// begin opens a step unless it is open.
func (r *Run) begin(n int) {
	if n <= r.Last {
		return
	}
	r.Last, r.Step = n, Step{N: n}
	own := r.Own[r.Agent]
	own.Steps++
	r.Own[r.Agent] = own
	r.Steps++
}

// record closes the step with what was said in it.
func (r *Run) record(p *switchboard.AgentMessageEvent, note *Note) {
	r.Lost = 0
	r.Step.Recorded = true
	r.Calls += len(p.Calls)
	for i, c := range p.Calls {
		r.Step.Calls = append(r.Step.Calls, Call{Call: c, Elsewhere: slices.Contains(note.Elsewhere, i)})
	}
	if len(p.Calls) > 0 {
		return
	}
	if r.Step.Text, r.Step.Failed, r.Step.Advice = p.Text, note.Failed, note.Advice; note.Advice != "" {
		r.Drafts++
	}
}

// hand lets another agent be at work: one that was asked, the one that asked, or one in its place.
func (r *Run) hand(p *switchboard.AgentHandoffEvent, note *Note) {
	switch {
	case note.Ask != "":
		r.Below = append(r.Below, Frame{Agent: r.Agent, Step: r.Step, Call: note.Ask})
		r.Agent, r.Step = p.To, Step{}
	case note.Back && len(r.Below) > 0:
		f := r.Below[len(r.Below)-1]
		answer := Answer{r.Step.Text, r.Step.Failed}
		r.Below = r.Below[:len(r.Below)-1]
		r.Agent, r.Step = f.Agent, f.Step
		if c := r.Step.call(f.Call); c != nil {
			c.Answer = &answer
		}
	default:
		r.Agent, r.Step.Handed = p.To, true
	}
}

// spend adds what a step has cost.
func (r *Run) spend(u switchboard.Usage) {
	own := r.Own[r.Agent]
	own.Usage = sum(own.Usage, u)
	r.Own[r.Agent] = own
	r.Usage = sum(r.Usage, u)
}

func sum(a, b switchboard.Usage) switchboard.Usage {
	return switchboard.Usage{InputTokens: a.InputTokens + b.InputTokens, OutputTokens: a.OutputTokens + b.OutputTokens}
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
