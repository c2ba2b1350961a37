package probe

import (
	"fmt"
	"slices"
	"time"

	"github.com/netra-systems/switchboard"
)

// report judges all runs and devices.
func (p *prober) report(attempts []*attempt, elapsed time.Duration) Report {
	r := Report{URL: p.cfg.URL, Seed: p.cfg.Seed, SLO: p.cfg.SLO, Devices: len(p.devices), ElapsedMS: millis(elapsed), Failures: []Failure{}}
	users := map[switchboard.UserID]bool{}
	hurt := map[int]bool{} // runs that failed
	for _, d := range p.devices {
		users[d.user] = true
		p.judgeDevice(&r, d, hurt)
	}
	r.Users = len(users)
	var accept, first, delta, end []time.Duration
	for _, a := range attempts {
		if a == nil || !a.started {
			continue
		}
		r.Runs++
		faults := p.judge(a)
		var reasons []string
		for _, f := range faults {
			if !slices.Contains(reasons, f.reason) { // a kind of failure counts once for a run
				reasons = append(reasons, f.reason)
				r.failed(f.reason, fmt.Sprintf("run %d, thread %s: %s", a.number, a.ack.ThreadID, f.detail))
			}
		}
		if len(faults) == 0 && !hurt[a.number] {
			r.Succeeded++
		}
		if a.ack.ThreadID == "" {
			continue
		}
		w := a.device.watch
		t := w.track(a.ack.ThreadID)
		w.mu.Lock()
		r.Gaps += t.gaps
		add := func(list *[]time.Duration, at time.Time) {
			if !at.IsZero() {
				*list = append(*list, max(0, at.Sub(a.exchange.sent)))
			}
		}
		add(&accept, a.exchange.acked)
		add(&first, t.firstEvent)
		add(&delta, t.firstDelta)
		add(&end, t.ending)
		w.mu.Unlock()
	}
	r.Accept, r.FirstEvent, r.FirstDelta, r.Completion = QuantilesOf(accept), QuantilesOf(first), QuantilesOf(delta), QuantilesOf(end)
	r.Low, r.High = Wilson(r.Succeeded, r.Runs)
	p.mu.Lock()
	r.Waits += p.waits
	r.WaitedMS += p.waited.Milliseconds()
	p.mu.Unlock()
	slices.SortStableFunc(r.Failures, func(a, b Failure) int { return b.Count - a.Count })
	r.Met = r.OK()
	return r
}

// judgeDevice adds the figures of a device and what it saw that belongs to nobody's run; runs it hurts are noted.
func (p *prober) judgeDevice(r *Report, d *device, hurt map[int]bool) {
	w := d.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.figures
	r.BytesScanned += f.bytes
	r.Events += f.events
	r.Deltas += f.deltas
	r.Resyncs += f.resyncs
	r.Waits += f.waits
	r.WaitedMS += f.waited.Milliseconds()
	r.Reconnects += int(d.reconnects.Load())
	for _, x := range w.faults {
		r.DeviceFaults++
		r.failed(x.reason, "device of "+string(d.user)+": "+x.detail)
	}
	for _, o := range w.leaked {
		r.CanaryHits++
		hurt[o.Run] = true
		r.failed("word of another user", fmt.Sprintf("run %d of %s reached a device of %s", o.Run, o.User, d.user))
	}
	p.ledger.mu.Lock()
	defer p.ledger.mu.Unlock()
	for id, t := range w.tracks {
		o, ours := p.ledger.threads[id]
		if !ours && t.message != nil { // the ack may have been lost
			o, ours = p.ledger.sent[t.message.ID]
		}
		switch {
		case !ours:
			r.ForeignEvents++
			r.failed("thread of nobody", fmt.Sprintf("%s, on a device of %s", id, d.user))
		case o.User != d.user:
			r.ForeignEvents++
			hurt[o.Run] = true
			r.failed("thread of another user", fmt.Sprintf("%s of run %d, on a device of %s", id, o.Run, d.user))
		}
	}
}

// judge returns what was wrong with a run.
func (p *prober) judge(a *attempt) []fault {
	if a.ack.ThreadID == "" {
		err := a.err
		if err == nil {
			return []fault{{"bad ack", "it names no thread"}}
		}
		return []fault{{"not accepted: " + answerOf(err), err.Error()}}
	}
	w := a.device.watch
	t := w.track(a.ack.ThreadID)
	w.mu.Lock()
	faults := append(slices.Clone(a.exchange.faults), t.faults...)
	faults = append(faults, a.compare(t, w.connections)...)
	seen, last := t.seen, t.last
	w.mu.Unlock()
	for i, d := range p.devices {
		if d.user != a.device.user || d == a.device {
			continue
		}
		t := d.watch.track(a.ack.ThreadID)
		d.watch.mu.Lock()
		for _, f := range t.faults {
			faults = append(faults, fault{f.reason, fmt.Sprintf("%s (on device %d)", f.detail, i+1)})
		}
		if t.seen != seen {
			faults = append(faults, fault{"devices differ", fmt.Sprintf("n = %d here, %d on device %d", last, t.last, i+1)})
		}
		d.watch.mu.Unlock()
	}
	return faults
}

// compare holds the ack, the message and the end of a run against what was asked.
func (a *attempt) compare(t *track, connections int) []fault {
	var out []fault
	bad := func(reason, format string, args ...any) {
		out = append(out, fault{reason, fmt.Sprintf(format, args...)})
	}
	if a.ack.N != 1 || a.ack.RunID != a.ack.ThreadID.Run(1) {
		bad("bad ack", "n = %d, run %s", a.ack.N, a.ack.RunID)
	}
	if a.ack.Duplicate && connections == 1 && len(a.exchange.faults) == 0 && !a.exchange.repeated {
		bad("bad ack", "a duplicate, and it was sent once")
	}
	switch m := t.message; {
	case m == nil:
		bad("no user_message", "the thread does not begin with the message")
	case m.ID != a.id || m.Text != a.question.text || m.RunID != a.ack.RunID:
		bad("changed message", "%s, run %s", quote(m.Text), m.RunID)
	}
	if t.end == nil {
		bad("never ended", "%v, after %d events, %d of the five", a.err, t.last, t.stage)
		return out
	}
	switch p := t.end.Payload.(type) {
	case *switchboard.AgentCompletedEvent:
		if t.stage < len(five) {
			bad("missing event", "no %s in its place", five[t.stage])
		} else if !t.toolOK {
			bad("no tool succeeded", "every call failed")
		}
		if !a.question.right(p.Text) {
			bad("wrong answer", "%s is %s, the answer was %s", a.question.sum, decimal(a.question.answer), quote(p.Text))
		}
	case *switchboard.AgentFailedEvent:
		bad("agent_failed: "+string(p.Code), "%s", p.Message)
	case *switchboard.AgentStoppedEvent:
		bad("agent_stopped", "%s", p.Reason)
	}
	return out
}
