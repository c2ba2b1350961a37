package switchboard

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// subjectCharacters must be in no id: an id that holds one could widen, split or end a subject or a header.
const subjectCharacters = "*> \t\r\n\x00$/\\\x7f"

// parsers are the ways to take an id in, with how many dots one may hold; -1: any number, it never meets a subject.
var parsers = map[string]struct {
	parse func(string) error
	dots  int
}{
	"user":   {func(s string) error { _, err := ParseUserID(s); return err }, 0},
	"thread": {func(s string) error { _, err := ParseThreadID(s); return err }, 0},
	"run":    {func(s string) error { _, err := ParseRunID(s); return err }, 1},
	"call":   {func(s string) error { _, err := ParseCallID(s); return err }, 3},
	"frame":  {func(s string) error { _, err := ParseFrameID(s); return err }, -1},
}

// idText draws texts that look like ids but for a few characters.
func idText() *rapid.Generator[string] {
	good := []string{
		string(wireUser), string(wireThread), string(wireRun), string(wireCall), string(wireRun.Message(1, 2)), "a-b:c_d.e", "",
	}
	spice := []string{".", "*", ">", " ", "\r", "\n", "\x00", "$JS", "\t", "ä", "\xff", "A", "0", "1", ".0", ".01", "-", "/", strings.Repeat("x", 4096)}
	return rapid.Custom(func(t *rapid.T) string {
		s := rapid.OneOf(rapid.SampledFrom(good), rapid.String(), rapid.StringMatching(`[a-z2-7]{24,28}(\.[0-9]{0,3}){0,4}`)).Draw(t, "base")
		for range rapid.IntRange(0, 2).Draw(t, "edits") {
			at := rapid.IntRange(0, len(s)).Draw(t, "at")
			cut := rapid.IntRange(0, min(2, len(s)-at)).Draw(t, "cut")
			s = s[:at] + rapid.SampledFrom(spice).Draw(t, "spice") + s[at+cut:]
		}
		return s
	})
}

func TestNoIDHoldsSubjectCharacters(t *testing.T) {
	for name, p := range parsers {
		t.Run(name, func(t *testing.T) {
			good := map[string]string{
				"user": string(wireUser), "thread": string(wireThread), "run": string(wireRun), "call": string(wireCall), "frame": "a-b:c_d.e",
			}[name]
			if err := p.parse(good); err != nil {
				t.Fatalf("%q is refused: %v", good, err)
			}
			rapid.Check(t, func(t *rapid.T) {
				s := idText().Draw(t, "id")
				if p.parse(s) != nil {
					return
				}
				if strings.ContainsAny(s, subjectCharacters) {
					t.Fatalf("%q is an id", s)
				}
				if p.dots >= 0 && strings.Count(s, ".") != p.dots {
					t.Fatalf("%q has %d dots, want %d", s, strings.Count(s, "."), p.dots)
				}
				if len(s) > 128 || strings.HasSuffix(s, ".") && p.dots >= 0 || strings.Contains(s, "..") && p.dots >= 0 {
					t.Fatalf("%q is an id", s)
				}
			})
		})
	}
}

func TestBadIDs(t *testing.T) {
	hash := string(wireThread)
	for name, bad := range map[string][]string{
		"user":   {"", "x", hash[1:], hash + "a", strings.ToUpper(hash), hash[:25] + "1", hash[:25] + ".", hash[:25] + "*", hash[:25] + "\n", hash[:24] + "ä"},
		"thread": {"", "*", ">", hash + ".", hash[:25] + " ", "$JS.API", strings.Repeat("a", 4096)},
		"run":    {"", hash, hash + ".", hash + ".0", hash + ".01", hash + ".-1", hash + ".+1", hash + ".1.1", hash + ".*", hash + ".1 ", "." + hash, hash + ".12345678901234567890"},
		"call":   {"", string(wireRun), string(wireRun) + ".1", string(wireRun) + ".0.0", string(wireRun) + ".1.00", string(wireRun) + ".1.0.0", string(wireRun) + ".1.>", string(wireRun) + ".1."},
		"frame":  {"", " ", "a b", "a*", ">", "a/b", "a\x00", "a\r\n", "ä", strings.Repeat("a", 65)},
	} {
		for _, s := range bad {
			err := parsers[name].parse(s)
			if err == nil {
				t.Errorf("%s id %q was taken", name, s)
				continue
			}
			want := NotFound // a malformed address answers like one that does not exist
			if name == "user" || name == "frame" {
				want = Invalid
			}
			if CodeOf(err) != want {
				t.Errorf("%s id %q: %s, want %s", name, s, CodeOf(err), want)
			}
			if len(s) > 1 && strings.Contains(err.Error(), s) {
				t.Errorf("the error echoes the id: %s", err)
			}
		}
	}
}

func TestIDsAreAddresses(t *testing.T) {
	run := wireThread.Run(12)
	call := run.Call(3, 0)
	if _, err := ParseRunID(string(run)); err != nil || run.Thread() != wireThread || run.N() != 12 {
		t.Errorf("run %s: thread %s, n %d, %v", run, run.Thread(), run.N(), err)
	}
	if _, err := ParseCallID(string(call)); err != nil || call.Run() != run || call.Step() != 3 {
		t.Errorf("call %s: run %s, step %d, %v", call, call.Run(), call.Step(), err)
	}
	seen := map[MessageID]bool{}
	for attempt := 1; attempt < 13; attempt++ {
		for step := 1; step < 13; step++ {
			m := run.Message(attempt, step)
			if seen[m] {
				t.Errorf("two messages are called %s", m)
			}
			seen[m] = true
		}
	}
	if RunID("x").N() != 0 || CallID("x").Run() != "" || CallID("x").Step() != 0 {
		t.Error("a malformed id has parts")
	}
}

// TestHashedIDs: the parts of a hash are told apart wherever they end, and the same parts always give the same id.
func TestHashedIDs(t *testing.T) {
	a := NewUserID("iss", "ten", "sub")
	for _, b := range []UserID{
		NewUserID("isst", "en", "sub"), NewUserID("iss", "tens", "ub"), NewUserID("", "issten", "sub"),
		NewUserID("iss", "ten", "sub\x00"), NewUserID("ten", "iss", "sub"), UserID(NewThreadID("iss", "ten")),
	} {
		if a == b {
			t.Errorf("two principals are %s", a)
		}
	}
	if a != NewUserID("iss", "ten", "sub") {
		t.Error("the same principal has two ids")
	}
	if _, err := ParseUserID(string(a)); err != nil {
		t.Error(err)
	}
	if id := NewThreadID(a, "m"); id == NewThreadID(NewUserID("x", "y", "z"), "m") || id != NewThreadID(a, "m") || !isHash(string(id)) {
		t.Errorf("thread %s", id)
	}
}
