package journal_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/internal/machine"
	"github.com/netra-systems/switchboard/journal"
	"github.com/netra-systems/switchboard/journal/embed"
	"github.com/netra-systems/switchboard/thread"
)

// TestRevive fills a disk behind the engine's back until its writes hang: that is told at once from the second append on,
// and when there is room again the engine is started anew and takes them, with everything that was acknowledged.
func TestRevive(t *testing.T) {
	machine.Needs(t, machine.Root, os.Geteuid() == 0, "run the tests as root, who may mount file systems")
	disk := t.TempDir()
	must(t, syscall.Mount("none", disk, "tmpfs", 0, "size=16m"))
	defer syscall.Unmount(disk, syscall.MNT_DETACH)
	engine, err := embed.Start(embed.Config{Dir: filepath.Join(disk, "data")})
	must(t, err)
	defer engine.Close()
	j, err := journal.Open(t.Context(), journal.Config{Connect: engine.Connect, Revive: engine.Restart, Shards: 1})
	must(t, err)
	defer j.Close()
	st := thread.NewState(ann, switchboard.NewThreadID(ann, "t"))
	put := func() error {
		p := &switchboard.ThreadRenamedEvent{ID: switchboard.FrameID("m"), Title: string(make([]byte, 4000))}
		_, err := j.Append(t.Context(), ann, thread.Draft{
			Event:  switchboard.Event{Type: p.EventType(), ThreadID: st.Thread, N: st.N + 1, Payload: p},
			Header: thread.Header{N: st.N + 1},
		}, st.Position)
		if err == nil {
			_, err = st.Advance(t.Context(), j)
		}
		return err
	}
	must(t, put())
	ballast := filepath.Join(disk, "ballast")
	b, err := os.Create(ballast)
	must(t, err)
	for err == nil {
		_, err = b.Write(make([]byte, 4096))
	}
	b.Close()
	stored := st.N
	var failures []time.Duration
	for len(failures) < 4 {
		begin := time.Now()
		if err := put(); err != nil {
			failures = append(failures, time.Since(begin))
		} else {
			stored = st.N
		}
	}
	if failures[2] > time.Second || failures[3] > time.Second {
		t.Errorf("refused after %v", failures)
	}
	if err := j.Ready(t.Context()); err == nil {
		t.Error("ready, and no write is answered")
	}
	must(t, os.Remove(ballast))
	begin := time.Now()
	for put() != nil {
		if time.Since(begin) > 20*time.Second {
			t.Fatal("there is room again, and nothing is taken")
		}
		<-time.After(50 * time.Millisecond)
	}
	t.Logf("%d stored, refused after %v, taken again after %v", stored, failures, time.Since(begin))
	must(t, j.Ready(t.Context()))
	whole := thread.NewState(ann, st.Thread)
	if _, err := whole.Advance(t.Context(), j); err != nil || whole.N <= stored {
		t.Errorf("%d entries of %d, %v", whole.N, stored, err)
	}
}
