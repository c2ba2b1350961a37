package crash

import (
	"slices"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/probe"
	"github.com/netra-systems/switchboard/thread"
)

// takeoverTime bounds the time from the end of a worker to the next one's claim, if nothing else is hurt meanwhile.
const takeoverTime = 15 * time.Second

// verdict is what the checkers found.
type verdict struct {
	acknowledged, lost, unexpected, duplicated, recovered, refused int
	erased, threadsDeleted                                         int
	runs, completed, failed, stopped, events                       int
	zombieWrites                                                   int
	takeovers, clean                                               []time.Duration // all, and those that no other fault fell into
	violations                                                     []violation
}

func (v *verdict) wrong(kind, format string, args ...any) {
	v.violations = append(v.violations, wrongf(kind, format, args...))
}

// judge runs all checkers over a history.
func judge(h *history) *verdict {
	v := new(verdict)
	h.checkAccepted(v)
	for u, threads := range h.log {
		for t, entries := range threads {
			v.events += len(entries)
			h.checkThread(v, u, t, entries)
			checkWriters(v, t, entries)
			h.measureTakeovers(v, entries)
		}
	}
	h.checkViews(v)
	return v
}

// checkAccepted compares what was acknowledged with what is read back.
func (h *history) checkAccepted(v *verdict) {
	type place struct {
		thread switchboard.ThreadID
		run    switchboard.RunID
		n      uint64
	}
	stored := map[switchboard.FrameID][]place{}
	for u, threads := range h.log {
		for t, entries := range threads {
			for _, e := range entries {
				id, run := ids(e.Event)
				if id == "" {
					continue
				}
				stored[id] = append(stored[id], place{t, run, e.Event.N})
				if s := h.sent[id]; s == nil || s.user != u {
					v.unexpected++
					v.wrong("unexpected", "message %s in thread %s was never sent by this user", id, t)
				}
			}
		}
	}
	for id, s := range h.sent {
		at := stored[id]
		if len(at) > 1 {
			v.duplicated++
			v.wrong("duplicated", "message %s is stored %d times: %v", id, len(at), at)
		}
		switch {
		case len(s.acks) > 0 && len(at) == 0 && h.erased(s):
			v.acknowledged++
			v.erased++
			continue
		case len(s.acks) > 0 && len(at) == 0:
			v.lost++
			v.wrong("lost", "message %s (%s) was acknowledged as %+v", id, s.script.name, s.acks[0])
		case len(s.acks) == 0 && len(at) > 0 && s.unknown == 0 && s.refused != nil:
			v.wrong("refused and stored", "message %s: %v", id, s.refused)
		case len(s.acks) == 0 && len(at) > 0:
			v.recovered++
		case len(s.acks) == 0 && s.refused != nil:
			v.refused++
		}
		if len(s.acks) == 0 {
			continue
		}
		v.acknowledged++
		firsts := 0
		for _, a := range s.acks {
			if !a.Duplicate {
				firsts++
			}
			if len(at) > 0 && (place{a.ThreadID, a.RunID, a.N}) != at[0] {
				v.wrong("acks differ", "message %s: %+v, stored as %+v", id, a, at[0])
			}
		}
		if firsts > 1 {
			v.wrong("two first acks", "message %s was told %d times that it is the first: %+v", id, firsts, s.acks)
		}
	}
}

// erased reports whether the thread of an acknowledged message was deleted.
func (h *history) erased(s *sent) bool {
	ack, _ := s.acked()
	entries := h.log[s.user][ack.ThreadID]
	return len(entries) == 1 && entries[0].Event.Type == switchboard.ThreadDeleted
}

// checkThread holds the runs of a thread against the grammar, and their answers against what the model was told to say.
func (h *history) checkThread(v *verdict, u switchboard.UserID, t switchboard.ThreadID, entries []thread.Entry) {
	grammars := map[switchboard.RunID]*switchboard.Grammar{}
	asked := map[switchboard.RunID]scripts{}
	runs := map[switchboard.FrameID]switchboard.RunID{}
	if len(entries) == 1 && entries[0].Event.Type == switchboard.ThreadDeleted {
		v.threadsDeleted++
		return
	}
	for i, e := range entries {
		if e.Header.N != uint64(i+1) || e.Event.N != e.Header.N {
			v.wrong("gap", "thread %s: n = %d in place %d", t, e.Event.N, i+1)
		}
		if p, ok := e.Event.Payload.(*switchboard.UserMessageEvent); ok {
			grammars[p.RunID] = new(switchboard.Grammar)
			runs[p.ID] = p.RunID
			if s := h.sent[p.ID]; s != nil {
				asked[p.RunID] = scripts{s.script}
			}
		}
		if e.Event.Type.ByPerson() {
			continue
		}
		g := grammars[e.Event.RunID]
		if g == nil {
			v.wrong("run of nobody", "thread %s, n = %d: %s of %s", t, e.Event.N, e.Event.Type, e.Event.RunID)
			continue
		}
		if err := g.Add(e.Event); err != nil {
			v.wrong("grammar", "run %s, n = %d: %v", e.Event.RunID, e.Event.N, err)
		}
		switch p := e.Event.Payload.(type) {
		case *switchboard.MessagesTakenEvent:
			for _, id := range p.IDs {
				if g := grammars[runs[id]]; g == nil || g.Ended() != "" {
					v.wrong("taken twice", "run %s, n = %d: message %s", e.Event.RunID, e.Event.N, id)
				}
				asked[e.Event.RunID] = append(asked[e.Event.RunID], asked[runs[id]]...)
				delete(grammars, runs[id])
			}
		case *switchboard.AgentCompletedEvent:
			v.completed++
			if s := asked[e.Event.RunID]; !s.allow(p.Text) {
				v.wrong("half an answer", "run %s completed with %.300q, the model was told %.300v", e.Event.RunID, p.Text, s)
			}
		case *switchboard.AgentFailedEvent:
			v.failed++
			if s := asked[e.Event.RunID]; s.whole() && p.Code != switchboard.AttemptsExhausted {
				v.wrong("failed for nothing", "run %s: %s, %s: %v", e.Event.RunID, p.Code, p.Message, s)
			}
		case *switchboard.AgentStoppedEvent:
			v.stopped++
		}
	}
	for r, g := range grammars {
		v.runs++
		if g.Ended() == "" {
			v.wrong("no end", "run %s of user %s: %v", r, u, asked[r])
		}
	}
}

// claims reports whether the event makes its writer the holder of the run.
func claims(e switchboard.Event) bool {
	return e.Type == switchboard.AgentStarted || e.Type == switchboard.AgentResumed
}

// checkWriters counts what was written to a run by a worker that another had superseded.
func checkWriters(v *verdict, t switchboard.ThreadID, entries []thread.Entry) {
	holder := map[switchboard.RunID]string{}
	for _, e := range entries {
		if e.Event.Type.ByPerson() || e.Header.Worker == "" {
			continue
		}
		if claims(e.Event) {
			holder[e.Event.RunID] = e.Header.Worker
		}
		if w := holder[e.Event.RunID]; w != e.Header.Worker {
			v.zombieWrites++
			v.wrong("zombie write", "thread %s, n = %d: %s by %s, the run is held by %s", t, e.Event.N, e.Event.Type, e.Header.Worker, w)
		}
	}
}

// measureTakeovers measures from the end of each worker to the claim of the next. A worker's name is of one life, so it
// has ended at most once.
func (h *history) measureTakeovers(v *verdict, entries []thread.Entry) {
	holder := map[switchboard.RunID]string{}
	for _, e := range entries {
		if !claims(e.Event) {
			continue
		}
		before := holder[e.Event.RunID]
		holder[e.Event.RunID] = e.Header.Worker
		p, resumed := e.Event.Payload.(*switchboard.AgentResumedEvent)
		if !resumed || p.Reason != switchboard.ResumedTakeover {
			continue
		}
		i := slices.IndexFunc(h.faults, func(f fault) bool { return f.worker == before && f.kind == "kill" && f.at.Before(e.Event.Time.Time) })
		if i < 0 {
			continue
		}
		f := h.faults[i]
		took := e.Event.Time.Sub(f.at)
		v.takeovers = append(v.takeovers, took)
		if slices.ContainsFunc(h.faults, func(o fault) bool { return o != f && o.until.After(f.at) && o.at.Before(e.Event.Time.Time) }) {
			continue
		}
		v.clean = append(v.clean, took)
		if took > takeoverTime {
			v.wrong("late takeover", "run %s went on %v after its worker was killed", e.Event.RunID, took)
		}
	}
}

// checkViews compares what each device holds, and what the pages say, with the log.
func (h *history) checkViews(v *verdict) {
	want := map[switchboard.UserID]map[switchboard.ThreadID][]line{}
	for u, threads := range h.log {
		want[u] = map[switchboard.ThreadID][]line{}
		for t, entries := range threads {
			for _, e := range entries {
				l, err := lineOf(e.Event)
				if err != nil {
					v.wrong("unreadable entry", "thread %s, n = %d: %v", t, e.Event.N, err)
				}
				want[u][t] = append(want[u][t], l)
			}
		}
	}
	for _, d := range h.views {
		v.violations = append(v.violations, d.wrong...)
		compareViews(v, d.name, want[d.user], d.threads, false)
	}
	for u, pages := range h.pages {
		compareViews(v, "get_thread of user "+string(u), want[u], pages, true)
	}
}

// compareViews compares threads. Of one that was deleted, a device must know that; what it saw of it before is gone.
func compareViews(v *verdict, name string, want, have map[switchboard.ThreadID][]line, pages bool) {
	for t, lines := range want {
		got := have[t]
		switch {
		case deleted(lines) && pages && len(got) == 0:
			continue
		case deleted(lines) && deleted(got):
			got = got[len(got)-1:]
		}
		if !slices.Equal(got, lines) {
			i := 0
			for i < min(len(got), len(lines)) && got[i] == lines[i] {
				i++
			}
			v.wrong("views differ", "%s: thread %s: %d events, the log has %d; the first difference is at n = %d", name, t, len(got), len(lines), i+1)
		}
	}
	for t := range have {
		if want[t] == nil {
			v.wrong("views differ", "%s: thread %s is not in the log of its user", name, t)
		}
	}
}

// quantiles are those of the probe's reports.
func quantiles(ds []time.Duration) probe.Quantiles { return probe.QuantilesOf(slices.Clone(ds)) }
