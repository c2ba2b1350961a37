package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/netra-systems/switchboard"
)

// recordsEngine starts an engine and returns a connection to it; listen opens a port on the loopback, so that the
// connection can be cut.
func recordsEngine(t *testing.T, listen bool) (jetstream.JetStream, *server.Server) {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		DontListen: !listen, Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true, JetStream: true, StoreDir: t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("the engine did not start")
	}
	url, opts := "", []nats.Option{nats.InProcessServer(s)}
	if listen {
		url, opts = s.ClientURL(), []nats.Option{nats.MaxReconnects(-1), nats.ReconnectWait(time.Millisecond)}
	}
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js, s
}

func openRecords(t *testing.T, js jetstream.JetStream) *Records {
	t.Helper()
	r, err := OpenRecords(t.Context(), js, "test", 1)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func wantCode(t *testing.T, what string, err error, code switchboard.Code) {
	t.Helper()
	if switchboard.CodeOf(err) != code {
		t.Errorf("%s: %v, want code %q", what, err, code)
	}
}

func TestRecordsCompareAndSet(t *testing.T) {
	js, _ := recordsEngine(t, false)
	r, ctx := openRecords(t, js), t.Context()
	_, _, err := r.Get(ctx, "a.b")
	wantCode(t, "Get of nothing", err, switchboard.NotFound)
	first, err := r.Create(ctx, "a.b", []byte("one"))
	wantCode(t, "Create", err, "")
	_, err = r.Create(ctx, "a.b", []byte("two"))
	wantCode(t, "second Create", err, switchboard.Conflict)
	second, err := r.Update(ctx, "a.b", []byte("three"), first)
	wantCode(t, "Update", err, "")
	for _, stale := range []uint64{first, 0, second + 1} {
		_, err = r.Update(ctx, "a.b", []byte("no"), stale)
		wantCode(t, "Update of another revision", err, switchboard.Conflict)
		wantCode(t, "Delete of another revision", r.Delete(ctx, "a.b", stale), switchboard.Conflict)
	}
	if v, rev, err := r.Get(ctx, "a.b"); err != nil || string(v) != "three" || rev != second {
		t.Errorf("Get = %q, %d, %v", v, rev, err)
	}
	wantCode(t, "Delete", r.Delete(ctx, "a.b", second), "")
	_, _, err = r.Get(ctx, "a.b")
	wantCode(t, "Get of the deleted", err, switchboard.NotFound)
	_, err = r.Update(ctx, "a.b", []byte("no"), second)
	wantCode(t, "Update of the deleted", err, switchboard.Conflict)
	_, err = r.Create(ctx, "a.b", nil)
	wantCode(t, "Create after Delete", err, "")
	if v, _, err := openRecords(t, js).Get(ctx, "a.b"); err != nil || v == nil || len(v) != 0 {
		t.Errorf("an empty value reads as %v, %v", v, err)
	}
	for _, key := range []string{"", strings.Repeat("k", maxKey+1), strings.Repeat("*", maxKey/2)} {
		_, err = r.Create(ctx, key, nil)
		wantCode(t, "Create of a bad key", err, switchboard.Invalid)
	}
}

func TestRecordsKeysAreSafe(t *testing.T) {
	js, _ := recordsEngine(t, false)
	r, ctx := openRecords(t, js), t.Context()
	keys := []string{
		"plain", "*", ">", "a.>", "a.*", ".", "..", "a.", ".a", "a..b", "$JS.API.>", "$KV.test.x", "_kv", "=", "=2a", "a=2Ab",
		"a b", "\r\n", "\x00", "é", "\xff", strings.Repeat("x", 900), "upper.Case", "upper.case", "a/b\\c",
	}
	for i, k := range keys {
		if _, err := r.Create(ctx, k, fmt.Append(nil, i)); err != nil {
			t.Errorf("Create(%q): %v", k, err)
		}
	}
	var got []string
	err := r.List(ctx, "", func(key string, value []byte, _ uint64) error {
		if i := slices.Index(keys, key); string(value) != fmt.Sprint(i) {
			t.Errorf("%q holds the value of another key: %s", key, value)
		}
		got = append(got, key)
		return nil
	})
	if err != nil || !slices.Equal(got, keys) {
		t.Errorf("List = %q, %v", got, err)
	}
	got = nil
	if err := r.List(ctx, "upper", func(k string, _ []byte, _ uint64) error { got = append(got, k); return nil }); err != nil {
		t.Error(err)
	}
	if !slices.Equal(got, []string{"upper.Case", "upper.case"}) {
		t.Errorf("List of a prefix = %q", got)
	}
	if err := r.List(ctx, "*", func(k string, _ []byte, _ uint64) error { return errors.New(k) }); err != nil {
		t.Errorf("a prefix matched as a wildcard: %v", err)
	}
	stop := errors.New("stop")
	if err := r.List(ctx, "", func(string, []byte, uint64) error { return stop }); err != stop {
		t.Errorf("List did not return the callback's error: %v", err)
	}
}

func FuzzRecordsKey(f *testing.F) {
	for _, s := range []string{"a.b", "..", "=", "*.>", "\x00\xff", "a=.b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		k, err := encodeKey(key)
		if err != nil {
			return
		}
		if strings.Trim(k, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-=.") != "" ||
			strings.HasPrefix(k, ".") || strings.HasSuffix(k, ".") || strings.Contains(k, "..") {
			t.Errorf("%q became the unsafe %q", key, k)
		}
		if back, ok := decodeKey(k); !ok || back != key {
			t.Errorf("%q came back as %q", key, back)
		}
		if back, ok := decodeKey(key); ok {
			if again, _ := encodeKey(back); again != key {
				t.Errorf("two encodings of %q: %q and %q", back, key, again)
			}
		}
	})
}

// change is what a watch told.
type change struct{ key, value string }

// follow watches until the test ends; the channel gives what it tells, a deletion as the value "-".
func follow(t *testing.T, r *Records, prefix string) <-chan change {
	ctx, cancel := context.WithCancel(context.Background())
	out, done := make(chan change), make(chan error, 1)
	go func() {
		done <- r.Watch(ctx, prefix, func(key string, value []byte, _ uint64) {
			c := change{key, string(value)}
			if value == nil && key != "" {
				c.value = "-"
			}
			select {
			case out <- c:
			case <-ctx.Done():
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch returned %v", err)
		}
	})
	return out
}

func wantChanges(t *testing.T, from <-chan change, want ...change) {
	t.Helper()
	for _, w := range want {
		select {
		case got := <-from:
			if got != w {
				t.Fatalf("the watch told %q, want %q", got, w)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("the watch did not tell %q", w)
		}
	}
}

func TestRecordsWatch(t *testing.T) {
	js, _ := recordsEngine(t, false)
	r, ctx := openRecords(t, js), t.Context()
	wantChanges(t, follow(t, r, ""), change{})
	a, _ := r.Create(ctx, "w.a", []byte("1"))
	b, _ := r.Create(ctx, "w.b", nil)
	r.Create(ctx, "other.c", []byte("1"))
	all := follow(t, r, "w")
	wantChanges(t, all, change{"w.a", "1"}, change{"w.b", ""}, change{})
	a, _ = r.Update(ctx, "w.a", []byte("2"), a)
	wantChanges(t, all, change{"w.a", "2"})
	r.Create(ctx, "other.d", nil)
	r.Delete(ctx, "w.b", b)
	r.Delete(ctx, "w.a", a)
	wantChanges(t, all, change{"w.b", "-"}, change{"w.a", "-"})
	r.Create(ctx, "w.b", []byte("3"))
	wantChanges(t, all, change{"w.b", "3"})
	wantCode(t, "Watch of a bad prefix", r.Watch(ctx, strings.Repeat("x", maxKey+1), nil), switchboard.Invalid)
}

// TestRecordsWhileWriting: listing and watching many records misses none while they change.
func TestRecordsWhileWriting(t *testing.T) {
	js, _ := recordsEngine(t, false)
	r, ctx := openRecords(t, js), t.Context()
	const keys = 1500
	revisions := make([]uint64, keys)
	for i := range keys {
		rev, err := r.Create(ctx, fmt.Sprint("k.", i), []byte("0"))
		if err != nil {
			t.Fatal(err)
		}
		revisions[i] = rev
	}
	writing, written := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := 0; i < keys; i += 3 {
			if _, err := r.Update(ctx, fmt.Sprint("k.", i), []byte("1"), revisions[i]); err != nil {
				written <- err
				return
			}
			if i == 30 {
				close(writing)
			}
		}
		_, err := r.Create(ctx, "k.last", []byte("1"))
		written <- err
	}()
	<-writing
	seen := map[string]bool{}
	if err := r.List(ctx, "k", func(k string, _ []byte, _ uint64) error { seen[k] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	delete(seen, "k.last")
	if len(seen) != keys {
		t.Errorf("List gave %d of %d keys", len(seen), keys)
	}
	last := map[string]string{}
	all := follow(t, r, "k")
	for c := range all {
		if c.key != "" {
			last[c.key] = c.value
		}
		if c.key == "k.last" {
			break
		}
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	for i := range keys {
		want := "0"
		if i%3 == 0 {
			want = "1"
		}
		if got := last[fmt.Sprint("k.", i)]; got != want {
			t.Fatalf("the watch ends with k.%d = %q, want %q", i, got, want)
		}
	}
}

// TestRecordsGoneWhileListing: records that go without a mark before they could be delivered do not hold up a list.
func TestRecordsGoneWhileListing(t *testing.T) {
	js, _ := recordsEngine(t, false)
	r, ctx := openRecords(t, js), t.Context()
	for i := range 1000 {
		if _, err := r.Create(ctx, fmt.Sprint("k.", i), make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	err := r.List(ctx, "k", func(string, []byte, uint64) error {
		if n++; n == 1 {
			return r.stream.Purge(ctx)
		}
		return nil
	})
	if err != nil || n == 1000 {
		t.Errorf("List gave %d records, %v", n, err)
	}
}

func TestRecordsExpire(t *testing.T) {
	js, _ := recordsEngine(t, false)
	r, ctx := openRecords(t, js), t.Context()
	all := follow(t, r, "")
	wantChanges(t, all, change{})
	if _, err := r.CreateTTL(ctx, "short", []byte("1"), time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if _, err := r.CreateTTL(ctx, "long", []byte("2"), time.Hour); err != nil {
		t.Fatal(err)
	}
	_, err := r.CreateTTL(ctx, "long", []byte("3"), time.Hour)
	wantCode(t, "second CreateTTL", err, switchboard.Conflict)
	wantChanges(t, all, change{"short", "1"}, change{"long", "2"}, change{"short", "-"})
	for range 2 {
		wantCode(t, "Drop", r.Drop(ctx, "long"), "")
	}
	wantChanges(t, all, change{"long", "-"})
	for _, k := range []string{"short", "long"} {
		_, _, err = r.Get(ctx, k)
		wantCode(t, "Get of the expired", err, switchboard.NotFound)
	}
}

func TestRecordsWatchSurvivesReconnect(t *testing.T) {
	js, s := recordsEngine(t, true)
	r, ctx := openRecords(t, js), t.Context()
	direct, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(direct.Close)
	js2, _ := jetstream.New(direct)
	other := openRecords(t, js2)
	rev, _ := other.Create(ctx, "a", []byte("1"))
	other.Create(ctx, "b", []byte("1"))
	other.Create(ctx, "c", []byte("1"))
	all := follow(t, r, "")
	wantChanges(t, all, change{"a", "1"}, change{"b", "1"}, change{"c", "1"}, change{})

	// A key goes without a trace, one changes, the link is cut, and one is deleted.
	if err := other.stream.Purge(ctx, jetstream.WithPurgeSubject("$KV.test.b")); err != nil {
		t.Fatal(err)
	}
	other.Update(ctx, "a", []byte("2"), rev)
	id, _ := js.Conn().GetClientID()
	back := js.Conn().StatusChanged(nats.CONNECTED)
	if err := s.DisconnectClientByID(id); err != nil {
		t.Fatal(err)
	}
	<-back
	_, crev, _ := other.Get(ctx, "c")
	other.Delete(ctx, "c", crev)
	got := map[change]bool{}
	for range 3 {
		select {
		case c := <-all:
			got[c] = true
		case <-time.After(20 * time.Second):
			t.Fatalf("the watch told only %v", got)
		}
	}
	for _, w := range []change{{"a", "2"}, {"b", "-"}, {"c", "-"}} {
		if !got[w] {
			t.Errorf("the watch did not tell %q, but %v", w, got)
		}
	}
	other.Create(ctx, "d", []byte("1"))
	wantChanges(t, all, change{"d", "1"})
}
