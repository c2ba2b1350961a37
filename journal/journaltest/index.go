package journaltest

import (
	"bytes"
	"testing"

	"github.com/netra-systems/switchboard/journal"
)

// index stores lists of threads: what comes back is whole, or nothing.
func index(t *testing.T, j *journal.Journal) {
	is := func(base string, list, recent []byte) {
		t.Helper()
		gotBase, gotList, gotRecent, err := j.LoadIndex(t.Context(), alice)
		if err != nil || gotBase != base || !bytes.Equal(gotList, list) || !bytes.Equal(gotRecent, recent) {
			t.Errorf("%q with %d and %d bytes, not %q with %d and %d, %v", gotBase, len(gotList), len(gotRecent), base, len(list), len(recent), err)
		}
	}
	is("", nil, nil)
	long := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
	base, err := j.SaveIndex(t.Context(), alice, long)
	if err != nil {
		t.Fatal(err)
	}
	is(base, long, nil)
	if err := j.SaveRecent(t.Context(), alice, base, []byte("new")); err != nil {
		t.Fatal(err)
	}
	is(base, long, []byte("new"))
	if err := j.SaveRecent(t.Context(), alice, "another", []byte("of another base")); err != nil {
		t.Fatal(err)
	}
	is(base, long, nil)
	short, err := j.SaveIndex(t.Context(), alice, []byte("short"))
	if err != nil {
		t.Fatal(err)
	}
	is(short, []byte("short"), nil) // what is left of the longer one is no part of it
	if got, _, _, err := j.LoadIndex(t.Context(), bob); got != "" || err != nil {
		t.Errorf("another user's: %q %v", got, err)
	}
	for _, bad := range []string{"", "*", ">", "a.b"} {
		if _, _, _, err := j.LoadIndex(t.Context(), "u"+alice[:3]+"."+bob[:2]); err == nil {
			t.Errorf("a list of %q", bad)
		}
	}
}
