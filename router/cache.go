package router

import (
	"context"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// cacheSize is how many folded threads a node keeps.
const cacheSize = 8192

// cache keeps the folds of threads. What it holds may be behind the log: an append finds out.
type cache struct {
	mu    sync.Mutex // guards slots and their uses
	slots *simplelru.LRU[key, *slot]
}

// key has the user too: a thread is only ever looked up under the caller's own id.
type key struct {
	user   switchboard.UserID
	thread switchboard.ThreadID
}

// slot is one thread; its lock is held from take to give, so that one message at a time is decided on.
type slot struct {
	mu    thread.Turn // guards state
	state *thread.State
}

func newCache() *cache {
	l, _ := simplelru.NewLRU[key, *slot](cacheSize, nil)
	return &cache{slots: l}
}

// take returns the thread's slot, locked; give it back. Errors: Unavailable if its turn does not come before ctx ends.
func (c *cache) take(ctx context.Context, u switchboard.UserID, t switchboard.ThreadID) (*slot, error) {
	k := key{u, t}
	c.mu.Lock()
	s, ok := c.slots.Get(k)
	if !ok {
		s = &slot{mu: thread.NewTurn(), state: thread.NewState(u, t)}
		c.slots.Add(k, s)
	}
	c.mu.Unlock()
	if !s.mu.Wait(ctx) {
		return nil, switchboard.Errorf(switchboard.Unavailable, "the thread is waiting for the store; send again with the same id")
	}
	return s, nil
}

func (s *slot) give() { s.mu.Unlock() }

// know reads the thread if nothing is known of it. Called between take and give.
func (s *slot) know(ctx context.Context, log thread.Store) error {
	if s.state.N == 0 {
		st, err := thread.Load(ctx, log, s.state.User, s.state.Thread)
		if err != nil {
			return err
		}
		s.state = st
	}
	return s.state.Recall(ctx, log)
}

// observe folds an entry into a thread that is kept, if it is the next and nobody decides right now.
func (c *cache) observe(e thread.Entry) {
	c.mu.Lock()
	s, ok := c.slots.Peek(key{e.User, e.Event.ThreadID})
	c.mu.Unlock()
	if !ok || !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	if s.state.N > 0 && e.Header.N == s.state.N+1 {
		s.state.Apply(e)
	}
}
