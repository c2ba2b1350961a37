package probe

import (
	"sync"
	"time"

	"github.com/netra-systems/switchboard"
)

// exchange is a message on its way: its watch's mutex guards it.
type exchange struct {
	sent, acked time.Time // sent is moved by what the server asks to wait
	deadline    *time.Timer
	timeout     time.Duration
	answered    int  // the connection on which the final answer came, from 1
	repeated    bool // it was answered with "try again"
	faults      []fault
}

// watch judges what one device receives. observe is called from one goroutine at a time, everything else at any time.
type watch struct {
	ledger *Ledger
	lossy  bool // deltas may be missing

	mu          sync.Mutex // guards what follows
	user        switchboard.UserID
	connections int
	live        bool // caught up on this connection
	tracks      map[switchboard.ThreadID]*track
	old         map[switchboard.ThreadID]bool // threads from before
	exchanges   map[switchboard.FrameID]*exchange
	leaked      []Owner
	faults      []fault
	figures     figures
}

// figures are what a device counted.
type figures struct {
	bytes, events, deltas int64
	resyncs, waits        int
	waited                time.Duration
}

func newWatch(l *Ledger, lossy bool) *watch {
	return &watch{
		ledger: l, lossy: lossy, tracks: map[switchboard.ThreadID]*track{}, old: map[switchboard.ThreadID]bool{},
		exchanges: map[switchboard.FrameID]*exchange{},
	}
}

// sending begins an exchange; timeout is called unless it was answered in time.
func (w *watch) sending(id switchboard.FrameID, timeout time.Duration, expired func()) *exchange {
	w.mu.Lock()
	defer w.mu.Unlock()
	x := &exchange{sent: time.Now(), timeout: timeout, deadline: time.AfterFunc(timeout, expired)}
	w.exchanges[id] = x
	return x
}

// release ends the waiting for an answer.
func (w *watch) release(x *exchange) {
	w.mu.Lock()
	defer w.mu.Unlock()
	x.deadline.Stop()
}

// ignore leaves threads from before the probe out of the judgement.
func (w *watch) ignore(threads []switchboard.ThreadSummary) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range threads {
		w.old[t.ThreadID] = true
		delete(w.tracks, t.ThreadID)
	}
}

// track returns the track of a thread, which it makes if need be.
func (w *watch) track(id switchboard.ThreadID) *track {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.trackLocked(id)
}

func (w *watch) trackLocked(id switchboard.ThreadID) *track {
	t := w.tracks[id]
	if t == nil {
		t = newTrack(w.live && !w.lossy, w.connections)
		w.tracks[id] = t
	}
	return t
}

// observe takes a frame as it came.
func (w *watch) observe(frame []byte) {
	now := time.Now()
	f, err := switchboard.DecodeFrame(frame)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.figures.bytes += int64(len(frame))
	if f.Type == switchboard.TypeConnectionEstablished {
		w.connected(f)
	}
	w.leaked = append(w.leaked, w.ledger.Leaks(frame, w.user)...)
	switch {
	case err != nil:
		w.faults = append(w.faults, fault{"unreadable frame", err.Error()})
	case f.Event != nil:
		w.figures.events++
		if !w.old[f.Event.ThreadID] {
			w.trackLocked(f.Event.ThreadID).event(f.Event, w.connections, now)
		}
	case f.Delta != nil:
		w.figures.deltas++
		if !w.old[f.Delta.ThreadID] {
			w.trackLocked(f.Delta.ThreadID).delta(f.Delta.Payload, now)
		}
	case f.Type == switchboard.TypeCaughtUp:
		w.live = true
	case f.Type == switchboard.TypeAck || f.Type == switchboard.TypeError:
		w.reply(f, now)
	}
}

func (w *watch) connected(f switchboard.Frame) {
	var p switchboard.ConnectionEstablished
	if err := f.Decode(&p); err != nil {
		w.faults = append(w.faults, fault{"unreadable frame", err.Error()})
		return
	}
	w.connections++
	w.live = false
	if p.Resync != nil {
		w.figures.resyncs++
	}
	if w.user != "" && w.user != p.User.ID {
		w.faults = append(w.faults, fault{"another user", "a reconnect of the same device became somebody else"})
	}
	w.user = p.User.ID
}

// reply checks that a message is answered once on a connection, and moves its clock when the server asks to wait.
func (w *watch) reply(f switchboard.Frame, now time.Time) {
	x := w.exchanges[f.ID]
	if f.Type == switchboard.TypeError {
		var p switchboard.Problem
		if err := f.Decode(&p); err != nil {
			w.faults = append(w.faults, fault{"unreadable frame", err.Error()})
			return
		}
		if d := time.Duration(p.RetryAfterMS) * time.Millisecond; d > 0 {
			w.figures.waits++
			w.figures.waited += d
			if x != nil && x.answered == 0 && x.deadline.Stop() {
				x.sent = now.Add(d)
				x.deadline.Reset(d + x.timeout)
			}
		}
		switch p.Code {
		case switchboard.RateLimited, switchboard.Unavailable, switchboard.ShuttingDown:
			if x != nil {
				x.repeated = true
			}
			return
		}
	}
	if x == nil {
		return
	}
	if x.answered == w.connections {
		x.faults = append(x.faults, fault{"answered twice", f.Type})
	}
	if x.answered == 0 && f.Type == switchboard.TypeAck {
		x.acked = now
	}
	x.answered = w.connections
	x.deadline.Stop()
}
