package thread

import "context"

// Turn is the right to fold and write a thread, one holder at a time. Unlike a mutex it is made to be held while the log
// is waited for. Make it with NewTurn.
type Turn chan struct{}

// NewTurn returns a Turn that nobody has.
func NewTurn() Turn { return make(Turn, 1) }

// Lock waits for the turn.
func (t Turn) Lock() { t <- struct{}{} }

// Wait waits for the turn until ctx ends, and reports whether it was given.
func (t Turn) Wait(ctx context.Context) bool {
	select {
	case t <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// TryLock takes the turn if nobody has it.
func (t Turn) TryLock() bool {
	select {
	case t <- struct{}{}:
		return true
	default:
		return false
	}
}

// Unlock gives the turn back.
func (t Turn) Unlock() { <-t }
