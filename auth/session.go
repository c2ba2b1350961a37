package auth

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/netra-systems/switchboard"
)

// Identity is a user who is logged in.
type Identity struct {
	User    switchboard.User
	Session string    // names the session; opaque, no secret
	Expires time.Time // whole seconds
}

// sessionRecord is the record of a session, under session.<user>.<random>.
type sessionRecord struct {
	Name       string           `json:"name"`       // of the account
	Generation uint64           `json:"generation"` // of the account's password
	Created    switchboard.Time `json:"created"`
	Expires    switchboard.Time `json:"expires"`
}

const (
	sessionKey  = "session."
	maxTokenTTL = 366 * 24 * time.Hour
)

// Login returns a token for a name and a password; from is the address of who asks, "" if it has none. A name that
// does not exist costs the same work and gives the same answer as a wrong password. Errors: Unauthenticated, Invalid
// with field username or password, RateLimited, Unavailable.
func (a *Authority) Login(ctx context.Context, name, password, from string) (token string, id Identity, err error) {
	if len(name) > maxName || strings.ContainsRune(name, 0) {
		return "", Identity{}, switchboard.Errorf(switchboard.Invalid, "must have at most %d characters, none of them NUL", maxName).At("username")
	}
	if err := checkPassword(password); err != nil {
		return "", Identity{}, err
	}
	folded, unfit := foldName(name)
	if unfit != nil {
		folded = name
	}
	end, err := a.guesses.begin(folded, from)
	if err != nil {
		return "", Identity{}, err
	}
	failed := false
	defer func() { end(failed) }()
	var r accountRecord
	if unfit == nil {
		if r, _, err = a.account(ctx, folded); err != nil && switchboard.CodeOf(err) != switchboard.NotFound {
			return "", Identity{}, err
		}
	}
	ok, err := a.hashes.verify(ctx, password, r.Hash)
	if err != nil {
		return "", Identity{}, err
	}
	if !ok {
		failed = true
		return "", Identity{}, switchboard.Errorf(switchboard.Unauthenticated, "wrong name or password")
	}
	return a.begin(ctx, folded, r, a.cfg.TokenTTL)
}

// CreateToken returns a token of a new session of the account, for scripts; ttl 0 means Config.TokenTTL, at most a
// year. Errors: Invalid with field name or ttl, NotFound, Unavailable.
func (a *Authority) CreateToken(ctx context.Context, name string, ttl time.Duration) (string, error) {
	name, err := foldName(name)
	if err != nil {
		return "", err
	}
	if ttl == 0 {
		ttl = a.cfg.TokenTTL
	}
	if ttl < time.Second || ttl > maxTokenTTL {
		return "", switchboard.Errorf(switchboard.Invalid, "must be between a second and a year").At("ttl")
	}
	r, _, err := a.account(ctx, name)
	if err != nil {
		return "", err
	}
	token, _, err := a.begin(ctx, name, r, ttl)
	return token, err
}

// begin makes a session and its token.
func (a *Authority) begin(ctx context.Context, name string, r accountRecord, ttl time.Duration) (string, Identity, error) {
	user := r.id(a.cfg.Issuer)
	if sid, full := a.known.oldest(user, a.cfg.SessionsPerUser); full {
		if err := a.dropSession(ctx, user, sid); err != nil {
			return "", Identity{}, err
		}
	}
	now := time.Now()
	expires := now.Add(ttl).Truncate(time.Second)
	s := sessionRecord{name, r.Generation, switchboard.At(now), switchboard.At(expires)}
	v, err := json.Marshal(s)
	if err != nil {
		return "", Identity{}, err
	}
	sid := rand.Text()
	revision, err := a.records.CreateTTL(ctx, sessionKey+string(user)+"."+sid, v, expires.Sub(now))
	if err != nil {
		return "", Identity{}, err
	}
	a.known.remember(user, sid, s, revision)
	token, err := a.sign(user, sid, now, expires)
	if err != nil {
		return "", Identity{}, err
	}
	return token, identity(user, sid, name, r.Role, expires), nil
}

// Verify returns who holds a token. Errors: Unauthenticated, the same for everything that can be wrong with a token;
// Unavailable.
func (a *Authority) Verify(ctx context.Context, token string) (Identity, error) {
	c, ok := a.parse(token)
	if !ok {
		return Identity{}, unauthenticated()
	}
	user, now := switchboard.UserID(c.Subject), time.Now()
	if acc, expires, ok := a.known.look(user, c.Session, now); ok {
		return identity(user, c.Session, acc.name, acc.role, expires), nil
	}
	id, err := a.verifyStored(ctx, user, c.Session, now)
	switch switchboard.CodeOf(err) {
	case switchboard.NotFound, switchboard.Invalid:
		return Identity{}, unauthenticated()
	}
	return id, err
}

// verifyStored reads session and account from the records: another node may have made them a moment ago.
func (a *Authority) verifyStored(ctx context.Context, user switchboard.UserID, sid string, now time.Time) (Identity, error) {
	v, revision, err := a.records.Get(ctx, sessionKey+string(user)+"."+sid)
	if err != nil {
		return Identity{}, err
	}
	var s sessionRecord
	if err := json.Unmarshal(v, &s); err != nil {
		return Identity{}, switchboard.Wrap(switchboard.Internal, "the session cannot be read", err)
	}
	r, _, err := a.account(ctx, s.Name)
	if err != nil {
		return Identity{}, err
	}
	if r.id(a.cfg.Issuer) != user || r.Generation != s.Generation || !now.Before(s.Expires.Time) ||
		!a.known.remember(user, sid, s, revision) {
		return Identity{}, unauthenticated()
	}
	return identity(user, sid, s.Name, r.Role, s.Expires.Time), nil
}

// Logout ends the session; it is no error if it has ended. Errors: Unavailable.
func (a *Authority) Logout(ctx context.Context, id Identity) error {
	user, sid, ok := strings.Cut(id.Session, ".")
	if !ok {
		return nil
	}
	return a.dropSession(ctx, switchboard.UserID(user), sid)
}

// Ended returns a channel that is closed when the session of an Identity ends: by Logout, a new password, the removal
// of the account, or in time. Nothing need be given back.
func (a *Authority) Ended(session string) <-chan struct{} {
	user, sid, _ := strings.Cut(session, ".")
	return a.known.watch(switchboard.UserID(user), sid)
}

func (a *Authority) dropSession(ctx context.Context, user switchboard.UserID, sid string) error {
	if err := a.records.Drop(ctx, sessionKey+string(user)+"."+sid); err != nil {
		return err
	}
	a.known.drop(user, sid)
	return nil
}

// dropSessions ends all sessions of a user.
func (a *Authority) dropSessions(ctx context.Context, user switchboard.UserID) error {
	var sids []string
	prefix := sessionKey + string(user)
	err := a.records.List(ctx, prefix, func(key string, _ []byte, _ uint64) error {
		sids = append(sids, strings.TrimPrefix(key, prefix+"."))
		return nil
	})
	for _, sid := range sids {
		if err == nil {
			err = a.dropSession(ctx, user, sid)
		}
	}
	return err
}

func identity(user switchboard.UserID, sid, name string, role Role, expires time.Time) Identity {
	return Identity{
		User:    switchboard.User{ID: user, Name: name, Roles: role.names()},
		Session: string(user) + "." + sid, Expires: expires.UTC(),
	}
}
