package delivery

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// tail follows one shard for all devices of the node.
type tail struct {
	b    *Broadcaster
	feed Feed

	mu      sync.Mutex // guards what follows, and the audiences
	pos     uint64
	moved   chan struct{} // closed and replaced when pos moves and someone waits
	waiting int
	broken  error // why the log cannot be followed right now
	users   map[switchboard.UserID]*audience
	idle    *simplelru.LRU[switchboard.UserID, *audience] // without devices, kept for their index
	watches map[switchboard.ThreadID]map[*func(thread.Entry)]struct{}

	unstored map[*audience]struct{} // whose lists have moved since they were stored

	life  context.Context // ends with the tail; with mu held
	end   func()
	loads sync.WaitGroup
}

// audience is what the tail knows of a user who is here.
type audience struct {
	user    switchboard.UserID
	index   *thread.Index
	whole   bool // the index lacks nothing up to its newest entry
	devices map[*Outbox]struct{}
	uses    int           // devices and readers of the index, and who loads it
	loaded  chan struct{} // closed when index or err is set
	err     error
	stored  stored
	torn    uint64 // a replay up to here met an entry that is missing

	listen sync.Mutex // guards what follows; taken before the tail's mu
	ears   int        // devices that want deltas
	ignore func()     // ends the user's deltas
}

// hear begins to listen to the user's deltas with the first device.
func (a *audience) hear(f Feed) error {
	a.listen.Lock()
	defer a.listen.Unlock()
	if a.ears == 0 {
		ignore, err := f.Listen(a.user)
		if err != nil {
			return err
		}
		a.ignore = ignore
	}
	a.ears++
	return nil
}

// unhear ends it with the last.
func (a *audience) unhear() {
	a.listen.Lock()
	defer a.listen.Unlock()
	if a.ears--; a.ears == 0 {
		a.ignore()
	}
}

// idleUsers is how many users without devices keep their index.
const idleUsers = 1024

func newTail(b *Broadcaster, f Feed) *tail {
	t := &tail{
		b: b, feed: f, pos: f.Position(), moved: make(chan struct{}),
		users: map[switchboard.UserID]*audience{}, watches: map[switchboard.ThreadID]map[*func(thread.Entry)]struct{}{},
		unstored: map[*audience]struct{}{},
	}
	t.life, t.end = context.WithCancel(context.Background())
	t.idle, _ = simplelru.NewLRU(idleUsers, func(u switchboard.UserID, a *audience) {
		if a.uses == 0 {
			delete(t.users, u)
		}
	})
	return t
}

// retryWait is how long a tail that cannot read the log waits.
const retryWait = 200 * time.Millisecond

func (t *tail) run(ctx context.Context) {
	defer t.feed.Close()
	defer t.stop()
	for {
		e, u, delta, err := t.feed.Next(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if t.health(err) {
				t.b.cfg.Log.Error("the tail cannot follow the log", "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(retryWait):
			}
		case e != nil:
			t.entry(*e)
		case u != "":
			t.delta(u, delta)
		default:
			t.health(nil)
		}
	}
}

// stop ends what is being loaded, and waits for it.
func (t *tail) stop() {
	t.mu.Lock()
	t.end()
	t.mu.Unlock()
	t.loads.Wait()
}

// health notes why the log cannot be followed, and reports whether that is news.
func (t *tail) health(err error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	news := t.broken == nil
	t.broken = err
	return news
}

// entry gives an entry to the devices of its user and to whoever watches.
func (t *tail) entry(e thread.Entry) {
	if t.b.cfg.Observe != nil {
		t.b.cfg.Observe(e)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pos, t.broken = e.Seq, nil
	if t.waiting > 0 {
		close(t.moved)
		t.moved = make(chan struct{})
	}
	if a := t.users[e.User]; a != nil && a.index != nil {
		hole := a.index.Beyond(e)
		a.index.Apply(e)
		t.note(a)
		if len(a.devices) > 0 && !hole { // a thread with a hole has been erased: its tombstone follows
			it := t.item(e)
			for o := range a.devices {
				o.push(it)
			}
		}
	}
	for fn := range t.watches[e.Event.ThreadID] {
		(*fn)(e)
	}
}

// item makes the frame of an event, once for all devices.
func (t *tail) item(e thread.Entry) item {
	return item{user: e.User, frame: switchboard.WithCursor(e.Data, t.place(e.Seq, e.Header.Chain).Cursor()), event: &e}
}

func (t *tail) place(seq uint64, chain string) switchboard.Place {
	return switchboard.Place{Epoch: t.b.cfg.Epoch, Seq: seq, Check: chain}
}

func (t *tail) delta(u switchboard.UserID, frame []byte) {
	it, ok := deltaItem(u, frame)
	if !ok {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if a := t.users[u]; a != nil {
		for o := range a.devices {
			o.push(it)
		}
	}
}

// audience returns what is known of a user, with an index that is exactly as far as the tail; release it.
func (t *tail) audience(ctx context.Context, u switchboard.UserID) (*audience, error) {
	t.mu.Lock()
	a := t.users[u]
	if a == nil {
		if t.life.Err() != nil {
			t.mu.Unlock()
			return nil, switchboard.Errorf(switchboard.Unavailable, "this node stops")
		}
		a = &audience{user: u, devices: map[*Outbox]struct{}{}, loaded: make(chan struct{}), uses: 1}
		t.users[u] = a
		t.loads.Go(func() {
			defer t.release(a)
			t.load(a)
		})
	}
	a.uses++
	t.idle.Remove(u)
	t.mu.Unlock()
	select {
	case <-a.loaded:
	case <-ctx.Done():
		t.release(a)
		return nil, ctx.Err()
	}
	if a.err != nil {
		t.release(a)
		return nil, a.err
	}
	return a, nil
}

// loadWait bounds the reading of an index; it goes on when those who asked have gone.
const loadWait = 15 * time.Second

// load reads the index. Entries that the tail passed while it was read are read again, and the tail is waited for where
// it is behind what was read: from then on the index moves only with the tail.
func (t *tail) load(a *audience) {
	ctx, cancel := context.WithTimeout(t.life, loadWait)
	defer cancel()
	defer close(a.loaded)
	index, err := t.read(ctx, a)
	if err == nil {
		last, _ := index.Last()
		t.mu.Lock()
		a.index = index
		t.mu.Unlock()
		var news []thread.Entry
		news, err = t.b.cfg.Journal.Since(ctx, a.user, last)
		t.mu.Lock()
		for _, e := range news {
			index.Apply(e)
		}
		a.whole = err == nil
		t.note(a)
		last, _ = index.Last()
		t.mu.Unlock()
		if err == nil {
			err = t.wait(ctx, last)
		}
	}
	if err != nil {
		a.err = err
		t.mu.Lock()
		if t.users[a.user] == a {
			delete(t.users, a.user)
		}
		t.mu.Unlock()
	}
}

// wait waits until the tail has given the entry at seq.
func (t *tail) wait(ctx context.Context, seq uint64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.pos < seq {
		t.waiting++
		moved := t.moved
		t.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
		}
		t.mu.Lock()
		t.waiting--
		if ctx.Err() != nil {
			return switchboard.Wrap(switchboard.Unavailable, "this node is behind the log", ctx.Err())
		}
	}
	return nil
}

// release gives an audience back; a user whom nobody uses is kept for a while.
func (t *tail) release(a *audience) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a.uses--
	if a.uses == 0 && t.users[a.user] == a {
		t.idle.Add(a.user, a)
	}
}

func (t *tail) watch(id switchboard.ThreadID, fn func(thread.Entry)) (end func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.watches[id] == nil {
		t.watches[id] = map[*func(thread.Entry)]struct{}{}
	}
	t.watches[id][&fn] = struct{}{}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.watches[id], &fn)
		if len(t.watches[id]) == 0 {
			delete(t.watches, id)
		}
	}
}
