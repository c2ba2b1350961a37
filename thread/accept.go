package thread

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"github.com/netra-systems/switchboard"
)

// Request is a message that wants into a thread.
type Request struct {
	ID      switchboard.FrameID
	Payload switchboard.MessagePayload
	Time    time.Time
}

// Rules are what a node lays down for messages.
type Rules struct {
	Limits       switchboard.Limits
	DefaultAgent string
	HasAgent     func(name string) bool
}

// Verdict is the answer to a Request: a draft to append and the ack to give once it is stored, or only the ack if the
// message was accepted before.
type Verdict struct {
	Ack   switchboard.Ack
	Draft *Draft
}

// Accept decides on a message. It does not change the state: after a conflict the newer state decides anew.
// Errors: NotFound, Conflict, RateLimited, each naming its field.
func (s *State) Accept(r Request, rules Rules) (Verdict, error) {
	if s.behind > 0 && !s.Deleted {
		return Verdict{}, switchboard.Errorf(switchboard.Internal, "what was accepted before is not known")
	}
	digest, err := digestOf(r.Payload)
	if err != nil {
		return Verdict{}, switchboard.Wrap(switchboard.Invalid, "not a payload", err).At("payload")
	}
	if old, ok := s.IDs[r.ID]; ok {
		if old.Digest != digest {
			return Verdict{}, switchboard.Errorf(switchboard.Conflict, "this id was used for something else").At("id")
		}
		return Verdict{Ack: switchboard.Ack{ThreadID: s.Thread, RunID: old.Run, N: s.wireN(old.N), Duplicate: true}}, nil
	}
	if s.Deleted {
		return Verdict{}, notFound("thread_id")
	}
	d := &Draft{Event: switchboard.Event{ThreadID: s.Thread, Time: switchboard.At(r.Time), N: s.N + 1}}
	d.Header = Header{N: s.N + 1, Digest: digest}
	run, err := s.draft(d, r, rules)
	if err != nil {
		return Verdict{}, err
	}
	d.Event.Type = d.Event.Payload.EventType()
	d.Event.RunID = run
	return Verdict{Ack: switchboard.Ack{ThreadID: s.Thread, RunID: run, N: d.Event.N}, Draft: d}, nil
}

// wireN is the number that an ack tells: a tombstone has none.
func (s *State) wireN(n uint64) uint64 {
	if s.Deleted {
		return 0
	}
	return n
}

// draft fills in the payload and returns the run that the event belongs to.
func (s *State) draft(d *Draft, r Request, rules Rules) (switchboard.RunID, error) {
	switch p := r.Payload.(type) {
	case *switchboard.UserMessage:
		return s.ask(d, rules, &switchboard.UserMessageEvent{ID: r.ID, Text: p.Text, Agent: p.Agent, OnBusy: p.OnBusy, Attachments: p.Attachments})
	case *switchboard.StartAgent:
		return s.ask(d, rules, &switchboard.UserMessageEvent{ID: r.ID, Text: p.Text, Agent: p.Agent, Input: p.Input})
	case *switchboard.StopAgent:
		run := switchboard.RunID(p.RunID)
		if err := s.open(run, "payload.run_id"); err != nil {
			return "", err
		}
		if s.Run(run) != nil && s.Run(run).Stop != "" {
			return "", switchboard.Errorf(switchboard.Conflict, "the run is being stopped already").At("payload.run_id")
		}
		d.Event.Payload = &switchboard.StopRequestedEvent{ID: r.ID, RunID: run, By: "user"}
		return run, nil
	case *switchboard.ToolDecision:
		call := switchboard.CallID(p.CallID)
		if err := s.undecided(call); err != nil {
			return "", err
		}
		d.Event.Payload = &switchboard.ToolDecidedEvent{ID: r.ID, CallID: call, Decision: p.Decision, Arguments: p.Arguments, Reason: p.Reason, By: "user"}
		return call.Run(), nil
	case *switchboard.RateAnswer:
		run := switchboard.RunID(p.RunID)
		if err := s.ended(run, "payload.run_id"); err != nil {
			return "", err
		}
		d.Event.Payload = &switchboard.AnswerRatedEvent{ID: r.ID, RunID: run, Rating: p.Rating, Comment: p.Comment}
		return run, nil
	case *switchboard.RenameThread:
		if !s.Exists() {
			return "", notFound("thread_id")
		}
		d.Event.Payload = &switchboard.ThreadRenamedEvent{ID: r.ID, Title: p.Title}
		return "", nil
	case *switchboard.DeleteThread:
		if !s.Exists() {
			return "", notFound("thread_id")
		}
		d.Event.N = 0
		d.Event.Payload = &switchboard.ThreadDeletedEvent{ID: r.ID}
		return "", nil
	}
	return "", switchboard.Errorf(switchboard.Unsupported, "not a message to a thread").At("type")
}

// ask queues a message for an agent.
func (s *State) ask(d *Draft, rules Rules, p *switchboard.UserMessageEvent) (switchboard.RunID, error) {
	if p.Agent == "" {
		p.Agent = rules.DefaultAgent
	}
	if !rules.HasAgent(p.Agent) {
		return "", switchboard.Errorf(switchboard.NotFound, "no such agent").At("payload.agent")
	}
	if p.OnBusy == switchboard.Reject && len(s.Runs) > 0 {
		return "", switchboard.Errorf(switchboard.Conflict, "the thread is busy").At("payload.on_busy")
	}
	waiting := len(s.Runs)
	for _, r := range s.Runs {
		waiting += len(r.Steers)
	}
	if waiting > rules.Limits.QueuedRunsPerUser {
		return "", switchboard.Errorf(switchboard.RateLimited, "too many runs wait in this thread").After(time.Second)
	}
	if s.N == 0 {
		p.Title = Excerpt(p.Text, 60)
		if p.Title == "" {
			p.Title = p.Agent
		}
	}
	p.RunID = s.Thread.Run(s.N + 1)
	d.Event.Payload = p
	return p.RunID, nil
}

// open returns an error unless the run has not ended: NotFound if it never was.
func (s *State) open(run switchboard.RunID, field string) error {
	if !s.knows(run) {
		return notFound(field)
	}
	if s.Run(run) == nil && !s.steering(run.N()) {
		return switchboard.Errorf(switchboard.Conflict, "the run has ended").At(field)
	}
	return nil
}

// ended returns an error unless the run has ended: NotFound if it never was.
func (s *State) ended(run switchboard.RunID, field string) error {
	if !s.knows(run) {
		return notFound(field)
	}
	if s.Run(run) != nil || s.steering(run.N()) {
		return switchboard.Errorf(switchboard.Conflict, "the run has not ended").At(field)
	}
	return nil
}

// knows reports whether a message of this thread asked for the run.
func (s *State) knows(run switchboard.RunID) bool {
	return run.Thread() == s.Thread && slices.Contains(s.Asked, run.N()) && !s.Deleted
}

// steering reports whether the message n waits to be taken by a running agent.
func (s *State) steering(n uint64) bool {
	return slices.ContainsFunc(s.Runs, func(r *Run) bool {
		return slices.ContainsFunc(r.Steers, func(x Steer) bool { return x.N == n })
	})
}

func (s *State) undecided(id switchboard.CallID) error {
	const field = "payload.call_id"
	if err := s.open(id.Run(), field); err != nil {
		return err
	}
	r := s.Run(id.Run())
	if r == nil {
		return notFound(field)
	}
	c := r.Call(id)
	switch {
	case c == nil && id.Step() > 0 && id.Step() <= r.Last && id.Step() != r.Step.N:
		return switchboard.Errorf(switchboard.Conflict, "the call has ended").At(field)
	case c == nil || !c.Asked && !c.Done:
		return notFound(field)
	case !c.Waits():
		return switchboard.Errorf(switchboard.Conflict, "the call is decided already").At(field)
	case r.Stop != "":
		return switchboard.Errorf(switchboard.Conflict, "the run is being stopped").At(field)
	}
	return nil
}

func digestOf(p switchboard.MessagePayload) (string, error) {
	b, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(append([]byte(p.MessageType()+"\n"), b...))
	return hex.EncodeToString(sum[:12]), nil
}

func notFound(field string) error {
	return switchboard.Errorf(switchboard.NotFound, "no such thing").At(field)
}
