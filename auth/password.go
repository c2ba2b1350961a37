package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/netra-systems/switchboard"
)

// Lengths of passwords in bytes.
const (
	MinPassword = 8
	MaxPassword = 1024
)

// argon2id's parameters (OWASP Password Storage Cheat Sheet, RFC 9106).
const (
	hashKiB  = 19456
	hashTime = 2
	saltLen  = 16
	hashLen  = 32
)

var b64 = base64.RawStdEncoding.Strict()

// checkNewPassword returns Invalid if nobody should have this password.
func checkNewPassword(password string) error {
	if len(password) < MinPassword {
		return switchboard.Errorf(switchboard.Invalid, "must have at least %d bytes", MinPassword).At("password")
	}
	return checkPassword(password)
}

// checkPassword returns Invalid if nobody can have this password.
func checkPassword(password string) error {
	switch {
	case len(password) > MaxPassword:
		return switchboard.Errorf(switchboard.Invalid, "must have at most %d bytes", MaxPassword).At("password")
	case !utf8.ValidString(password):
		return switchboard.Errorf(switchboard.Invalid, "not UTF-8").At("password")
	case strings.ContainsRune(password, 0):
		return switchboard.Errorf(switchboard.Invalid, "holds a NUL character").At("password")
	}
	return nil
}

// hasher hashes passwords, a few at a time: each takes 19 MiB and tens of milliseconds, so a flood must queue and then
// be refused.
type hasher struct {
	slots   chan struct{}
	waiting atomic.Int64
	queue   int64
	work    atomic.Int64 // hashes computed
}

func newHasher(atOnce, queue int) *hasher {
	return &hasher{slots: make(chan struct{}, atOnce), queue: int64(queue)}
}

// compute returns the argon2id key of a password. Errors: RateLimited if the queue is full.
func (h *hasher) compute(ctx context.Context, password string, p phc) ([]byte, error) {
	select {
	case h.slots <- struct{}{}:
	default:
		if h.waiting.Add(1) > h.queue {
			h.waiting.Add(-1)
			return nil, switchboard.Errorf(switchboard.RateLimited, "too many logins at once").After(time.Second)
		}
		defer h.waiting.Add(-1)
		select {
		case h.slots <- struct{}{}:
		case <-ctx.Done():
			return nil, switchboard.Wrap(switchboard.Unavailable, "given up while waiting", ctx.Err())
		}
	}
	defer func() { <-h.slots }()
	h.work.Add(1)
	return argon2.IDKey([]byte(password), p.salt, p.time, p.kib, p.lanes, uint32(len(p.key))), nil
}

// hash returns the PHC string of a new password.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	p := newPHC()
	key, err := h.compute(ctx, password, p)
	if err != nil {
		return "", err
	}
	p.key = key
	return p.String(), nil
}

// verify reports whether the password has this hash. An unreadable hash, as of an account that does not exist, costs
// the same work and is never right.
func (h *hasher) verify(ctx context.Context, password, hash string) (bool, error) {
	p, err := parsePHC(hash)
	readable := err == nil
	if !readable {
		p = newPHC()
	}
	key, err := h.compute(ctx, password, p)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(key, p.key) == 1 && readable, nil
}

// phc is a hash as the Password Hashing Competition's string format writes it: $argon2id$v=19$m=,t=,p=$salt$key.
type phc struct {
	kib, time uint32
	lanes     uint8
	salt, key []byte
}

// newPHC returns today's parameters with a random salt and an empty key.
func newPHC() phc {
	p := phc{kib: hashKiB, time: hashTime, lanes: 1, salt: make([]byte, saltLen), key: make([]byte, hashLen)}
	rand.Read(p.salt)
	return p
}

func (p phc) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.kib, p.time, p.lanes,
		b64.EncodeToString(p.salt), b64.EncodeToString(p.key))
}

// parsePHC reads a PHC string, within bounds that no damaged record can turn into a flood of work.
func parsePHC(s string) (p phc, err error) {
	bad := fmt.Errorf("not an argon2id hash")
	part := strings.Split(s, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, bad
	}
	if _, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &p.kib, &p.time, &p.lanes); err != nil {
		return p, bad
	}
	if p.salt, err = b64.DecodeString(part[4]); err != nil {
		return p, bad
	}
	if p.key, err = b64.DecodeString(part[5]); err != nil {
		return p, bad
	}
	if p.kib < 8 || p.kib > 1<<16 || p.time < 1 || p.time > 16 || p.lanes < 1 || p.lanes > 8 ||
		len(p.salt) < 8 || len(p.salt) > 64 || len(p.key) < 16 || len(p.key) > 64 || p.String() != s {
		return p, bad
	}
	return p, nil
}
