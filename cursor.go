package switchboard

import (
	"strconv"
	"strings"
)

// Cursor is a place in a user's history from which any device can go on: opaque to clients, at most 64 of
// [A-Za-z0-9._-]. The empty Cursor is none.
type Cursor string

// Place is what a Cursor says to the server: the user's last event at or below the position, or the zero Seq before
// the first.
type Place struct {
	Epoch string // of the store; changes when the store is restored or found damaged
	Seq   uint64 // sequence of the event in the user's shard
	Check string // chain value of that event
}

// Cursor writes the place.
func (p Place) Cursor() Cursor {
	return Cursor(p.Epoch + "." + strconv.FormatUint(p.Seq, 10) + "." + p.Check)
}

// ParseCursor reads a cursor, or returns Invalid with field "cursor".
func ParseCursor(c Cursor) (Place, error) {
	bad := func() (Place, error) { return Place{}, Errorf(Invalid, "not a cursor of this server").At("cursor") }
	if len(c) == 0 || len(c) > 64 {
		return bad()
	}
	f := strings.Split(string(c), ".")
	if len(f) != 3 || f[1] != "0" && !isCount(f[1]) || !isWord(f[0]) || f[2] != "" && !isWord(f[2]) {
		return bad()
	}
	seq, err := strconv.ParseUint(f[1], 10, 64)
	if err != nil {
		return bad()
	}
	return Place{Epoch: f[0], Seq: seq, Check: f[2]}, nil
}

// isWord reports whether s is a non-empty word of [a-z0-9].
func isWord(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}
