package transport

import (
	"net/netip"
	"sync"
	"time"

	"github.com/netra-systems/switchboard"
)

const (
	// sweepEvery is how often the devices are looked at; it bounds how late a session's end is seen.
	sweepEvery = 250 * time.Millisecond
	// expiringBefore is how long before its identity ends a device is told.
	expiringBefore = time.Minute
	// replaceAfter is how long a newer device must have lived before the oldest one goes for it: one that comes back at once
	// is counted twice for a moment, until the end of its last connection is seen.
	replaceAfter = time.Second
	// missedPings is after how many pings without an answer a device is dead.
	missedPings = 2
)

// registry knows the live devices, and watches them all with one goroutine, which runs while there are any.
type registry struct {
	pingEvery time.Duration
	perUser   int            // devices
	inside    sync.WaitGroup // connections between enter and leave

	mu       sync.Mutex // guards what follows
	draining bool
	devices  map[*device]struct{}
	users    map[switchboard.UserID][]*device // oldest first
	addrs    map[netip.Addr]int
	stop     chan struct{} // closed to end the sweep
	swept    chan struct{} // closed when the sweep has ended
}

func newRegistry(pingEvery time.Duration, perUser int) *registry {
	return &registry{
		pingEvery: pingEvery, perUser: perUser, devices: map[*device]struct{}{}, users: map[switchboard.UserID][]*device{},
		addrs: map[netip.Addr]int{},
	}
}

// add takes in a device and returns those of its user that must go at once, the oldest ones: a user has twice as many as
// allowed at most, for a moment.
func (r *registry) add(d *device) []*device {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.devices) == 0 {
		r.stop, r.swept = make(chan struct{}), make(chan struct{})
		go r.run(r.stop, r.swept)
	}
	r.devices[d] = struct{}{}
	user := d.identity.User.ID
	all := append(r.users[user], d)
	r.users[user] = all
	return r.oldest(user, len(all)-2*r.perUser)
}

// oldest takes the oldest devices of a user out of those that count. Called with mu held.
func (r *registry) oldest(u switchboard.UserID, n int) []*device {
	if n <= 0 {
		return nil
	}
	all := r.users[u]
	r.users[u] = append([]*device(nil), all[n:]...)
	return all[:n:n]
}

// replaced takes out the devices for which newer ones have lived long enough. Called with mu held.
func (r *registry) replaced(now time.Time) (out []*device) {
	for u, all := range r.users {
		n := 0
		for n+r.perUser < len(all) && now.Sub(all[n+r.perUser].since) >= replaceAfter {
			n++
		}
		out = append(out, r.oldest(u, n)...)
	}
	return out
}

// replace ends a device in favour of a newer one.
func (d *device) replace() {
	d.end(switchboard.Errorf(switchboard.Replaced, "a newer device took this one's place"))
}

// remove forgets a device; with the last one the sweep ends.
func (r *registry) remove(d *device) {
	r.mu.Lock()
	delete(r.devices, d)
	user := d.identity.User.ID
	for i, o := range r.users[user] {
		if o == d {
			r.users[user] = append(r.users[user][:i:i], r.users[user][i+1:]...)
			break
		}
	}
	if len(r.users[user]) == 0 {
		delete(r.users, user)
	}
	var swept chan struct{}
	if len(r.devices) == 0 {
		close(r.stop)
		swept = r.swept
	}
	r.mu.Unlock()
	if swept != nil {
		<-swept
	}
}

// enter counts a connection of an address; one without an address, or of this machine, is not limited.
func (r *registry) enter(a netip.Addr, limit int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.draining {
		return errDraining()
	}
	if r.addrs[a] >= limit && a.IsValid() && !a.IsLoopback() {
		return switchboard.Errorf(switchboard.RateLimited, "too many connections from this address").After(time.Minute)
	}
	r.addrs[a]++
	r.inside.Add(1)
	return nil
}

// leave forgets a connection of an address.
func (r *registry) leave(a netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.addrs[a]--; r.addrs[a] <= 0 {
		delete(r.addrs, a)
	}
	r.inside.Done()
}

// drain lets no connection in any more.
func (r *registry) drain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.draining = true
}

func (r *registry) isDraining() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.draining
}

// each begins a task for every device.
func (r *registry) each(task func(*device)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for d := range r.devices {
		d.tasks.Go(func() { task(d) })
	}
}

func (r *registry) run(stop <-chan struct{}, swept chan<- struct{}) {
	defer close(swept)
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case now := <-tick.C:
			r.sweep(now)
		}
	}
}

// sweep begins what is due for each device. Tasks are begun under the lock, so that none begins after remove.
func (r *registry) sweep(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.replaced(now) {
		d.tasks.Go(d.replace)
	}
	for d := range r.devices {
		if task := d.due(now, r.pingEvery); task != nil {
			d.tasks.Go(task)
		}
	}
}

// due returns what must be done about the device now, nil for nothing.
func (d *device) due(now time.Time, pingEvery time.Duration) func() {
	if d.ctx.Err() != nil {
		return nil
	}
	select {
	case <-d.ended:
		return func() { d.end(switchboard.Errorf(switchboard.Unauthenticated, "the session has ended")) }
	default:
	}
	left := d.identity.Expires.Sub(now)
	switch {
	case left <= 0:
		return func() { d.end(switchboard.Errorf(switchboard.Unauthenticated, "the token has expired")) }
	case left <= expiringBefore && !d.warned:
		d.warned = true
		at := switchboard.Expiring{At: switchboard.At(d.identity.Expires)}
		return func() { d.notify(switchboard.TypeExpiring, at) }
	case now.Sub(d.pingedAt) < pingEvery:
		return nil
	case d.missed.Load() >= missedPings:
		return func() { d.end(gone("no answer to pings")) }
	}
	d.pingedAt = now
	d.pings.Store(0)
	d.missed.Add(1)
	return d.ping
}
