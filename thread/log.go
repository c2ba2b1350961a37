package thread

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"github.com/netra-systems/switchboard"
)

// ErrConflict says that the thread does not end where the writer thought: nothing was stored.
var ErrConflict = errors.New("the thread has moved on")

// ErrUnknown says that it is not known whether the entry was stored: the log must be asked.
var ErrUnknown = errors.New("it is not known whether the event was stored")

// Log is the log of a thread.
type Log interface {
	// Append stores a draft durably if the thread ends at a position: ErrConflict if it does not, ErrUnknown if the
	// outcome is not known, else a *switchboard.Error and nothing was stored.
	Append(ctx context.Context, u switchboard.UserID, d Draft, at Position) (Entry, error)
	// Read returns the entries after a position, without gaps.
	Read(ctx context.Context, u switchboard.UserID, t switchboard.ThreadID, after Position) ([]Entry, error)
}

// Store is a log that a reader who knows nothing of a thread can ask.
type Store interface {
	Log
	// Newest returns the thread's newest entry; false if there is none.
	Newest(ctx context.Context, u switchboard.UserID, t switchboard.ThreadID) (Entry, bool, error)
	// People returns the first count entries that people wrote, all of them at or below a sequence.
	People(ctx context.Context, u switchboard.UserID, t switchboard.ThreadID, upTo, count uint64) ([]Entry, error)
}

// patientTries bounds how often something is tried again because a replica that is behind may have answered: an append
// whose outcome is unknown, or that met a conflict of which the log shows nothing, and a read that ends too early.
const patientTries = 5

// behindWait is the first wait for such a replica; each later one is twice as long.
const behindWait = 20 * time.Millisecond

// patient calls fn until it is done, and returns its error. Errors also: Unavailable, ctx's.
func patient(ctx context.Context, fn func() (done bool, err error)) error {
	for try := 0; ; try++ {
		done, err := fn()
		switch {
		case done:
			return err
		case try == patientTries && err == nil:
			return switchboard.Errorf(switchboard.Unavailable, "the log does not answer; send again with the same id")
		case try == patientTries:
			return err
		}
		select {
		case <-time.After(behindWait << try):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Put appends a draft that was decided on this state, and folds it. Stored is false when others wrote first: their
// entries are folded now, and the caller decides anew on what it sees. It is never repeated blindly: after a conflict
// or an unknown outcome the log is read, and an entry with the draft's append id there means stored.
func (s *State) Put(ctx context.Context, log Log, d Draft) (stored bool, err error) {
	d.Header.N, d.Header.Append = s.N+1, rand.Text()
	d.Event.ThreadID = s.Thread
	if d.Event.Type != switchboard.ThreadDeleted {
		d.Event.N = s.N + 1
	}
	s.Preview(&d)
	err = patient(ctx, func() (done bool, err error) {
		e, err := log.Append(ctx, s.User, d, s.Position)
		if err == nil {
			s.Apply(e)
			stored = true
			return true, nil
		}
		if !errors.Is(err, ErrConflict) && !errors.Is(err, ErrUnknown) {
			return true, err
		}
		news, err := s.Advance(ctx, log)
		stored = slices.ContainsFunc(news, func(e Entry) bool { return e.Header.Append == d.Header.Append })
		return err != nil || len(news) > 0, err
	})
	return stored, err
}

// Advance folds what was written since, and returns it.
func (s *State) Advance(ctx context.Context, log Log) ([]Entry, error) {
	news, err := log.Read(ctx, s.User, s.Thread, s.Position)
	if err != nil {
		return nil, err
	}
	for _, e := range news {
		s.Apply(e)
	}
	return news, nil
}
