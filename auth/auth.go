// Package auth says who is speaking: accounts, login, tokens and sessions.
//
// An account's user id comes from a random subject that never changes, so a removed name never inherits. A token is a
// signed pointer to a session; it counts while its session and account exist and the password is the one it was made
// under. Accounts, sessions and signing keys are records that every node follows: what is removed anywhere ends
// everywhere within milliseconds, sockets included (Ended).
//
// All methods may be called concurrently. Errors are *switchboard.Error; passwords, tokens and keys are in none of
// them, and nothing here logs.
package auth

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/netra-systems/switchboard"
)

// Config holds the settings; the zero value is good.
type Config struct {
	Issuer            string        // names this installation in user ids and tokens; never change it. "": switchboard
	TokenTTL          time.Duration // how long a login lasts. 0: 24 h
	Hashes            int           // passwords hashed at once, 19 MiB each. 0: 2
	HashQueue         int           // passwords waiting to be hashed; more are refused. 0: 512
	FailuresPerName   int           // wrong passwords per name, at once and then per minute, on this node. 0: 10
	FailuresPerOrigin int           // wrong passwords per address (IPv6: per /64), likewise. 0: 300
	SessionsPerUser   int           // the oldest ends first. 0: 1000
}

// Validate reports the first setting that makes no sense.
func (c Config) Validate() error {
	switch {
	case c.TokenTTL != 0 && (c.TokenTTL < time.Minute || c.TokenTTL > maxTokenTTL):
		return errors.New("auth: the token's life must be between a minute and a year")
	case c.Hashes < 0, c.HashQueue < 0, c.FailuresPerName < 0, c.FailuresPerOrigin < 0, c.SessionsPerUser < 0:
		return errors.New("auth: a limit is negative")
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.Issuer == "" {
		c.Issuer = "switchboard"
	}
	if c.TokenTTL == 0 {
		c.TokenTTL = 24 * time.Hour
	}
	for _, d := range []struct {
		v   *int
		def int
	}{{&c.Hashes, 2}, {&c.HashQueue, 512}, {&c.FailuresPerName, 10}, {&c.FailuresPerOrigin, 300}, {&c.SessionsPerUser, 1000}} {
		if *d.v == 0 {
			*d.v = d.def
		}
	}
	return c
}

// Records are small documents with compare-and-set; errors have the codes NotFound, Conflict and Unavailable.
type Records interface {
	Get(ctx context.Context, key string) (value []byte, revision uint64, err error)
	Create(ctx context.Context, key string, value []byte) (revision uint64, err error)
	Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	Delete(ctx context.Context, key string, revision uint64) error
	// CreateTTL is Create for a key whose name never returns; Drop ends it early.
	CreateTTL(ctx context.Context, key string, value []byte, ttl time.Duration) (revision uint64, err error)
	Drop(ctx context.Context, key string) error
	List(ctx context.Context, prefix string, fn func(key string, value []byte, revision uint64) error) error
	// Watch tells what exists, then key "" once, then changes, in the order of revisions, until ctx ends; nil is gone.
	Watch(ctx context.Context, prefix string, fn func(key string, value []byte, revision uint64)) error
}

// Authority knows the accounts and vouches for tokens.
type Authority struct {
	cfg     Config
	records Records
	hashes  *hasher
	guesses *guesses
	known   *known
}

// Open reads the signing keys, and makes one at the first start.
func Open(ctx context.Context, cfg Config, r Records) (*Authority, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	a := &Authority{
		cfg: cfg, records: r, hashes: newHasher(cfg.Hashes, cfg.HashQueue),
		guesses: newGuesses(cfg.FailuresPerName, cfg.FailuresPerOrigin), known: newKnown(cfg.Issuer),
	}
	return a, a.openKeys(ctx)
}

// Run follows the records until ctx ends; it may run once. Without it tokens are verified against the records each
// time, and only what this Authority itself ends is seen by Ended.
func (a *Authority) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		tick := time.NewTicker(time.Minute)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-tick.C:
				a.known.sweep(now)
			}
		}
	})
	a.known.follow(true)
	defer a.known.follow(false)
	err := a.records.Watch(ctx, "", a.known.apply)
	if ctx.Err() != nil {
		return nil
	}
	cancel()
	return err
}

// unauthenticated is the one answer to a token that does not count.
func unauthenticated() error {
	return switchboard.Errorf(switchboard.Unauthenticated, "log in first")
}
