package thread

import (
	"slices"

	"github.com/netra-systems/switchboard"
)

// queue takes a message: as the next run, the last one, or to steer the running one.
func (s *State) queue(e Entry, p *switchboard.UserMessageEvent) {
	n := e.Header.N
	busy := s.Busy()
	if p.OnBusy == switchboard.Steer && busy != nil && busy.Stop == "" {
		busy.Steers = append(busy.Steers, Steer{N: n, Message: p.ID, Agent: p.Agent})
		return
	}
	r := newRun(p.RunID, n, p.ID, p.Agent)
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
	return newRun(s.Thread.Run(x.N), x.N, x.Message, x.Agent)
}

func (s *State) decide(p *switchboard.ToolDecidedEvent) {
	r := s.Run(p.CallID.Run())
	if r == nil {
		return
	}
	if c := r.Call(p.CallID); c != nil && c.Waits() {
		c.Decision, c.Reason, c.Expired = p.Decision, p.Reason, p.By == "timeout"
		if len(p.Arguments) > 0 {
			c.Arguments = p.Arguments
		}
	}
}
