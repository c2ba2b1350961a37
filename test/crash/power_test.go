package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// cuts is what came of power cuts.
type cuts struct{ cuts, acknowledged, erased, lost, recovered, threads int }

// TestCrashPowerCut copies the disk of a server under load at one instant, as a power cut leaves it: what the file system
// had given to its device, and nothing that was only in memory. A server that starts on the copy must hold every message
// that was acknowledged before.
func TestCrashPowerCut(t *testing.T) {
	needRoot(t)
	t.Parallel()
	c := cutPower(t, flags.cuts)
	fmt.Printf("power cuts: %d, %d messages acknowledged before (%d of them in threads deleted since), %d lost, %d stored without an ack yet, %d threads read back with their chains whole\n",
		c.cuts, c.acknowledged, c.erased, c.lost, c.recovered, c.threads)
	if c.lost > 0 || c.acknowledged == 0 {
		t.Errorf("%+v", c)
	}
}

// TestCrashPowerCutFindsLoss does the same to a server that hardly ever syncs, so that the test above is known to find
// what is lost.
func TestCrashPowerCutFindsLoss(t *testing.T) {
	needRoot(t)
	t.Parallel()
	c := cutPower(t, 1, "--journal-sync", "1h")
	fmt.Printf("power cut without syncs: %d messages acknowledged before, %d lost\n", c.acknowledged, c.lost)
	if c.lost == 0 {
		t.Error("nothing is lost without syncs: the copy is not what a power cut leaves")
	}
}

// cutPower runs a load on a disk of its own and looks at copies of it.
func cutPower(t *testing.T, times int, args ...string) (c cuts) {
	t.Helper()
	seed := chooseSeed()
	r := rand.New(rand.NewPCG(seed, 0))
	img := image(t, 256)
	disk := mount(t, "-o", "loop", img)
	f := newFleet(t, disk, 0, args...)
	l, err := newLoad(t.Context(), f, seed, 6)
	if err != nil {
		t.Fatal(err)
	}
	acting, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	load.Go(func() { l.run(acting, t.Context(), 30) })
	for range times {
		pause(acting, time.Second+time.Duration(r.IntN(1000))*time.Millisecond)
		acked := l.acknowledged()
		copied := filepath.Join(filepath.Dir(img), "copy")
		f.nodes[0].signal(syscall.SIGSTOP) // so that the copy is of one instant
		command(t, "cp", "--sparse=always", img, copied)
		f.nodes[0].signal(syscall.SIGCONT)
		c.look(t, f, l, copied, acked, args)
		if err := os.Remove(copied); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	load.Wait()
	l.close()
	f.nodes[0].kill()
	return c
}

// acknowledged returns the messages that have been acknowledged by now.
func (l *load) acknowledged() []*sent {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []*sent
	for _, x := range l.sent {
		if _, ok := x.acked(); ok {
			out = append(out, x)
		}
	}
	return out
}

// look starts a server on a copy of the disk, and reads its log when it has stopped.
func (c *cuts) look(t *testing.T, f *fleet, l *load, copied string, acked []*sent, args []string) {
	t.Helper()
	disk := mount(t, "-o", "loop", copied)
	defer unmount(t, disk)
	n := newNode(t, filepath.Join(disk, filepath.Base(f.nodes[0].data)))
	after := &fleet{dir: disk, model: f.model, nodes: []*node{n}, args: args}
	if err := after.start(t.Context(), n); err != nil {
		t.Errorf("after a power cut: %v", err)
		return
	}
	if err := n.process.stop(); err != nil {
		t.Errorf("after a power cut: %v", err)
	}
	log, err := after.readLog(t.Context(), l.ids())
	if err != nil {
		t.Errorf("after a power cut: %v", err)
		return
	}
	found := &history{log: log}
	stored := map[switchboard.FrameID]bool{}
	for _, threads := range log {
		for _, entries := range threads {
			c.threads++
			c.note(entries, stored)
		}
	}
	before := map[switchboard.FrameID]bool{}
	for _, x := range acked {
		before[x.message.ID] = true
		switch {
		case stored[x.message.ID]:
		case found.erased(x):
			c.erased++
		default:
			c.lost++
		}
	}
	for id := range stored {
		if !before[id] {
			c.recovered++
		}
	}
	c.cuts, c.acknowledged = c.cuts+1, c.acknowledged+len(acked)
}

func (c *cuts) note(entries []thread.Entry, stored map[switchboard.FrameID]bool) {
	for _, e := range entries {
		if id, _ := ids(e.Event); id != "" {
			stored[id] = true
		}
	}
}
