package tool

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/netra-systems/switchboard"
)

// users limits what each user may do with tools: calls per minute, calls running at once, and calls of one tool that
// were given up but still run. It forgets a user whom nothing runs for and whose minute is full again.
type users struct {
	slots     int // per user; also the calls of one tool that may be stuck
	perMinute int

	mu    sync.Mutex // guards everything below, also inside user and running; never held while anything else is called
	known map[switchboard.UserID]*user
	swept time.Time
}

type user struct {
	rate  *rate.Limiter
	slots chan struct{}
	holds int            // calls that wait or run, or are stuck
	stuck map[string]int // by tool
}

func newUsers(slots, perMinute int) *users {
	return &users{slots: slots, perMinute: perMinute, known: map[switchboard.UserID]*user{}}
}

// get returns the user. The caller holds u.mu.
func (u *users) get(id switchboard.UserID) *user {
	now := time.Now()
	if now.Sub(u.swept) >= time.Minute {
		u.swept = now
		for id, one := range u.known {
			if one.holds == 0 && one.rate.TokensAt(now) >= float64(u.perMinute) {
				delete(u.known, id)
			}
		}
	}
	one := u.known[id]
	if one == nil {
		one = &user{
			rate:  rate.NewLimiter(rate.Limit(float64(u.perMinute)/60), u.perMinute),
			slots: make(chan struct{}, u.slots),
			stuck: map[string]int{},
		}
		u.known[id] = one
	}
	return one
}

// take counts a call; it returns how long to wait if there were too many in the last minute, 0 if not.
func (u *users) take(id switchboard.UserID) time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	r := u.get(id).rate.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

var errBusy = errors.New("no free slot")

// slot waits for one of the user's slots, at most for limit. Without an error, release gives it back.
func (u *users) slot(ctx context.Context, id switchboard.UserID, limit time.Duration) (release func(), err error) {
	u.mu.Lock()
	one := u.get(id)
	one.holds++
	u.mu.Unlock()
	release = func() {
		<-one.slots
		u.drop(one)
	}
	select {
	case one.slots <- struct{}{}:
		return release, nil
	default:
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case one.slots <- struct{}{}:
		return release, nil
	case <-timer.C:
		err = errBusy
	case <-ctx.Done():
		err = ctx.Err()
	}
	u.drop(one)
	return nil, err
}

func (u *users) drop(one *user) {
	u.mu.Lock()
	one.holds--
	u.mu.Unlock()
}

// running is one call of a tool, from before its goroutine starts until it ends.
type running struct {
	users            *users
	user             *user
	tool             string
	gauge            prometheus.Gauge
	ended, abandoned bool
}

// begin returns nil if too many calls of this tool are stuck for this user.
func (u *users) begin(id switchboard.UserID, tool string, gauge prometheus.Gauge) *running {
	u.mu.Lock()
	defer u.mu.Unlock()
	one := u.get(id)
	if one.stuck[tool] >= u.slots {
		return nil
	}
	one.holds++
	return &running{users: u, user: one, tool: tool, gauge: gauge}
}

// end says that the goroutine is about to end.
func (r *running) end() {
	r.users.mu.Lock()
	defer r.users.mu.Unlock()
	r.ended = true
	r.user.holds--
	if r.abandoned {
		if r.user.stuck[r.tool]--; r.user.stuck[r.tool] == 0 {
			delete(r.user.stuck, r.tool)
		}
		r.gauge.Dec()
	}
}

// abandon says that nobody waits for the call any more.
func (r *running) abandon() {
	r.users.mu.Lock()
	defer r.users.mu.Unlock()
	if r.ended {
		return
	}
	r.abandoned = true
	r.user.stuck[r.tool]++
	r.gauge.Inc()
}
