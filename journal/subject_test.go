package journal

import (
	"strings"
	"testing"

	"github.com/netra-systems/switchboard"
)

// matches reports whether a filter takes a subject: * is one token, > all that follow. It knows nothing of ours.
func matches(filter, subject string) bool {
	f, s := strings.Split(filter, "."), strings.Split(subject, ".")
	for i, token := range f {
		switch {
		case token == ">":
			return len(s) > i
		case i >= len(s) || token != "*" && token != s[i]:
			return false
		}
	}
	return len(f) == len(s)
}

// FuzzSubjects: whatever ids two users and their threads have, no subject of one is taken by a filter of the other, and
// what is built is what is read.
func FuzzSubjects(f *testing.F) {
	a, b := switchboard.NewUserID("local", "", "ann"), switchboard.NewUserID("local", "", "bob")
	t := switchboard.NewThreadID(a, "m")
	f.Add(string(a), string(b), string(t), string(t.Run(1)), uint8(8))
	f.Add(string(a), string(a)[:25]+"*", "*", ">", uint8(1))
	f.Add("*", ">", "a.b", string(t)+".1.*", uint8(3))
	f.Add("", " ", string(t)+".in", string(t)+".", uint8(0))
	f.Add(string(a), strings.ToUpper(string(b)), string(t)+"\n", string(t.Run(1))+"\x00", uint8(255))
	f.Fuzz(func(t *testing.T, one, two, thread, run string, n uint8) {
		// As they are, which mostly is no id, and as the ids of whoever has these names.
		a, b := switchboard.UserID(one), switchboard.UserID(two)
		separate(t, a, b, switchboard.ThreadID(thread), switchboard.RunID(run), int(n)+1)
		if one == two {
			return
		}
		a, b = switchboard.NewUserID("local", "", one), switchboard.NewUserID("local", "", two)
		named := switchboard.NewThreadID(a, switchboard.FrameID(thread))
		separate(t, a, b, named, named.Run(uint64(n)+1), int(n)+1)
		separate(t, a, b, switchboard.ThreadID(thread), named.Run(1), int(n)+1)
		if len(subjectsOf(t, a, named, named.Run(uint64(n)+1), int(n)+1)) != 4 || len(filtersOf(b, int(n)+1)) != 3 {
			t.Fatal("ids of ours have no subjects")
		}
	})
}

// separate checks that no subject of a is taken by a filter of b.
func separate(t *testing.T, a, b switchboard.UserID, thread switchboard.ThreadID, run switchboard.RunID, shards int) {
	if a == b {
		return
	}
	for _, s := range subjectsOf(t, a, thread, run, shards) {
		for _, filter := range filtersOf(b, shards) {
			if matches(filter, s) {
				t.Fatalf("%q of %q is taken by %q of %q", s, a, filter, b)
			}
		}
	}
}

// subjectsOf returns what is published for a user; ids that are none of ours have no subjects.
func subjectsOf(t *testing.T, u switchboard.UserID, thread switchboard.ThreadID, run switchboard.RunID, shards int) []string {
	var out []string
	shard := shardOf(u, shards)
	if shard < 0 || shard >= shards {
		t.Fatalf("shard %d of %d", shard, shards)
	}
	for _, direction := range []string{"in", "out"} {
		s, err := threadSubject(shard, u, thread, direction)
		if err != nil {
			continue
		}
		out = append(out, s)
		if strings.ContainsAny(s, "*> \t\r\n\x00") || strings.Count(s, ".") != 4 {
			t.Fatalf("a subject %q", s)
		}
		if gotU, gotT, err := parseSubject(s); err != nil || gotU != u || gotT != thread {
			t.Fatalf("%q was read as %q, %q, %v", s, gotU, gotT, err)
		}
		own, err := userSubject(shard, u)
		if err != nil || !matches(own, s) || !matches(shardSubject(shard), s) || matches(wakeSubject(shard), s) != (direction == "in") {
			t.Fatalf("%q is not found by its own filters: %q, %v", s, own, err)
		}
	}
	if s, err := deltaSubject(u, thread); err == nil {
		out = append(out, s)
		if got, ok := deltaUser(s); !ok || got != u {
			t.Fatalf("%q was read as %q", s, got)
		}
	}
	if s, err := snapshotSubject(u, run); err == nil {
		out = append(out, s)
	}
	for _, s := range out {
		if strings.ContainsAny(s, "*> \t\r\n\x00") {
			t.Fatalf("a subject %q", s)
		}
	}
	return out
}

// filtersOf returns what is subscribed to for a user.
func filtersOf(u switchboard.UserID, shards int) []string {
	var out []string
	if s, err := userSubject(shardOf(u, shards), u); err == nil {
		out = append(out, s)
	}
	if s, err := deltaSubjects(u); err == nil {
		out = append(out, s)
	}
	if s, err := threadSubject(shardOf(u, shards), u, switchboard.NewThreadID(u, "m"), "*"); err == nil {
		out = append(out, s)
	}
	return out
}
