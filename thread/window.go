package thread

import (
	"context"

	"github.com/netra-systems/switchboard"
)

// WindowBytes is how much of a thread is remembered at least, in bytes of encoded events, if it has so much; twice as
// much at most, and the runs since.
const WindowBytes = 128 << 10

// keptBytes bounds what is remembered for an agent that has not summed it up.
const keptBytes = 2 << 20

// Window says where a reader who knows nothing of a thread may begin. Every header carries it, so that neither a fold
// nor what a model is shown costs more in a long thread than in a short one.
type Window struct {
	Rest  Position `json:"r,omitzero"` // the newest place without open runs: a fold may begin here
	Start Position `json:"s,omitzero"` // what agents remember begins here, also a place without open runs
	Next  Position `json:"n,omitzero"` // where it will begin once there are WindowBytes behind
	Bytes int      `json:"b,omitzero"` // from Next to Rest
	Held  int      `json:"h,omitzero"` // from Start to Next
	Keep  bool     `json:"k,omitzero"` // an agent sums up what it cannot keep: nothing is forgotten before
	Sum   uint64   `json:"u,omitzero"` // the n up to which the thread is summed up
}

// rest moves the window to a place without open runs, so many bytes after the last.
func (w *Window) rest(at Position, bytes int) {
	w.Rest = at
	if w.Bytes += bytes; w.Bytes < WindowBytes {
		return
	}
	if w.Keep && w.Next.N > w.Sum && w.Held+w.Bytes < keptBytes {
		return
	}
	w.Start, w.Next, w.Held, w.Bytes = w.Next, at, w.Bytes, 0
}

// Load folds a thread from its newest rest on. What people wrote before is not known to the state: Recall reads it
// before a message is decided on. Errors: those of the log.
func Load(ctx context.Context, log Store, u switchboard.UserID, t switchboard.ThreadID) (*State, error) {
	s := NewState(u, t)
	newest, _, err := log.Newest(ctx, u, t)
	if err != nil {
		return nil, err
	}
	s.Window = newest.Header.Window
	s.Position, s.before = s.Window.Rest, s.Window.Rest
	return s, patient(ctx, func() (done bool, err error) {
		_, err = s.Advance(ctx, log)
		return err != nil || s.N >= newest.Header.N, err
	})
}

// Unread returns the state of a thread that cannot be read, for it is damaged: nothing is known but where it ends, which
// is enough to delete it, and for nothing else. Errors: those of the log.
func Unread(ctx context.Context, log Store, u switchboard.UserID, t switchboard.ThreadID) (*State, error) {
	s := NewState(u, t)
	newest, _, err := log.Newest(ctx, u, t)
	s.Position = Position{N: newest.Header.N, Seq: newest.Seq, Chain: newest.Header.Chain}
	s.Deleted, s.Total = newest.Header.Summary.Created.IsZero(), newest.Header.Total
	return s, err
}

// Remember returns the entries that agents remember: those of the window, as far as they are folded. Errors: those of
// the log.
func (s *State) Remember(ctx context.Context, log Log) (es []Entry, err error) {
	err = patient(ctx, func() (done bool, err error) {
		es, err = log.Read(ctx, s.User, s.Thread, s.Window.Start)
		return err != nil || s.Position == s.Window.Start || len(es) > 0 && es[len(es)-1].Seq >= s.Seq, err
	})
	for len(es) > 0 && es[len(es)-1].Seq > s.Seq {
		es = es[:len(es)-1]
	}
	return es, err
}

// Recall reads what people wrote before the state's fold began: without it a message that was accepted then would be
// accepted again. Errors: those of the log.
func (s *State) Recall(ctx context.Context, log Store) error {
	if s.behind == 0 || s.Deleted {
		return nil
	}
	var es []Entry
	err := patient(ctx, func() (done bool, err error) {
		if es, err = log.People(ctx, s.User, s.Thread, s.before.Seq, s.behind); err == nil || switchboard.CodeOf(err) == switchboard.Unavailable {
			return true, err
		}
		if _, behind := s.Advance(ctx, log); behind == nil && s.Deleted { // they are being erased
			return true, nil
		}
		return false, err
	})
	if err != nil || s.Deleted {
		return err
	}
	asked, marks := s.Asked, s.Marks
	s.Asked, s.Marks, s.behind = nil, nil, 0
	for _, e := range es {
		s.mark(e)
		s.recall(e)
	}
	s.Asked, s.Marks = append(s.Asked, asked...), append(s.Marks, marks...)
	return nil
}
