package journal_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/journal"
	"github.com/netra-systems/switchboard/journal/embed"
	"github.com/netra-systems/switchboard/thread"
)

var ann = switchboard.NewUserID("test", "", "ann")

// opened is a store on a disk.
type opened struct {
	*journal.Journal
	engine *embed.Server
}

func open(t *testing.T, dir string) (*opened, error) {
	t.Helper()
	engine, err := embed.Start(embed.Config{Dir: dir, Sync: time.Minute})
	if err != nil {
		return nil, err
	}
	j, err := journal.Open(t.Context(), journal.Config{Connect: engine.Connect, Shards: 3})
	if err != nil {
		engine.Close()
		return nil, err
	}
	return &opened{j, engine}, nil
}

func mustOpen(t *testing.T, dir string) *opened {
	t.Helper()
	o, err := open(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// close closes the store in order: the ledger last.
func (o *opened) close(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := o.Keep(ctx); err != nil {
		t.Error(err)
	}
	o.Close()
	o.engine.Close()
}

// talk adds messages to threads of many users, so that each shard has some, and some records.
func (o *opened) talk(t *testing.T, from, to int) {
	t.Helper()
	records, err := o.Records(t.Context(), "auth")
	if err != nil {
		t.Fatal(err)
	}
	for u := range 12 {
		user := switchboard.NewUserID("test", "", fmt.Sprint("user", u))
		st := thread.NewState(user, switchboard.NewThreadID(user, "t"))
		if _, err := st.Advance(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if st.Deleted {
			continue
		}
		for i := from; i < to; i++ {
			p := &switchboard.ThreadRenamedEvent{ID: switchboard.FrameID(fmt.Sprint("m", i)), Title: strings.Repeat("title ", 60)}
			d := thread.Draft{Event: switchboard.Event{Type: p.EventType(), Time: switchboard.At(time.Now()), Payload: p}}
			if stored, err := st.Put(t.Context(), o, d); err != nil || !stored {
				t.Fatal(stored, err)
			}
		}
		if _, err := records.Create(t.Context(), fmt.Sprintf("account.%d.%d", u, from), []byte(strings.Repeat("x", 300))); err != nil {
			t.Fatal(err)
		}
	}
}

// remove deletes a thread.
func (o *opened) remove(t *testing.T, u int) {
	t.Helper()
	user := switchboard.NewUserID("test", "", fmt.Sprint("user", u))
	st := thread.NewState(user, switchboard.NewThreadID(user, "t"))
	if _, err := st.Advance(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	p := &switchboard.ThreadDeletedEvent{ID: "gone"}
	if stored, err := st.Put(t.Context(), o, thread.Draft{Event: switchboard.Event{Type: p.EventType(), Payload: p}}); err != nil || !stored {
		t.Fatal(stored, err)
	}
	if err := o.Erase(t.Context(), user, st.Thread, st.Seq); err != nil {
		t.Fatal(err)
	}
}

func stream(dir, name string) string {
	return filepath.Join(dir, "journal", "jetstream", "$G", "streams", name)
}

// block returns the newest block file of a stream.
func block(t *testing.T, dir, name string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(stream(dir, name), "msgs", "*.blk"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	slices.Sort(files)
	return files[len(files)-1]
}

func edit(t *testing.T, file string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, change(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func flip(at float64) func([]byte) []byte {
	return func(b []byte) []byte {
		b[int(float64(len(b))*at)] ^= 0x10
		return b
	}
}

// TestDamage damages a store in each way and opens it: what is lost is told, by the opening or by a check, or everything
// is there. What was not touched is still read; with a new epoch no cursor of before is believed.
func TestDamage(t *testing.T) {
	whole := t.TempDir()
	o := mustOpen(t, whole)
	o.talk(t, 0, 30)
	o.remove(t, 3)
	epoch, entries := o.Epoch(), 12*30-30+1
	o.close(t)
	older := t.TempDir()
	must(t, os.CopyFS(older, os.DirFS(whole)))
	o = mustOpen(t, whole)
	o.talk(t, 30, 40)
	o.close(t)
	entries += 11 * 10

	const opening, checking, healed = "by opening", "by a check", "healed"
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, dir string)
		found  []string // where the damage may be told
	}{
		{"nothing", func(*testing.T, string) {}, []string{healed}},
		{"a bit flipped in a shard", func(t *testing.T, dir string) { edit(t, block(t, dir, "EVENTS_1"), flip(0.4)) }, []string{opening, checking}},
		{"a bit flipped in a length", func(t *testing.T, dir string) {
			edit(t, block(t, dir, "EVENTS_1"), func(b []byte) []byte { b[1] ^= 0x10; return b })
		}, []string{opening, checking}},
		{"a bit flipped, no index", func(t *testing.T, dir string) {
			edit(t, block(t, dir, "EVENTS_1"), flip(0.4))
			must(t, os.Remove(filepath.Join(stream(dir, "EVENTS_1"), "msgs", "index.db")))
		}, []string{opening}},
		{"a bit flipped in the records", func(t *testing.T, dir string) { edit(t, block(t, dir, "KV_auth"), flip(0.5)) }, []string{opening, checking}},
		{"a shard cut short", func(t *testing.T, dir string) {
			edit(t, block(t, dir, "EVENTS_2"), func(b []byte) []byte { return b[:len(b)*2/3] })
		}, []string{opening}},
		{"a torn tail", func(t *testing.T, dir string) {
			edit(t, block(t, dir, "EVENTS_2"), func(b []byte) []byte { return b[:len(b)-7] })
		}, []string{opening}},
		{"a block lost", func(t *testing.T, dir string) { must(t, os.Remove(block(t, dir, "EVENTS_0"))) }, []string{opening}},
		{"a shard lost", func(t *testing.T, dir string) { must(t, os.RemoveAll(stream(dir, "EVENTS_0"))) }, []string{opening}},
		{"a shard of an older backup", func(t *testing.T, dir string) {
			must(t, os.RemoveAll(stream(dir, "EVENTS_0")), os.CopyFS(stream(dir, "EVENTS_0"), os.DirFS(stream(older, "EVENTS_0"))))
		}, []string{opening}},
		{"shards swapped", func(t *testing.T, dir string) {
			must(t, os.Rename(stream(dir, "EVENTS_0"), stream(dir, "x")), os.Rename(stream(dir, "EVENTS_1"), stream(dir, "EVENTS_0")),
				os.Rename(stream(dir, "x"), stream(dir, "EVENTS_1")))
		}, []string{opening, healed}},
		{"blocks of shards swapped", func(t *testing.T, dir string) {
			a, b := filepath.Join(stream(dir, "EVENTS_0"), "msgs"), filepath.Join(stream(dir, "EVENTS_1"), "msgs")
			must(t, os.Rename(a, a+"x"), os.Rename(b, a), os.Rename(a+"x", b))
		}, []string{opening}},
		{"the records lost", func(t *testing.T, dir string) { must(t, os.RemoveAll(stream(dir, "KV_auth"))) }, []string{opening}},
		{"what the store knows of itself lost", func(t *testing.T, dir string) { must(t, os.RemoveAll(stream(dir, "KV_store"))) }, []string{opening}},
		{"the engine's index lost", func(t *testing.T, dir string) {
			must(t, os.Remove(filepath.Join(stream(dir, "EVENTS_0"), "msgs", "index.db")))
		}, []string{healed}},
		{"the engine's index damaged", func(t *testing.T, dir string) {
			edit(t, filepath.Join(stream(dir, "EVENTS_0"), "msgs", "index.db"), flip(0.5))
		}, []string{healed}},
		{"a stream's settings cut short", func(t *testing.T, dir string) {
			edit(t, filepath.Join(stream(dir, "EVENTS_0"), "meta.inf"), func(b []byte) []byte { return b[:len(b)/2] })
		}, []string{healed}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			must(t, os.CopyFS(dir, os.DirFS(whole)))
			c.damage(t, dir)
			o := mustOpen(t, dir)
			lost, err := o.Damage(t.Context())
			must(t, err)
			report, err := o.Check(t.Context(), 0)
			must(t, err)
			told := healed
			switch {
			case len(lost) > 0:
				told = opening
			case len(report.Findings) > 0:
				told = checking
			case report.Entries != uint64(entries):
				t.Errorf("%d of %d entries, and nobody says so", report.Entries, entries)
			}
			t.Logf("told %s: %q, check %q", told, lost, report.Findings)
			if !slices.Contains(c.found, told) {
				t.Errorf("told %s, not %v", told, c.found)
			}
			if (told == opening) != (o.Epoch() != epoch) {
				t.Errorf("epoch %s after %s", o.Epoch(), epoch)
			}
			if told == checking {
				must(t, o.Damaged(t.Context(), report.Findings, false))
			}
			o.recover(t, told != healed, report.Findings)
			o.close(t)
			o = mustOpen(t, dir)
			defer func() { o.close(t) }()
			report, err = o.Check(t.Context(), 0)
			must(t, err, o.Damaged(t.Context(), report.Findings, false))
			if err := o.Ready(t.Context()); err != nil {
				t.Errorf("accepted, and found again: %v", err)
			}
		})
	}
}

// TestDeletedBeforeACrash opens a store that died before its ledger knew of a deletion: nothing is wrong with it. With one
// entry less than the deletion explains, that is told.
func TestDeletedBeforeACrash(t *testing.T) {
	whole := t.TempDir()
	o := mustOpen(t, whole)
	o.talk(t, 0, 30)
	o.close(t)
	o = mustOpen(t, whole)
	o.remove(t, 3)
	o.remove(t, 5)
	o.talk(t, 30, 31)
	o.Close() // without a last word to the ledger
	o.engine.Close()
	for _, lose := range []bool{false, true} {
		dir := t.TempDir()
		must(t, os.CopyFS(dir, os.DirFS(whole)))
		if lose {
			user := switchboard.NewUserID("test", "", "user7")
			lost := mustOpen(t, dir)
			es, err := lost.Read(t.Context(), user, switchboard.NewThreadID(user, "t"), thread.Position{})
			must(t, err)
			conn, err := lost.engine.Connect()
			must(t, err)
			_, err = conn.Request(fmt.Sprintf("$JS.API.STREAM.MSG.DELETE.EVENTS_%d", lost.Shard(user)), fmt.Appendf(nil, `{"seq":%d}`, es[4].Seq), time.Second)
			must(t, err)
			conn.Close()
			lost.Close()
			lost.engine.Close()
		}
		o := mustOpen(t, dir)
		found, err := o.Damage(t.Context())
		must(t, err)
		if lose != (len(found) > 0) {
			t.Errorf("one entry lost: %t, found %q", lose, found)
		}
		o.close(t)
	}
}

// recover: a damaged store is not ready until the loss is accepted, and takes messages of those who lost nothing.
func (o *opened) recover(t *testing.T, damaged bool, findings []string) {
	t.Helper()
	if err := o.Ready(t.Context()); damaged != (err != nil) {
		t.Errorf("ready: %v", err)
	}
	must(t, o.Accept(t.Context(), findings))
	if err := o.Ready(t.Context()); err != nil {
		t.Errorf("accepted, and not ready: %v", err)
	}
	st := thread.NewState(ann, switchboard.NewThreadID(ann, "new"))
	p := &switchboard.ThreadRenamedEvent{ID: "m", Title: "x"}
	if stored, err := st.Put(t.Context(), o, thread.Draft{Event: switchboard.Event{Type: p.EventType(), Payload: p}}); err != nil || !stored {
		t.Errorf("a new thread: %v, %v", stored, err)
	}
}

// TestDamageAdds: what is found later does not hide what was found before and nobody has accepted.
func TestDamageAdds(t *testing.T) {
	o := mustOpen(t, t.TempDir())
	defer o.close(t)
	for range 2 {
		must(t, o.Damaged(t.Context(), []string{"a"}, false), o.Damaged(t.Context(), []string{"b"}, false))
	}
	if lost, err := o.Damage(t.Context()); err != nil || !slices.Equal(lost, []string{"a", "b"}) {
		t.Errorf("lost %q, %v", lost, err)
	}
}

// TestOpenTogether: nodes that make a new store at the same time find nothing damaged.
func TestOpenTogether(t *testing.T) {
	for range 20 {
		engine, err := embed.Start(embed.Config{Dir: t.TempDir(), Sync: time.Minute})
		must(t, err)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				<-time.After(time.Duration(i) * time.Millisecond / 2)
				j, err := journal.Open(t.Context(), journal.Config{Connect: engine.Connect, Shards: 2})
				if err != nil {
					t.Error(err)
					return
				}
				defer j.Close()
				if lost, err := j.Damage(t.Context()); err != nil || len(lost) > 0 || j.Shards() != 2 {
					t.Errorf("%d shards, lost %q, %v", j.Shards(), lost, err)
				}
			})
		}
		wg.Wait()
		engine.Close()
	}
}
