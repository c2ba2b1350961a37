package quality

import (
	"maps"
	"slices"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

const (
	keptHours = switchboard.QualityHours + 1
	keptRuns  = 1 << 16 // runs of which a later rating, and what their user asks, is known
	openRuns  = 1 << 16 // runs that have not ended
)

// fact is what an entry of the log means for the figures: numbers and ids, no text. It is small, so that many can wait.
type fact struct {
	kind    switchboard.EventType
	user    switchboard.UserID
	thread  switchboard.ThreadID
	run     switchboard.RunID
	at      time.Time
	agent   string // of agent_started
	verdict *switchboard.Quality
	refused bool // the run failed, for its answer was not good enough
	rating  switchboard.Rating
}

// factOf returns what an entry means; false if nothing.
func factOf(e thread.Entry) (f fact, ok bool) {
	f = fact{kind: e.Event.Type, user: e.User, thread: e.Event.ThreadID, run: e.Event.RunID, at: e.Event.Time.Time}
	switch p := e.Event.Payload.(type) {
	case *switchboard.AgentStartedEvent:
		f.agent = p.Agent
	case *switchboard.AgentCompletedEvent:
		f.verdict = p.Quality
	case *switchboard.AgentFailedEvent:
		f.refused = p.Code == switchboard.QualityRejected
	case *switchboard.AgentStoppedEvent, *switchboard.ThreadDeletedEvent:
	case *switchboard.AnswerRatedEvent:
		f.run, f.rating = p.RunID, p.Rating
	default:
		return f, false
	}
	return f, true
}

// tally counts runs.
type tally struct {
	completed, failed, stopped, scored, rejected, refused, retried, up, down int
	sum                                                                      float64 // of scores
}

func (t *tally) add(o *outcome) {
	switch o.kind {
	case switchboard.AgentCompleted:
		t.completed++
	case switchboard.AgentFailed:
		t.failed++
	case switchboard.AgentStopped:
		t.stopped++
	}
	if o.refused {
		t.refused++
	}
	if o.scored {
		t.scored++
		t.sum += o.score
		if o.rejected {
			t.rejected++
		}
		if o.retried {
			t.retried++
		}
	}
	t.rate(o.rating, 1)
}

func (t *tally) rate(r switchboard.Rating, by int) {
	switch r {
	case switchboard.RatedUp:
		t.up += by
	case switchboard.RatedDown:
		t.down += by
	}
}

func (t *tally) plus(o *tally) {
	t.completed, t.failed, t.stopped = t.completed+o.completed, t.failed+o.failed, t.stopped+o.stopped
	t.scored, t.rejected, t.refused, t.retried = t.scored+o.scored, t.rejected+o.rejected, t.refused+o.refused, t.retried+o.retried
	t.up, t.down, t.sum = t.up+o.up, t.down+o.down, t.sum+o.sum
}

func (t *tally) figures() switchboard.QualityFigures {
	f := switchboard.QualityFigures{
		Completed: t.completed, Failed: t.failed, Stopped: t.stopped, Scored: t.scored, Rejected: t.rejected + t.refused,
		Retried: t.retried, RatedUp: t.up, RatedDown: t.down,
	}
	if t.scored > 0 {
		f.MeanScore = round(t.sum / float64(t.scored))
	}
	f.RejectedShare = round(share(f.Rejected, t.scored+t.refused))
	return f
}

// outcome is how a run ended.
type outcome struct {
	user                               switchboard.UserID
	run                                switchboard.RunID
	agent                              string
	hour                               int64
	kind                               switchboard.EventType
	score                              float64
	scored, rejected, refused, retried bool
	rating                             switchboard.Rating
}

// judged reports whether a gate had its say.
func (o *outcome) judged() bool { return o.scored || o.refused }

// figures fold facts to counts by hour and agent, over a week. They are not safe for concurrent use.
type figures struct {
	hours  map[int64]map[string]*tally
	newest int64 // hour
	open   map[switchboard.RunID]string
	runs   map[switchboard.RunID]*outcome
	queue  []*outcome                        // the runs, the oldest first
	users  map[switchboard.UserID][]*outcome // the same by user, so that nobody's question costs what others' runs do
	forgot int64                             // hour of the newest run that is not kept any more
}

func newFigures() *figures {
	return &figures{
		hours: map[int64]map[string]*tally{}, open: map[switchboard.RunID]string{}, runs: map[switchboard.RunID]*outcome{},
		users: map[switchboard.UserID][]*outcome{},
	}
}

func hourOf(t time.Time) int64 { return t.Unix() / 3600 }

// apply folds a fact, and returns the outcome of a run that it ends.
func (f *figures) apply(x fact) *outcome {
	switch x.kind {
	case switchboard.AgentStarted:
		if len(f.open) < openRuns {
			f.open[x.run] = x.agent
		}
	case switchboard.ThreadDeleted: // its run, if any, has no end
		maps.DeleteFunc(f.open, func(r switchboard.RunID, _ string) bool { return r.Thread() == x.thread })
	case switchboard.AnswerRated:
		f.rate(x)
	default:
		return f.end(x)
	}
	return nil
}

// end counts a run that has ended. One whose begin is not known began before the week.
func (f *figures) end(x fact) *outcome {
	agent, ok := f.open[x.run]
	delete(f.open, x.run)
	if !ok || f.runs[x.run] != nil {
		return nil
	}
	o := &outcome{user: x.user, run: x.run, agent: agent, hour: hourOf(x.at), kind: x.kind, refused: x.refused}
	if q := x.verdict; q != nil {
		o.scored, o.score, o.rejected, o.retried = true, q.Score, Failed(*q), q.Retried
	}
	if f.hours[o.hour] == nil {
		f.hours[o.hour] = map[string]*tally{}
	}
	if f.hours[o.hour][agent] == nil {
		f.hours[o.hour][agent] = &tally{}
	}
	f.hours[o.hour][agent].add(o)
	f.runs[x.run] = o
	f.queue = append(f.queue, o)
	f.users[o.user] = append(f.users[o.user], o)
	if o.hour > f.newest {
		f.newest = o.hour
		maps.DeleteFunc(f.hours, func(h int64, _ map[string]*tally) bool { return h <= f.newest-keptHours })
	}
	for len(f.queue) > keptRuns || len(f.queue) > 0 && f.queue[0].hour <= f.newest-keptHours {
		f.forget()
	}
	return o
}

// forget drops the oldest run; it stays in the counts.
func (f *figures) forget() {
	o := f.queue[0]
	f.queue[0] = nil
	f.queue = f.queue[1:]
	f.forgot = max(f.forgot, o.hour)
	delete(f.runs, o.run)
	own := f.users[o.user]
	if i := slices.Index(own, o); i == 0 {
		own[0] = nil
		own = own[1:]
	} else {
		own = slices.Delete(own, i, i+1)
	}
	if f.users[o.user] = own; len(own) == 0 {
		delete(f.users, o.user)
	}
}

// rate counts the latest rating of a run in the hour in which the run ended. One of a run or an hour that is not kept is
// left out: runs are forgotten in the order in which they were stored, which is not quite that of their ends.
func (f *figures) rate(x fact) {
	o := f.runs[x.run]
	if o == nil || o.user != x.user {
		return
	}
	t := f.hours[o.hour][o.agent]
	if t == nil {
		return
	}
	t.rate(o.rating, -1)
	o.rating = x.rating
	t.rate(o.rating, 1)
}

// sum returns the figures of the hours [from, until] by agent: of one agent, if it is named, and of one user's runs.
func (f *figures) sum(u switchboard.UserID, agent string, from, until int64) (total tally, agents map[string]*tally) {
	agents = map[string]*tally{}
	of := func(name string) *tally {
		if agents[name] == nil {
			agents[name] = &tally{}
		}
		return agents[name]
	}
	wanted := func(name string, hour int64) bool {
		return (agent == "" || name == agent) && hour >= from && hour <= until
	}
	if u != "" {
		for _, o := range f.users[u] {
			if wanted(o.agent, o.hour) {
				of(o.agent).add(o)
			}
		}
	} else {
		for hour, byAgent := range f.hours {
			for name, t := range byAgent {
				if wanted(name, hour) {
					of(name).plus(t)
				}
			}
		}
	}
	for _, t := range agents {
		total.plus(t)
	}
	return total, agents
}

// metrics are the figures of the last hours, in whole hours.
func (f *figures) metrics(u switchboard.UserID, agent string, hours int, now time.Time) switchboard.QualityMetrics {
	from := hourOf(now.Add(-time.Duration(hours) * time.Hour))
	m := switchboard.QualityMetrics{Scope: "all", PeriodHours: hours, Agents: []switchboard.AgentFigures{}}
	if u != "" {
		m.Scope = "own"
		if f.forgot >= from {
			from = f.forgot + 1
		}
	}
	m.Since = switchboard.At(time.Unix(from*3600, 0).UTC())
	total, agents := f.sum(u, agent, from, hourOf(now))
	m.Total = total.figures()
	for _, name := range slices.Sorted(maps.Keys(agents)) {
		m.Agents = append(m.Agents, switchboard.AgentFigures{Agent: name, Figures: agents[name].figures()})
	}
	return m
}

// sort puts the runs in the order in which they ended: shards are read one after the other.
func (f *figures) sort() {
	slices.SortStableFunc(f.queue, func(a, b *outcome) int { return int(a.hour - b.hour) })
	clear(f.users)
	for _, o := range f.queue {
		f.users[o.user] = append(f.users[o.user], o)
	}
}
