package router

import (
	"context"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// decideTries bounds how often a message is decided on anew because others wrote to its thread first.
const decideTries = 100

// accept adds a message to its thread: the thread's fold decides, this is the one place that appends.
func (r *Router) accept(ctx context.Context, c Caller, m switchboard.Message) (any, error) {
	u := c.User.ID
	id, made, err := address(u, m)
	if err != nil {
		return nil, r.refuse(u, err)
	}
	refund, err := r.budgets.reserve(u)
	if err != nil {
		return r.repeated(ctx, u, id, m, err)
	}
	if err := r.crowded(ctx, u, m); err != nil {
		refund()
		return nil, r.refuse(u, err)
	}
	ack, err := r.decide(ctx, u, id, made, m)
	if err != nil || ack.Duplicate {
		refund()
		if limited := r.Refused(u); limited != nil {
			err = limited
		}
	}
	if err != nil {
		return nil, err
	}
	return ack, nil
}

// repeated answers a message for which there is no budget: one that was accepted before needs none. Else: limited.
func (r *Router) repeated(ctx context.Context, u switchboard.UserID, id switchboard.ThreadID, m switchboard.Message, limited error) (any, error) {
	if err := r.Refused(u); err != nil {
		return nil, err
	}
	s, err := r.cache.take(ctx, u, id)
	if err != nil {
		return nil, err
	}
	defer s.give()
	if err := s.know(ctx, r.cfg.Journal); err != nil {
		return nil, err
	}
	if _, err := s.state.Advance(ctx, r.cfg.Journal); err != nil {
		return nil, err
	}
	if v, err := s.state.Accept(thread.Request{ID: m.ID, Payload: m.Payload, Time: time.Now()}, r.cfg.Rules); err == nil && v.Draft == nil {
		return v.Ack, nil
	}
	return nil, limited
}

// crowdedWait is how long a user with too many runs is asked to wait.
const crowdedWait = time.Second

// crowded refuses a message of a user who has as many runs as allowed, over all nodes, as far as this one has seen.
// Errors: RateLimited.
func (r *Router) crowded(ctx context.Context, u switchboard.UserID, m switchboard.Message) error {
	switch m.Payload.(type) {
	case *switchboard.UserMessage, *switchboard.StartAgent:
	default:
		return nil
	}
	return r.cfg.Threads.Index(ctx, u, func(x *thread.Index) error {
		if x.Busy() >= r.limits.ActiveRunsPerUser+r.limits.QueuedRunsPerUser {
			return switchboard.Errorf(switchboard.RateLimited, "too many runs are active or wait").After(crowdedWait)
		}
		return nil
	})
}

func (r *Router) decide(ctx context.Context, u switchboard.UserID, id switchboard.ThreadID, made bool, m switchboard.Message) (switchboard.Ack, error) {
	s, err := r.cache.take(ctx, u, id)
	if err != nil {
		return switchboard.Ack{}, err
	}
	defer s.give()
	st := s.state
	if !made || st.N > 0 {
		err := s.know(ctx, r.cfg.Journal)
		st = s.state
		if _, remove := m.Payload.(*switchboard.DeleteThread); remove && switchboard.CodeOf(err) == switchboard.Internal { // it is damaged
			st, err = thread.Unread(ctx, r.cfg.Journal, u, id)
		}
		if err != nil {
			return switchboard.Ack{}, err
		}
		if st.N == 0 {
			return switchboard.Ack{}, switchboard.Errorf(switchboard.NotFound, "no such thing").At("thread_id")
		}
	}
	req := thread.Request{ID: m.ID, Payload: m.Payload, Time: time.Now()}
	asked := false
	for range decideTries {
		v, err := st.Accept(req, r.cfg.Rules)
		if err != nil && !asked { // what is kept of the thread may be behind the log
			asked = true
			if news, behind := st.Advance(ctx, r.cfg.Journal); behind != nil || len(news) > 0 {
				if behind != nil {
					return switchboard.Ack{}, behind
				}
				continue
			}
		}
		if err != nil || v.Draft == nil {
			return v.Ack, err
		}
		stored, err := st.Put(ctx, r.cfg.Journal, *v.Draft)
		if err != nil || stored {
			return v.Ack, err
		}
	}
	return switchboard.Ack{}, switchboard.Errorf(switchboard.Unavailable, "the thread is too busy; send again with the same id")
}

// address returns the thread that a message goes to; made says that the message may begin it.
func address(u switchboard.UserID, m switchboard.Message) (id switchboard.ThreadID, made bool, err error) {
	var named switchboard.ThreadID
	switch p := m.Payload.(type) {
	case *switchboard.StopAgent:
		run, err := switchboard.ParseRunID(p.RunID)
		if err != nil {
			return "", false, under(err)
		}
		named = run.Thread()
	case *switchboard.RateAnswer:
		run, err := switchboard.ParseRunID(p.RunID)
		if err != nil {
			return "", false, under(err)
		}
		named = run.Thread()
	case *switchboard.ToolDecision:
		call, err := switchboard.ParseCallID(p.CallID)
		if err != nil {
			return "", false, under(err)
		}
		named = call.Run().Thread()
	case *switchboard.UserMessage, *switchboard.StartAgent:
		if m.ThreadID == "" {
			return switchboard.NewThreadID(u, m.ID), true, nil
		}
	}
	if m.ThreadID == "" {
		if named == "" {
			return "", false, switchboard.Errorf(switchboard.Invalid, "thread_id is needed").At("thread_id")
		}
		return named, false, nil
	}
	id, err = switchboard.ParseThreadID(m.ThreadID)
	if err != nil {
		return "", false, err
	}
	if named != "" && named != id {
		return "", false, switchboard.Errorf(switchboard.NotFound, "no such thing").At("thread_id")
	}
	return id, false, nil
}

// under puts the field of an error into the payload.
func under(err error) error {
	e := switchboard.AsError(err)
	return e.At("payload." + e.Field)
}

// refuse spends a refusal; when there are none left, that is the answer.
func (r *Router) refuse(u switchboard.UserID, err error) error {
	if limited := r.Refused(u); limited != nil {
		return limited
	}
	return err
}
