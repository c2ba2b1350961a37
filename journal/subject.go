package journal

import (
	"errors"
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/netra-systems/switchboard"
)

// Subjects are built here and nowhere else. Ids in them are hashes of [a-z2-7] and checked, so that no id can be a
// wildcard or add a token.
//
//	ev.<shard>.<user>.<thread>.in     what people did        (stored; a wake-up)
//	ev.<shard>.<user>.<thread>.out    what agents did        (stored)
//	live.<shard>.<…>                  the same, as it is stored
//	delta.<user>.<thread>             previews               (not stored)
//	snap.<user>.<thread>.<n>          asks the holder of a run for its open text
//	list.<user>.<part>                the list of a user's threads, now and then

var errID = errors.New("not an id of ours")

// shardOf returns the shard that holds all events of a user.
func shardOf(u switchboard.UserID, shards int) int {
	h := fnv.New32a()
	h.Write([]byte(u))
	return int(h.Sum32() % uint32(shards))
}

func streamName(shard int) string { return "EVENTS_" + strconv.Itoa(shard) }

func isShard(stream string) bool { return strings.HasPrefix(stream, "EVENTS_") }

func shardSubject(shard int) string { return "ev." + strconv.Itoa(shard) + ".>" }

func wakeSubject(shard int) string { return "ev." + strconv.Itoa(shard) + ".*.*.in" }

func liveSubject(shard int) string { return "live." + strconv.Itoa(shard) + ".>" }

func userSubject(shard int, u switchboard.UserID) (string, error) {
	if _, err := switchboard.ParseUserID(string(u)); err != nil {
		return "", errID
	}
	return "ev." + strconv.Itoa(shard) + "." + string(u) + ".*.*", nil
}

// threadSubject returns the subject of a thread's entries: direction in, out or * for both.
func threadSubject(shard int, u switchboard.UserID, t switchboard.ThreadID, direction string) (string, error) {
	if _, err := switchboard.ParseUserID(string(u)); err != nil {
		return "", errID
	}
	if _, err := switchboard.ParseThreadID(string(t)); err != nil {
		return "", errID
	}
	return "ev." + strconv.Itoa(shard) + "." + string(u) + "." + string(t) + "." + direction, nil
}

// parseSubject returns user and thread of a subject of an entry, stored or live.
func parseSubject(s string) (switchboard.UserID, switchboard.ThreadID, error) {
	p := strings.Split(s, ".")
	if len(p) != 5 {
		return "", "", errID
	}
	u, err := switchboard.ParseUserID(p[2])
	if err != nil {
		return "", "", errID
	}
	t, err := switchboard.ParseThreadID(p[3])
	if err != nil {
		return "", "", errID
	}
	return u, t, nil
}

func deltaSubject(u switchboard.UserID, t switchboard.ThreadID) (string, error) {
	if _, err := switchboard.ParseThreadID(string(t)); err != nil {
		return "", errID
	}
	all, err := deltaSubjects(u)
	return strings.TrimSuffix(all, "*") + string(t), err
}

func deltaSubjects(u switchboard.UserID) (string, error) {
	if _, err := switchboard.ParseUserID(string(u)); err != nil {
		return "", errID
	}
	return "delta." + string(u) + ".*", nil
}

// deltaUser returns the user of a delta's subject; false for other subjects.
func deltaUser(s string) (switchboard.UserID, bool) {
	rest, ok := strings.CutPrefix(s, "delta.")
	u, _, _ := strings.Cut(rest, ".")
	return switchboard.UserID(u), ok
}

func snapshotSubject(u switchboard.UserID, r switchboard.RunID) (string, error) {
	if _, err := switchboard.ParseUserID(string(u)); err != nil {
		return "", errID
	}
	if _, err := switchboard.ParseRunID(string(r)); err != nil {
		return "", errID
	}
	return "snap." + string(u) + "." + string(r), nil
}

// indexStream keeps the lists of threads.
const (
	indexStream   = "INDEXES"
	indexSubjects = "list.*.*"
)

// indexSubject returns the subject of a part of a user's list; "*" is all of them.
func indexSubject(u switchboard.UserID, part string) (string, error) {
	if _, err := switchboard.ParseUserID(string(u)); err != nil {
		return "", errID
	}
	return "list." + string(u) + "." + part, nil
}
