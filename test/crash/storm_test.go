package crash

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
)

const (
	stormDevices = 10 // of each user: as many as are allowed
	stormMissed  = 100
	stormRuns    = stormMissed / 10 // each run of two tools and an answer is ten events
)

// TestCrashStorm lets many devices miss a hundred events each and come back all at once after a restart.
func TestCrashStorm(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes")
	}
	t.Parallel()
	f := newFleet(t, dir(t), 0)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	l, err := newLoad(ctx, f, 1, max(1, flags.storm/stormDevices))
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	cursors := l.gather(ctx, t)
	last := l.happen(ctx, t)
	n := f.nodes[0]
	n.kill()
	killed := time.Now()
	if err := f.start(ctx, n); err != nil {
		t.Fatal(err)
	}
	ready := time.Now()
	var all sync.WaitGroup
	for _, u := range l.users {
		for _, d := range u.devices {
			all.Go(func() {
				if err := d.start(ctx, cursors[d]); err != nil {
					t.Errorf("%s cannot connect: %v", d.name, err)
				} else if err := d.await(ctx, last[u.id]); err != nil {
					t.Errorf("%s does not catch up: %v", d.name, err)
				}
			})
		}
	}
	all.Wait()
	took, sinceKill := time.Since(ready), time.Since(killed)

	h := &history{sent: l.sent}
	missed, opened := 0, 0
	for _, u := range l.users {
		for _, d := range u.devices {
			d.close()
			v := d.view()
			h.views = append(h.views, v)
			opened += d.resumes
			for _, lines := range v.threads {
				missed += len(lines)
			}
		}
	}
	if err := n.process.stop(); err != nil {
		t.Error(err)
	}
	if h.log, err = f.readLog(t.Context(), l.ids()); err != nil {
		t.Fatal(err)
	}
	v := judge(h)
	for _, x := range v.violations {
		t.Errorf("%s: %s", x.kind, x.detail)
	}
	fmt.Printf("storm: %d devices of %d users had missed %d events in all and have them %v after the server was ready (%v after kill -9); %d connections, %d violations\n",
		len(h.views), len(l.users), missed, took.Round(time.Millisecond), sinceKill.Round(time.Millisecond), opened-len(h.views), len(v.violations))
	if missed < stormMissed*len(h.views) {
		t.Errorf("only %d events were missed", missed)
	}
}

// gather gives each user more devices, notes their places, and sends them away.
func (l *load) gather(ctx context.Context, t *testing.T) map[*device]switchboard.Cursor {
	t.Helper()
	cursors := map[*device]switchboard.Cursor{}
	for _, u := range l.users {
		for k := len(u.devices); k < stormDevices; k++ {
			d := newDevice(l.fleet, l.words, fmt.Sprintf("device %d of user %d", k+1, u.number), u.token)
			if err := d.start(ctx, ""); err != nil {
				t.Fatal(err)
			}
			u.devices = append(u.devices, d)
		}
		for _, d := range u.devices {
			cursors[d] = d.close()
		}
	}
	return cursors
}

// happen lets each user's thread grow by a hundred events that no device of it sees, and returns each user's last run.
func (l *load) happen(ctx context.Context, t *testing.T) map[switchboard.UserID]switchboard.RunID {
	t.Helper()
	last := map[switchboard.UserID]switchboard.RunID{}
	var mu sync.Mutex // guards last
	var all sync.WaitGroup
	for _, u := range l.users {
		all.Go(func() {
			d := newDevice(l.fleet, l.words, "sender", u.token)
			if err := d.start(ctx, ""); err != nil {
				t.Errorf("user %d: %v", u.number, err)
				return
			}
			defer d.close()
			var ack switchboard.Ack
			for range stormRuns {
				s := twoTools(u.rand, l.word(u))
				x := l.note(u, s, switchboard.Message{ID: client.NewID(), ThreadID: string(ack.ThreadID), Payload: &switchboard.UserMessage{Text: s.text}})
				if err := d.current().Do(ctx, x.message, &ack); err != nil {
					t.Errorf("user %d: %v", u.number, err)
					return
				}
				x.acks = append(x.acks, ack)
			}
			if err := d.await(ctx, ack.RunID); err != nil {
				t.Errorf("user %d: %v", u.number, err)
			}
			mu.Lock()
			defer mu.Unlock()
			last[u.id] = ack.RunID
		})
	}
	all.Wait()
	return last
}
