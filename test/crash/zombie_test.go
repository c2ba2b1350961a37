package crash

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
	"github.com/netra-systems/switchboard/thread"
)

// zombieRuns are the runs that are active when a node is frozen: four of each user.
const (
	zombieUsers = 12
	zombieRuns  = 4 * zombieUsers
)

// TestCrashZombies freezes one of two nodes while it holds runs, lets the other finish them, and thaws it: what it still
// wants to write must not be taken.
func TestCrashZombies(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes")
	}
	t.Parallel()
	seed := chooseSeed()
	f := newFleet(t, dir(t), 2)
	l, err := newLoad(t.Context(), f, seed, zombieUsers)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	var tried, written, held int
	for round := range flags.rounds {
		h, fenced := zombieRound(t, f, l, rand.New(rand.NewPCG(seed, uint64(round))))
		held, tried = held+h, tried+fenced
	}
	entries, err := f.readLog(t.Context(), l.ids())
	if err != nil {
		t.Fatal(err)
	}
	h := &history{sent: l.sent, log: entries}
	for _, u := range l.users {
		for _, d := range u.devices {
			d.close()
			h.views = append(h.views, d.view())
		}
	}
	v := judge(h)
	written = v.zombieWrites
	fmt.Printf("zombies: seed %d, %d rounds: %d runs held by a frozen node and finished by the other, %d times it found itself superseded, %d of its writes taken; %d violations\n",
		seed, flags.rounds, held, tried, written, len(v.violations))
	for _, x := range v.violations {
		t.Errorf("seed %d: %s: %s", seed, x.kind, x.detail)
	}
	if held > 0 && tried == 0 {
		t.Errorf("seed %d: nothing was tried", seed)
	}
}

// zombieRound freezes the node that holds more of the runs, and returns how many those were and how often the thawed
// node has found itself superseded.
func zombieRound(t *testing.T, f *fleet, l *load, r *rand.Rand) (held, fenced int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var runs []*sent
	for i := range zombieRuns {
		u := l.users[i%len(l.users)]
		s := newScript(r, l.word(u))
		for s.name != "slow text" {
			s = newScript(r, l.word(u))
		}
		s.text += " [[fake:delay 600ms]]"
		x := l.note(u, s, switchboard.Message{ID: client.NewID(), Payload: &switchboard.UserMessage{Text: s.text}})
		u.send(ctx, u.devices[0], x)
		runs = append(runs, x)
	}
	l.sends.Wait()
	holders, err := f.holders(ctx, l, runs)
	if err != nil {
		t.Fatal(err)
	}
	frozen := f.nodes[0]
	if len(holders[f.nodes[1].worker]) > len(holders[frozen.worker]) {
		frozen = f.nodes[1]
	}
	before := frozen.metric(ctx, t, "switchboard_fenced_total")
	frozen.signal(syscall.SIGSTOP)
	frozen.setDown(true)
	for _, u := range l.users {
		for _, d := range u.devices {
			d.cut(true) // to the other node
		}
	}
	for _, x := range runs {
		ack, _ := x.acked()
		if err := l.of(x.user).devices[0].await(ctx, ack.RunID); err != nil {
			t.Errorf("run %s, held by %v: %v", ack.RunID, holders, err)
		}
	}
	frozen.signal(syscall.SIGCONT)
	frozen.setDown(false)
	held = len(holders[frozen.worker])
	for frozen.metric(ctx, t, "switchboard_wakeups_held") > 0 && pause(ctx, 100*time.Millisecond) { // each finds out
	}
	return held, int(frozen.metric(ctx, t, "switchboard_fenced_total") - before)
}

// holders waits until all runs have begun and returns them by the workers that hold them.
func (f *fleet) holders(ctx context.Context, l *load, runs []*sent) (map[string][]switchboard.RunID, error) {
	for {
		log, err := f.readLog(ctx, l.ids())
		if err != nil {
			return nil, err
		}
		out, begun := map[string][]switchboard.RunID{}, 0
		for _, x := range runs {
			ack, _ := x.acked()
			if w := holder(log[x.user][ack.ThreadID], ack.RunID); w != "" {
				begun++
				out[w] = append(out[w], ack.RunID)
			}
		}
		if begun == len(runs) {
			return out, nil
		}
		if !pause(ctx, 20*time.Millisecond) {
			return nil, context.Cause(ctx)
		}
	}
}

func holder(entries []thread.Entry, run switchboard.RunID) (worker string) {
	for _, e := range entries {
		if e.Event.RunID == run && claims(e.Event) {
			worker = e.Header.Worker
		}
	}
	return worker
}

// metric returns a figure that a node tells its operators.
func (n *node) metric(ctx context.Context, t testing.TB, name string) float64 {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.admin+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatalf("%s: %v", n.name, err)
	}
	defer a.Body.Close()
	for s := bufio.NewScanner(a.Body); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), name+" "); ok {
			v, err := strconv.ParseFloat(rest, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("%s has no metric %s", n.name, name)
	return 0
}
