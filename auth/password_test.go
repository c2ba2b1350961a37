package auth

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/netra-systems/switchboard"
)

// TestHashFlood: at most two passwords are hashed at once, a bounded number waits, and the rest are refused.
func TestHashFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := open(t, Config{Hashes: 2, HashQueue: 3}, newMemory())
		add(t, a, "ann", Member)
		before := a.hashes.work.Load()
		for range 2 { // both places are taken
			a.hashes.slots <- struct{}{}
		}
		results := make(chan error, 100)
		gone, leave := context.WithCancel(t.Context())
		for i := range 20 {
			ctx := t.Context()
			if i == 0 {
				ctx = gone
			}
			go func() {
				_, _, err := a.Login(ctx, fmt.Sprint("name", i), password, fmt.Sprint("192.0.2.", i))
				results <- err
			}()
			synctest.Wait()
		}
		if n := a.hashes.work.Load() - before; n != 0 {
			t.Errorf("%d hashes while both places were taken", n)
		}
		if len(results) != 17 {
			t.Fatalf("%d logins were answered, want 17 refused and 3 waiting", len(results))
		}
		for range 17 {
			if e := switchboard.AsError(<-results); e.Code != switchboard.RateLimited || e.RetryAfter <= 0 {
				t.Errorf("refused with %v", e)
			}
		}
		leave()
		if err := <-results; switchboard.CodeOf(err) != switchboard.Unavailable {
			t.Errorf("a caller that left: %v", err)
		}
		<-a.hashes.slots
		<-a.hashes.slots
		for range 2 {
			wantCode(t, "a login that waited", <-results, switchboard.Unauthenticated, "")
		}
		if n := a.hashes.work.Load() - before; n != 2 || a.hashes.waiting.Load() != 0 {
			t.Errorf("%d hashes, %d waiting", n, a.hashes.waiting.Load())
		}
	})
}

func TestHashFormat(t *testing.T) {
	h := newHasher(1, 0)
	s, err := h.hash(t.Context(), password)
	if err != nil || !strings.HasPrefix(s, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("hash = %q, %v", s, err)
	}
	// Of the reference implementation: echo -n password | argon2 somesalt -id -t 2 -k 65536 -p 1 -l 24
	const reference = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for _, c := range []struct {
		hash, password string
		ok             bool
	}{
		{s, password, true}, {s, password + " ", false}, {s, "", false}, {reference, "password", true}, {"", "", false},
		{strings.Replace(s, "m=19456", "m=4294967295", 1), password, false}, {strings.Replace(s, "t=2", "t=4000000000", 1), password, false},
		{strings.Replace(s, "argon2id", "argon2i", 1), password, false}, {s + "$", password, false}, {strings.Replace(s, "p=1", "p=1x", 1), password, false},
	} {
		before := h.work.Load()
		ok, err := h.verify(t.Context(), c.password, c.hash)
		if ok != c.ok || err != nil || h.work.Load() != before+1 {
			t.Errorf("verify(%q, %q) = %v, %v", c.password, c.hash, ok, err)
		}
	}
}
