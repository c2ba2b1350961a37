package auth

import (
	"crypto/ed25519"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/netra-systems/switchboard"
)

// known is what this node knows of the records: a cache that follows them. What it holds is true but for the lag of
// the following; what it lacks may exist, and is then read from the records and remembered.
type known struct {
	issuer string

	mu      sync.Mutex // guards all below
	live    bool       // the records are being followed
	applied uint64     // every record up to this revision that exists is known
	people  map[switchboard.UserID]*person
	names   map[string]switchboard.UserID
	keys    map[string]signingKey // by the number in the record's name
}

// person is a user with an account or a session.
type person struct {
	account  *knownAccount // nil if there is none, or none yet
	sessions map[string]*knownSession
}

type knownAccount struct {
	name       string
	role       Role
	generation uint64
}

type knownSession struct {
	generation uint64
	created    int64 // Unix time in seconds
	expires    int64 // Unix time in seconds
	revision   uint64
	followed   bool          // it was told by the records, not only read
	ended      chan struct{} // closed when the session ends; nil until somebody asks
}

func newKnown(issuer string) *known {
	return &known{
		issuer: issuer, people: map[switchboard.UserID]*person{}, names: map[string]switchboard.UserID{},
		keys: map[string]signingKey{},
	}
}

func (k *known) follow(live bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.live = live
}

// apply takes a change of the records, in the order of revisions; nil means gone, key "" that all were told.
func (k *known) apply(key string, value []byte, revision uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.applied = max(k.applied, revision)
	kind, rest, _ := strings.Cut(key, ".")
	switch kind {
	case "":
		k.endUntold()
	case "account":
		k.applyAccount(rest, value)
	case "session":
		user, sid, _ := strings.Cut(rest, ".")
		k.applySession(switchboard.UserID(user), sid, value, revision)
	case "key":
		k.applyKey(rest, value)
	}
}

func (k *known) applyAccount(name string, value []byte) {
	var r accountRecord
	exists := value != nil && json.Unmarshal(value, &r) == nil
	id := r.id(k.issuer)
	if old, ok := k.names[name]; ok && (!exists || old != id) {
		p := k.people[old]
		p.account = nil
		for sid := range p.sessions {
			k.end(old, sid)
		}
		delete(k.names, name)
		k.forget(old)
	}
	if !exists {
		return
	}
	p := k.person(id)
	p.account = &knownAccount{name, r.Role, r.Generation}
	k.names[name] = id
	for sid, s := range p.sessions {
		if s.generation < r.Generation {
			k.end(id, sid)
		}
	}
}

func (k *known) applySession(user switchboard.UserID, sid string, value []byte, revision uint64) {
	var r sessionRecord
	if value == nil || json.Unmarshal(value, &r) != nil {
		k.end(user, sid)
		return
	}
	k.put(user, sid, r, revision).followed = true
}

func (k *known) applyKey(number string, value []byte) {
	key, err := parseKey(value)
	if value == nil || err != nil {
		delete(k.keys, number)
		return
	}
	k.keys[number] = key
}

// endUntold ends the sessions that were read before the following began and are gone since.
func (k *known) endUntold() {
	for user, p := range k.people {
		for sid, s := range p.sessions {
			if !s.followed && s.revision <= k.applied {
				k.end(user, sid)
			}
		}
	}
}

// remember takes a session that was read from the records; false if it has ended since.
func (k *known) remember(user switchboard.UserID, sid string, r sessionRecord, revision uint64) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if p := k.people[user]; p != nil && p.sessions[sid] != nil {
		return true
	}
	if k.live && revision <= k.applied {
		return false
	}
	k.put(user, sid, r, revision)
	return true
}

func (k *known) put(user switchboard.UserID, sid string, r sessionRecord, revision uint64) *knownSession {
	p := k.person(user)
	if p.sessions == nil {
		p.sessions = map[string]*knownSession{}
	}
	s := p.sessions[sid]
	if s == nil {
		s = &knownSession{}
		p.sessions[sid] = s
	}
	s.generation, s.created, s.expires, s.revision = r.Generation, r.Created.Unix(), r.Expires.Unix(), revision
	return s
}

// look returns the account and the end of a session that certainly counts; false if that must be read from the records.
func (k *known) look(user switchboard.UserID, sid string, now time.Time) (acc knownAccount, expires time.Time, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.people[user]
	if !k.live || p == nil || p.account == nil {
		return acc, expires, false
	}
	s := p.sessions[sid]
	if s == nil || s.generation != p.account.generation || now.Unix() >= s.expires {
		return acc, expires, false
	}
	return *p.account, time.Unix(s.expires, 0), true
}

// watch returns a channel that is closed when the session ends.
func (k *known) watch(user switchboard.UserID, sid string) <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	var s *knownSession
	if p := k.people[user]; p != nil {
		s = p.sessions[sid]
	}
	if s == nil { // ended, or never was
		s = &knownSession{ended: make(chan struct{})}
		close(s.ended)
	} else if s.ended == nil {
		s.ended = make(chan struct{})
	}
	return s.ended
}

// oldest returns the oldest session of a user who has limit of them or more.
func (k *known) oldest(user switchboard.UserID, limit int) (sid string, full bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.people[user]
	if p == nil || len(p.sessions) < limit {
		return "", false
	}
	for id, s := range p.sessions {
		if sid == "" || s.created < p.sessions[sid].created {
			sid = id
		}
	}
	return sid, true
}

// sweep ends the sessions that have expired, should the records not have told.
func (k *known) sweep(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for user, p := range k.people {
		for sid, s := range p.sessions {
			if now.Unix() >= s.expires {
				k.end(user, sid)
			}
		}
	}
}

// drop ends a session that this node removed from the records.
func (k *known) drop(user switchboard.UserID, sid string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.end(user, sid)
}

// signer returns the newest key.
func (k *known) signer() (signingKey, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	newest := 0
	var key signingKey
	for number, s := range k.keys {
		if n, err := strconv.Atoi(number); err == nil && n > newest {
			newest, key = n, s
		}
	}
	return key, newest > 0
}

// verifier returns the public key with this id. Ids are compared, never used as a place to look.
func (k *known) verifier(id string) (ed25519.PublicKey, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.keys {
		if s.id == id {
			return s.private.Public().(ed25519.PublicKey), true
		}
	}
	return nil, false
}

// The methods below are called with mu held.

func (k *known) person(user switchboard.UserID) *person {
	p := k.people[user]
	if p == nil {
		p = &person{}
		k.people[user] = p
	}
	return p
}

func (k *known) end(user switchboard.UserID, sid string) {
	p := k.people[user]
	if p == nil || p.sessions[sid] == nil {
		return
	}
	if c := p.sessions[sid].ended; c != nil {
		close(c)
	}
	delete(p.sessions, sid)
	k.forget(user)
}

func (k *known) forget(user switchboard.UserID) {
	if p := k.people[user]; p != nil && p.account == nil && len(p.sessions) == 0 {
		delete(k.people, user)
	}
}
