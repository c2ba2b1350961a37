package mcp

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/netra-systems/switchboard"
)

// idleWait is how long a user's session is kept without a call.
const idleWait = 5 * time.Minute

// errBusy says that too many users have calls of a server at once.
var errBusy = errors.New("too many users are calling the tool's server")

// pool holds sessions of users, one for each: no user's call ever goes through another's.
type pool struct {
	open func(ctx context.Context, u switchboard.UserID) (*session, error)
	max  int

	mu    sync.Mutex // guards what follows, also inside users; never held while a session opens or closes
	users map[switchboard.UserID]*pooled
	parts sync.WaitGroup // sessions that are being closed
}

type pooled struct {
	ready   chan struct{} // closed when the rest is known
	session *session
	err     error
	calls   int
	used    time.Time
}

func newPool(limit int, open func(context.Context, switchboard.UserID) (*session, error)) *pool {
	return &pool{open: open, max: limit, users: map[switchboard.UserID]*pooled{}}
}

// get returns the user's session and opens it if there is none that lives. Call release in the end.
func (p *pool) get(ctx context.Context, u switchboard.UserID) (x *session, release func(), err error) {
	p.mu.Lock()
	one := p.users[u]
	if one != nil && one.session != nil && one.session.dead() {
		p.dropLocked(u)
		one = nil
	}
	opens := one == nil
	if opens {
		if len(p.users) >= p.max && !p.evictLocked() {
			p.mu.Unlock()
			return nil, nil, errBusy
		}
		one = &pooled{ready: make(chan struct{})}
		p.users[u] = one
	}
	one.calls++
	p.mu.Unlock()
	release = func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		one.calls--
		one.used = time.Now()
	}
	if opens {
		p.opened(ctx, u, one)
	}
	select {
	case <-one.ready:
	case <-ctx.Done():
		release()
		return nil, nil, context.Cause(ctx)
	}
	if one.err != nil {
		release()
		return nil, nil, one.err
	}
	return one.session, release, nil
}

// opened opens the session of an entry.
func (p *pool) opened(ctx context.Context, u switchboard.UserID, one *pooled) {
	defer close(one.ready)
	x, err := p.open(ctx, u)
	p.mu.Lock()
	dropped := p.users[u] != one // the pool was closed meanwhile
	switch {
	case dropped && err == nil:
		one.err = errAway
	case err != nil && !dropped:
		delete(p.users, u)
		fallthrough
	default:
		one.session, one.err = x, err
	}
	p.mu.Unlock()
	if dropped && err == nil {
		x.close()
	}
}

// drop forgets a session that turned out to be of no use.
func (p *pool) drop(u switchboard.UserID, x *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if one := p.users[u]; one != nil && one.session == x {
		p.dropLocked(u)
	}
}

// sweep closes the sessions that have been idle for long.
func (p *pool) sweep(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for u, one := range p.users {
		if one.session != nil && one.calls == 0 && now.Sub(one.used) >= idleWait {
			p.dropLocked(u)
		}
	}
}

// close closes all sessions and returns when they are closed. Calls that are under way fail.
func (p *pool) close() {
	p.mu.Lock()
	for u := range p.users {
		p.dropLocked(u)
	}
	p.mu.Unlock()
	p.parts.Wait()
}

// evictLocked makes room by the session that has been idle longest; false if none is idle.
func (p *pool) evictLocked() bool {
	var oldest switchboard.UserID
	for u, one := range p.users {
		if one.session != nil && one.calls == 0 && (oldest == "" || one.used.Before(p.users[oldest].used)) {
			oldest = u
		}
	}
	if oldest != "" {
		p.dropLocked(oldest)
	}
	return oldest != ""
}

func (p *pool) dropLocked(u switchboard.UserID) {
	one := p.users[u]
	delete(p.users, u)
	if one.session != nil {
		p.parts.Go(one.session.close)
	}
}
