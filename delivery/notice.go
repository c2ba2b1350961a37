package delivery

import "sync"

// subscribers are the devices that want notices which are about no user.
type subscribers struct {
	mu  sync.Mutex // guards all
	all map[*Outbox]struct{}
}

func (s *subscribers) set(o *Outbox, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !on {
		delete(s.all, o)
		return
	}
	if s.all == nil {
		s.all = map[*Outbox]struct{}{}
	}
	s.all[o] = struct{}{}
}

// Subscribe turns the frames of Notify on or off for this device. A device that has left is given none.
func (o *Outbox) Subscribe(on bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.t.b.subscribers.set(o, on && !o.closed)
}

// Notify gives a notice to every device that is subscribed on this node, through its writer loop. It waits for none: a
// device that does not read misses it. The frame must hold nothing of any user.
func (b *Broadcaster) Notify(frame []byte) {
	b.subscribers.mu.Lock()
	var all []*Outbox
	for o := range b.subscribers.all {
		all = append(all, o)
	}
	b.subscribers.mu.Unlock()
	for _, o := range all {
		o.notify(frame)
	}
}

// notify queues a notice if there is room.
func (o *Outbox) notify(frame []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.end != nil || len(o.replies) >= maxReplies {
		return
	}
	o.replies = append(o.replies, frame)
	o.signal()
}
