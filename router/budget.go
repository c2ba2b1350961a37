package router

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"

	"github.com/netra-systems/switchboard"
)

// budgetUsers is how many users' budgets a node remembers.
const budgetUsers = 65536

// budgets limit what a user may send: accepted messages, and frames that add nothing.
type budgets struct {
	limits switchboard.Limits
	mu     sync.Mutex // guards users
	users  *simplelru.LRU[switchboard.UserID, *budget]
}

type budget struct{ messages, refusals *rate.Limiter }

func newBudgets(l switchboard.Limits) *budgets {
	users, _ := simplelru.NewLRU[switchboard.UserID, *budget](budgetUsers, nil)
	return &budgets{limits: l, users: users}
}

func (b *budgets) of(u switchboard.UserID) *budget {
	b.mu.Lock()
	defer b.mu.Unlock()
	x, ok := b.users.Get(u)
	if !ok {
		x = &budget{
			messages: rate.NewLimiter(rate.Limit(float64(b.limits.MessagesPerMinute)/60), b.limits.MessageBurst),
			refusals: rate.NewLimiter(rate.Limit(float64(b.limits.RefusalsPerMinute)/60), b.limits.RefusalsPerMinute),
		}
		b.users.Add(u, x)
	}
	return x
}

// reserve spends a message; refund gives it back. Errors: RateLimited.
func (b *budgets) reserve(u switchboard.UserID) (refund func(), err error) {
	now := time.Now()
	r := b.of(u).messages.ReserveN(now, 1)
	if d := r.DelayFrom(now); d > 0 {
		r.CancelAt(now)
		return nil, switchboard.Errorf(switchboard.RateLimited, "too many messages").After(d)
	}
	return func() { b.of(u).refund(time.Now()) }, nil
}

// refund puts one message back: a reservation that was taken at once cannot be cancelled later, a negative one can be
// made.
func (x *budget) refund(at time.Time) { x.messages.AllowN(at, -1) }

func (b *budgets) spendRefusal(u switchboard.UserID) error {
	now := time.Now()
	r := b.of(u).refusals.ReserveN(now, 1)
	if d := r.DelayFrom(now); d > 0 {
		r.CancelAt(now)
		return switchboard.Errorf(switchboard.RateLimited, "too many requests").After(d)
	}
	return nil
}
