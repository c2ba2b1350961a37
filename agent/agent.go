// Package agent runs agents: the Runner takes wake-ups from the log and advances their threads, step after step, each
// step an event.
//
// Any number of runners share the work. A run has one holder at a time: the worker that wrote the run's newest claim
// (agent_started or agent_resumed). Every append is compare-and-set on the thread, so a worker that was superseded,
// frozen or cut off cannot write one event. Acks and heartbeats prove nothing: only the log decides.
//
// Key invariants:
//   - Only the holder of the duty wake-up advances a thread; it acks only after a fold that shows the thread at rest.
//   - A tool starts only after its tool_executing is stored; a known result is stored whatever came in between.
//   - Every run ends with exactly one terminal event; half an answer never is agent_completed.
//   - After a conflict the news are folded and everything is decided anew; nothing is repeated blindly.
package agent

import (
	"context"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/model"
)

// Agent answers messages: a model with instructions and tools, one that leads other agents, one elsewhere (its Model is an
// adapter), or a function in Go.
type Agent struct {
	Name         string
	Description  string // for people, and for the agents that lead it
	Model        model.Model
	Run          Func // instead of a Model
	Instructions string
	Tools        []string // names, or beginnings of names that end in *
	Handoff      []string // agents that it may hand the conversation to
	Ask          []string // agents that it may ask as it calls a tool
	Budget       Budget
	Price        Price
	Gate         Gate // judges answers to people before they are given; nil: none
	Context      Context
	Titles       bool // its model names a thread that nobody has named, after an answer
}

// ModelName is the name of the agent's model, "" if it is a function.
func (a Agent) ModelName() string {
	if a.Model == nil {
		return ""
	}
	return a.Model.Name()
}

// Budget bounds a run; 0 stands for the node's limit, or none. Tokens, Time and Cost of the agent that a message is for
// bound all of its run; Steps, and those of other agents but Time, bound what the agent itself does in a run. A step is
// begun only within the budget.
type Budget struct {
	Steps  int
	Tokens int64 // in and out
	Time   time.Duration
	Cost   float64 // in the currency of the Price
}

// Context is how much of a thread an agent is shown.
type Context struct {
	Tokens  int  // estimated at 4 bytes each, with instructions and tools; 0: 256 KiB of earlier turns
	Summary bool // what does not fit is summed up by the model; otherwise it is left out
}

// Price is what a million tokens cost.
type Price struct{ Input, Output float64 }

// Gate judges an answer. Last says that it will not be written anew: it was once, or a function wrote it. A gate that fails
// lets the answer pass without a score.
type Gate func(ctx context.Context, asked, answer string, last bool) (Verdict, error)

// Verdict is what a Gate says. A rejected answer is written anew once if there is Advice, and otherwise fails the run.
type Verdict struct {
	Quality  switchboard.Quality
	Rejected bool
	Advice   string      // for the model: what was weak
	Usage    model.Usage // tokens that judging took: they are the run's
}
