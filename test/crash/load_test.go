package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
	"github.com/netra-systems/switchboard/probe"
)

// load is users who send messages.
type load struct {
	fleet *fleet
	words *probe.Ledger
	users []*user
	sends sync.WaitGroup

	mu   sync.Mutex // guards sent
	sent map[switchboard.FrameID]*sent
}

// user is one user with two devices. One goroutine acts for it; what it sends runs beside.
type user struct {
	load    *load
	id      switchboard.UserID
	number  int
	token   string
	rand    *rand.Rand
	devices []*device
	said    int

	mu   sync.Mutex // guards what follows
	mine []*sent
	runs []*sent // acknowledged messages, oldest first
}

// patience bounds how long one message may take to be answered through all faults.
const patience = 90 * time.Second

// newLoad connects users before any of them says a word, so that their devices must see everything.
func newLoad(ctx context.Context, f *fleet, seed uint64, users int) (*load, error) {
	l := &load{fleet: f, words: probe.NewLedger(), sent: map[switchboard.FrameID]*sent{}}
	accounts, err := f.accounts(ctx, "user", users)
	if err != nil {
		return nil, err
	}
	for i, a := range accounts {
		u := &user{load: l, number: i + 1, token: a.token, rand: rand.New(rand.NewPCG(seed, uint64(i)+1))}
		for k := range 2 {
			d := newDevice(f, l.words, fmt.Sprintf("device %d of user %d", k+1, i+1), a.token)
			u.devices = append(u.devices, d)
			if err := d.start(ctx, ""); err != nil {
				return l, err
			}
			u.id = d.user
		}
		l.users = append(l.users, u)
	}
	return l, nil
}

// run lets all users act until acting ends, so that together they send rate messages a second, and returns when all
// that they sent is answered or life ends.
func (l *load) run(acting, life context.Context, rate float64) {
	think := time.Duration(float64(len(l.users)) / rate * float64(time.Second))
	var all sync.WaitGroup
	for _, u := range l.users {
		all.Go(func() {
			for pause(acting, time.Duration(u.rand.Int64N(2*int64(think)))) {
				u.act(life)
			}
		})
	}
	all.Wait()
	l.sends.Wait()
}

// pause paces a schedule; false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// act does one thing.
func (u *user) act(ctx context.Context) {
	switch p := u.rand.IntN(100); {
	case p < 72:
		u.say(ctx)
	case p < 84:
		u.repeat(ctx)
	case p < 90:
		u.stop(ctx)
	case p < 92:
		u.rename(ctx)
	case p < 93:
		u.remove(ctx)
	case p < 97:
		u.device().cut(u.rand.IntN(2) == 0)
	default:
		d := u.device()
		if err := d.restart(ctx); err != nil {
			d.mu.Lock()
			d.wrong = append(d.wrong, wrongf("no way back", "%s: %v", d.name, err))
			d.mu.Unlock()
		}
	}
}

func (u *user) device() *device { return u.devices[u.rand.IntN(len(u.devices))] }

// say sends a message: to a new thread or an old one, from one device or from both at once.
func (u *user) say(ctx context.Context) {
	word := u.load.word(u)
	id := switchboard.FrameID(word + "." + string(client.NewID()))
	s := newScript(u.rand, word)
	m := &switchboard.UserMessage{Text: s.text}
	var thread switchboard.ThreadID
	if old := u.accepted(); old != nil && u.rand.IntN(100) < 60 {
		ack, _ := old.acked()
		thread = ack.ThreadID
		switch p := u.rand.IntN(100); {
		case p < 12:
			m.OnBusy = switchboard.Interrupt
		case p < 18:
			m.OnBusy = switchboard.Rollback
		case p < 22:
			m.OnBusy = switchboard.Reject
		case p < 32:
			m.OnBusy = switchboard.Steer
		}
	}
	x := u.load.note(u, s, switchboard.Message{ID: id, ThreadID: string(thread), Payload: m})
	if u.rand.IntN(100) < 10 {
		for _, d := range u.devices {
			u.send(ctx, d, x)
		}
		return
	}
	u.send(ctx, u.device(), x)
}

// word returns a word of the user that no one else may receive.
func (l *load) word(u *user) string {
	u.said++
	return l.words.Begin(probe.Owner{User: u.id, Run: u.said}, client.NewID())
}

// of returns the user of an id.
func (l *load) of(id switchboard.UserID) *user {
	for _, u := range l.users {
		if u.id == id {
			return u
		}
	}
	return nil
}

// ids returns the ids of all users.
func (l *load) ids() []switchboard.UserID {
	var out []switchboard.UserID
	for _, u := range l.users {
		out = append(out, u.id)
	}
	return out
}

// repeat sends an old message again, answered or not.
func (u *user) repeat(ctx context.Context) {
	u.mu.Lock()
	mine := u.mine
	u.mu.Unlock()
	if len(mine) > 0 {
		u.send(ctx, u.device(), mine[u.rand.IntN(len(mine))])
	}
}

// stop stops a run, most likely one that has just begun.
func (u *user) stop(ctx context.Context) {
	if s := u.accepted(); s != nil {
		ack, _ := s.acked()
		u.halt(ctx, ack.RunID)
	}
}

// rename gives a thread a title that nobody else may see.
func (u *user) rename(ctx context.Context) {
	if s := u.accepted(); s != nil {
		ack, _ := s.acked()
		m := switchboard.Message{ID: client.NewID(), ThreadID: string(ack.ThreadID), Payload: &switchboard.RenameThread{Title: u.load.word(u)}}
		u.send(ctx, u.device(), u.load.note(u, script{name: "rename"}, m))
	}
}

// remove deletes a thread, whatever goes on in it.
func (u *user) remove(ctx context.Context) {
	if s := u.accepted(); s != nil {
		ack, _ := s.acked()
		m := switchboard.Message{ID: client.NewID(), ThreadID: string(ack.ThreadID), Payload: &switchboard.DeleteThread{}}
		u.send(ctx, u.device(), u.load.note(u, script{name: "delete"}, m))
	}
}

func (u *user) halt(ctx context.Context, run switchboard.RunID) {
	m := switchboard.Message{ID: client.NewID(), Payload: &switchboard.StopAgent{RunID: string(run)}}
	u.send(ctx, u.devices[0], u.load.note(u, script{name: "stop"}, m))
}

// accepted returns an acknowledged message, most likely one of the last.
func (u *user) accepted() *sent {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.runs) == 0 {
		return nil
	}
	i := len(u.runs) - 1
	for i > 0 && u.rand.IntN(2) == 0 {
		i--
	}
	return u.runs[i]
}

// note records a message before it is sent.
func (l *load) note(u *user, s script, m switchboard.Message) *sent {
	x := &sent{user: u.id, message: m, script: s}
	l.mu.Lock()
	l.sent[m.ID] = x
	l.mu.Unlock()
	u.mu.Lock()
	u.mine = append(u.mine, x)
	u.mu.Unlock()
	return x
}

// send sends a message from a device and records what came of it.
func (u *user) send(ctx context.Context, d *device, x *sent) {
	u.load.sends.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		var ack switchboard.Ack
		err := u.deliver(ctx, d, x.message, &ack)
		var e *switchboard.Error
		x.mu.Lock()
		switch {
		case err == nil:
			x.acks = append(x.acks, ack)
		case errors.As(err, &e) && e.Code != switchboard.Unavailable && e.Code != switchboard.ShuttingDown:
			x.refused = err
		default:
			x.unknown++
		}
		first := err == nil && len(x.acks) == 1
		x.mu.Unlock()
		if _, asks := x.message.Payload.(*switchboard.UserMessage); !asks || !first {
			return
		}
		u.mu.Lock()
		u.runs = append(u.runs, x)
		u.mu.Unlock()
		if x.script.stop && pause(ctx, time.Second) {
			u.halt(context.WithoutCancel(ctx), ack.RunID)
		}
	})
}

// deliver sends a message through the program that runs on the device, and through the next one if that ends.
func (u *user) deliver(ctx context.Context, d *device, m switchboard.Message, ack *switchboard.Ack) error {
	for {
		c := d.current()
		err := c.Do(ctx, m, ack)
		if c.Err() == nil || ctx.Err() != nil {
			return err
		}
		if err == nil || c == d.current() && !pause(ctx, 50*time.Millisecond) {
			return err
		}
	}
}

// settle waits until every run that a device knows of has ended, those whose acks were lost too.
func (l *load) settle(ctx context.Context) error {
	for _, u := range l.users {
		for _, d := range u.devices {
			for _, x := range u.acknowledged() {
				ack, _ := x.acked()
				if err := d.await(ctx, ack.RunID); err != nil {
					return fmt.Errorf("%s: run %s (%s) has no end: %w", d.name, ack.RunID, x.script.name, err)
				}
			}
			for run := d.open(); run != ""; run = d.open() {
				if err := d.await(ctx, run); err != nil {
					return fmt.Errorf("%s: run %s has no end: %w", d.name, run, err)
				}
			}
		}
	}
	return nil
}

func (u *user) acknowledged() []*sent {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.runs
}

// catchUp waits until the devices of a user have as much as the pages say.
func (u *user) catchUp(ctx context.Context, pages map[switchboard.ThreadID][]line) error {
	for _, d := range u.devices {
		for t, lines := range pages {
			if err := d.reach(ctx, t, len(lines)); err != nil {
				return fmt.Errorf("%s: thread %s: %w", d.name, t, err)
			}
		}
	}
	return nil
}

// errStill says that nothing happens any more.
var errStill = fmt.Errorf("no device has received an event for %v", settleTime)

// moving returns a context that ends when no device has received an event for settleTime.
func (l *load) moving(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, still := context.WithCancelCause(ctx)
	go func() {
		last, since := int64(-1), time.Now()
		for pause(ctx, time.Second) {
			now := int64(0)
			for _, u := range l.users {
				for _, d := range u.devices {
					d.mu.Lock()
					now += d.events
					d.mu.Unlock()
				}
			}
			if now != last {
				last, since = now, time.Now()
			} else if time.Since(since) > settleTime {
				still(errStill)
			}
		}
	}()
	return ctx, func() { still(nil) }
}

// close ends all devices.
func (l *load) close() {
	for _, u := range l.users {
		for _, d := range u.devices {
			d.close()
		}
	}
}
