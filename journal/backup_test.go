package journal_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/journal"
	"github.com/netra-systems/switchboard/journal/embed"
)

// TestBackup backs a store up while it is written to, restores it elsewhere, and finds all that was there, with a new
// epoch; wake-ups that were waiting wait again. A backup that was changed is refused, and so is a store that is not empty.
func TestBackup(t *testing.T) {
	dir, backup := t.TempDir(), filepath.Join(t.TempDir(), "backup")
	o := mustOpen(t, dir)
	o.talk(t, 0, 20)
	o.remove(t, 3)
	epoch := o.Epoch()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 20; ; i++ {
			select {
			case <-stop:
				return
			default:
				o.talk(t, i, i+1)
			}
		}
	}()
	m, err := o.Backup(t.Context(), backup)
	close(stop)
	<-stopped
	must(t, err)
	if _, err := o.Backup(t.Context(), backup); switchboard.CodeOf(err) != switchboard.Conflict {
		t.Errorf("a second backup in the same folder: %v", err)
	}
	o.close(t)
	if info, err := os.Stat(filepath.Join(backup, "KV_auth")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the keys: %v, %v", info, err)
	}

	restore := func(to string) (journal.Report, error) {
		engine, err := embed.Start(embed.Config{Dir: to})
		must(t, err)
		defer engine.Close()
		_, r, err := journal.Restore(t.Context(), journal.Config{Connect: engine.Connect}, backup)
		return r, err
	}
	if _, err := restore(dir); switchboard.CodeOf(err) != switchboard.Conflict {
		t.Errorf("over a store that is there: %v", err)
	}
	to := t.TempDir()
	r, err := restore(to)
	must(t, err)
	var messages uint64
	for _, s := range m.Streams {
		if s.Name[:3] != "KV_" {
			messages += s.Messages
		}
	}
	if len(r.Findings) > 0 || r.Entries != messages || r.Entries < 12*20-20 {
		t.Errorf("restored %d of %d entries: %q", r.Entries, messages, r.Findings)
	}
	n := mustOpen(t, to)
	if n.Epoch() == epoch {
		t.Error("cursors of before are believed")
	}
	if err := n.Ready(t.Context()); err != nil {
		t.Errorf("restored, and not ready: %v", err)
	}
	w, err := n.NextWakeup(t.Context(), n.Shard(ann))
	if err != nil || w.Delivery() != 1 {
		t.Errorf("what waited is not delivered: %v %v", w, err)
	}
	n.talk(t, 1000, 1001)
	n.close(t)

	edit(t, filepath.Join(backup, "EVENTS_0"), flip(0.5))
	if _, err := restore(t.TempDir()); !errors.Is(err, journal.ErrDamaged) {
		t.Errorf("a changed backup: %v", err)
	}
}

// TestRestoreReplicas restores a backup of a cluster on one machine.
func TestRestoreReplicas(t *testing.T) {
	dir, backup := t.TempDir(), filepath.Join(t.TempDir(), "backup")
	o := mustOpen(t, dir)
	o.talk(t, 0, 3)
	_, err := o.Backup(t.Context(), backup)
	must(t, err)
	o.close(t)
	edit(t, filepath.Join(backup, "manifest.json"), func(b []byte) []byte {
		return bytes.ReplaceAll(b, []byte(`"num_replicas": 1`), []byte(`"num_replicas": 3`))
	})
	engine, err := embed.Start(embed.Config{Dir: t.TempDir()})
	must(t, err)
	defer engine.Close()
	_, r, err := journal.Restore(t.Context(), journal.Config{Connect: engine.Connect}, backup)
	if err != nil || len(r.Findings) > 0 || r.Entries != 36 {
		t.Errorf("%d entries, %q, %v", r.Entries, r.Findings, err)
	}
}
