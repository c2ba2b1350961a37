package auth

import (
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"

	"github.com/netra-systems/switchboard"
)

// guesses limits wrong passwords per name and per address. Only failures are charged, and a login in progress counts
// as one until it is decided, so guesses in parallel gain nothing. The tables are bounded: the longest unused goes.
type guesses struct {
	mu        sync.Mutex // guards all below
	names     guessTable
	addresses guessTable
}

type guessTable struct {
	buckets   *simplelru.LRU[string, *bucket]
	perMinute int
}

type bucket struct {
	failures *rate.Limiter
	open     int // logins in progress
}

const maxGuessers = 1 << 15 // of each table

func newGuesses(perName, perAddress int) *guesses {
	return &guesses{names: newGuessTable(perName), addresses: newGuessTable(perAddress)}
}

func newGuessTable(perMinute int) guessTable {
	t, err := simplelru.NewLRU[string, *bucket](maxGuessers, nil)
	if err != nil { // the size is a constant above zero
		panic(err)
	}
	return guessTable{t, perMinute}
}

func (t guessTable) bucket(key string) *bucket {
	b, ok := t.buckets.Get(key)
	if !ok {
		b = &bucket{failures: rate.NewLimiter(rate.Limit(t.perMinute)/60, t.perMinute)}
		t.buckets.Add(key, b)
	}
	return b
}

// wait returns how long until the bucket has room, 0 if it has.
func (b *bucket) wait() time.Duration {
	tokens := b.failures.Tokens()
	switch {
	case tokens-float64(b.open) >= 1:
		return 0
	case tokens >= 1: // others are being decided
		return time.Second
	}
	return time.Duration((1 - tokens) / float64(b.failures.Limit()) * float64(time.Second))
}

// begin admits a login, whether or not the name exists; call end with its outcome. Errors: RateLimited.
func (g *guesses) begin(name, from string) (end func(failed bool), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	buckets := []*bucket{g.names.bucket(name)}
	if origin := originOf(from); origin != "" {
		buckets = append(buckets, g.addresses.bucket(origin))
	}
	for _, b := range buckets {
		if d := b.wait(); d > 0 {
			return nil, switchboard.Errorf(switchboard.RateLimited, "too many wrong passwords").After(d)
		}
	}
	for _, b := range buckets {
		b.open++
	}
	return func(failed bool) {
		g.mu.Lock()
		defer g.mu.Unlock()
		for _, b := range buckets {
			b.open--
			if failed {
				b.failures.Allow()
			}
		}
	}, nil
}

// originOf returns what one attacker has of addresses: an IPv4 address, an IPv6 /64; the text itself if it is neither.
func originOf(from string) string {
	addr, err := netip.ParseAddr(from)
	if err != nil {
		ap, err := netip.ParseAddrPort(from)
		if err != nil {
			return from[:min(len(from), 64)]
		}
		addr = ap.Addr()
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return addr.String()
	}
	p, _ := addr.Prefix(64) // 64 bits are always right for IPv6
	return p.String()
}
