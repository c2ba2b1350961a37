package switchboard

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"strconv"
	"strings"
)

// idAlphabet writes hashes as 26 characters of [a-z2-7]: safe in subjects, URLs and file names.
var idAlphabet = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// hashLen is the length of a hashed id in characters: 16 bytes in base32.
const hashLen = 26

// hashID hashes length-prefixed parts (so no two lists of parts collide) under a purpose.
func hashID(purpose string, parts ...string) string {
	h := sha256.New()
	var size [8]byte
	for _, p := range append([]string{purpose}, parts...) {
		binary.BigEndian.PutUint64(size[:], uint64(len(p)))
		h.Write(size[:])
		h.Write([]byte(p))
	}
	return idAlphabet.EncodeToString(h.Sum(nil)[:16])
}

func isHash(s string) bool {
	if len(s) != hashLen {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// UserID names an authenticated principal: 26 characters of [a-z2-7].
type UserID string

// NewUserID derives the id of a subject of an issuer within a tenant.
func NewUserID(issuer, tenant, subject string) UserID {
	return UserID(hashID("user", issuer, tenant, subject))
}

// ParseUserID returns s as a UserID, or Invalid.
func ParseUserID(s string) (UserID, error) {
	if !isHash(s) {
		return "", Errorf(Invalid, "not a user id").At("user")
	}
	return UserID(s), nil
}

// FrameID is the id a device gives to a frame it sends: 1–64 of [A-Za-z0-9._:-], unique per user.
type FrameID string

// ParseFrameID returns s as a FrameID, or Invalid with field "id".
func ParseFrameID(s string) (FrameID, error) {
	if len(s) < 1 || len(s) > 64 {
		return "", Errorf(Invalid, "id must have 1 to 64 characters").At("id")
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("._:-", rune(c)) {
			return "", Errorf(Invalid, "id may hold only letters, digits and . _ : -").At("id")
		}
	}
	return FrameID(s), nil
}

// ThreadID names a conversation: 26 characters of [a-z2-7], opaque to clients.
type ThreadID string

// NewThreadID derives the thread that a message without a thread begins: a retry of the message lands in the same one.
func NewThreadID(user UserID, id FrameID) ThreadID {
	return ThreadID(hashID("thread", string(user), string(id)))
}

// ParseThreadID returns s as a ThreadID, or NotFound: a malformed id answers like one that does not exist.
func ParseThreadID(s string) (ThreadID, error) {
	if !isHash(s) {
		return "", notFound("thread_id")
	}
	return ThreadID(s), nil
}

// Run returns the id of the run that answers the thread's n-th event.
func (t ThreadID) Run(n uint64) RunID { return RunID(string(t) + "." + strconv.FormatUint(n, 10)) }

// RunID names a run: <thread_id>.<n of its message>.
type RunID string

// ParseRunID returns s as a RunID, or NotFound.
func ParseRunID(s string) (RunID, error) {
	t, n, ok := strings.Cut(s, ".")
	if !ok || !isHash(t) || !isCount(n) {
		return "", notFound("run_id")
	}
	return RunID(s), nil
}

// Thread returns the thread of the run.
func (r RunID) Thread() ThreadID {
	t, _, _ := strings.Cut(string(r), ".")
	return ThreadID(t)
}

// N returns the number of the message that the run answers, 0 if the id is malformed.
func (r RunID) N() uint64 {
	_, n, _ := strings.Cut(string(r), ".")
	v, _ := strconv.ParseUint(n, 10, 64)
	return v
}

// Call returns the id of the index-th call (from 0) of the run's step (from 1).
func (r RunID) Call(step, index int) CallID {
	return CallID(string(r) + "." + strconv.Itoa(step) + "." + strconv.Itoa(index))
}

// Message returns the id of the message that an attempt writes in a step.
func (r RunID) Message(attempt, step int) MessageID {
	return MessageID(string(r) + ".m" + strconv.Itoa(attempt) + "." + strconv.Itoa(step))
}

// CallID names a tool call: <run_id>.<step>.<index>. It is the call's idempotency key.
type CallID string

// ParseCallID returns s as a CallID, or NotFound.
func ParseCallID(s string) (CallID, error) {
	p := strings.Split(s, ".")
	if len(p) != 4 || !isHash(p[0]) || !isCount(p[1]) || !isCount(p[2]) || p[3] != "0" && !isCount(p[3]) {
		return "", notFound("call_id")
	}
	return CallID(s), nil
}

// Run returns the run of the call.
func (c CallID) Run() RunID {
	p := strings.Split(string(c), ".")
	if len(p) < 2 {
		return ""
	}
	return RunID(p[0] + "." + p[1])
}

// Step returns the step of the call, 0 if the id is malformed.
func (c CallID) Step() int {
	p := strings.Split(string(c), ".")
	if len(p) != 4 {
		return 0
	}
	n, _ := strconv.Atoi(p[2])
	return n
}

// MessageID names a message that an agent writes: unique per run, attempt and step; opaque.
type MessageID string

// isCount reports whether s is a positive decimal number without leading zeros.
func isCount(s string) bool {
	if s == "" || s[0] == '0' || len(s) > 19 {
		return false
	}
	return strings.Trim(s, "0123456789") == ""
}

func notFound(field string) *Error { return Errorf(NotFound, "no such thing").At(field) }
