package quality

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

var alice, bob = switchboard.NewUserID("test", "", "alice"), switchboard.NewUserID("test", "", "bob")

// story makes entries of runs, each in a thread of its own.
type story struct{ entries []thread.Entry }

func (s *story) add(u switchboard.UserID, run switchboard.RunID, at time.Time, ps ...switchboard.EventPayload) {
	for _, p := range ps {
		e := switchboard.Event{Type: p.EventType(), ThreadID: run.Thread(), RunID: run, Time: switchboard.At(at), Payload: p}
		s.entries = append(s.entries, thread.Entry{User: u, Event: e, Seq: uint64(len(s.entries) + 1)})
	}
}

func runOf(u switchboard.UserID, i int) switchboard.RunID {
	return switchboard.NewThreadID(u, switchboard.FrameID(fmt.Sprint(i))).Run(1)
}

func started(agent string) switchboard.EventPayload {
	return &switchboard.AgentStartedEvent{Agent: agent, Attempt: 1}
}

func answered(score float64, issues ...string) switchboard.EventPayload {
	return &switchboard.AgentCompletedEvent{Text: "secret words", Quality: &switchboard.Quality{Score: score, Issues: issues}}
}

func rated(r switchboard.RunID, how switchboard.Rating) switchboard.EventPayload {
	return &switchboard.AnswerRatedEvent{RunID: r, Rating: how, Comment: "secret words"}
}

func fold(s *story) *figures {
	f := newFigures()
	for _, e := range s.entries {
		if x, ok := factOf(e); ok {
			f.apply(x)
		}
	}
	return f
}

func TestFolding(t *testing.T) {
	now := time.Date(2026, 11, 24, 10, 30, 0, 0, time.UTC)
	var s story
	r := func(i int) switchboard.RunID { return runOf(alice, i) }
	s.add(alice, r(1), now.Add(-26*time.Hour), started("a"), answered(0.9))
	s.add(alice, r(2), now.Add(-2*time.Hour), started("a"), answered(0.8))
	s.add(alice, r(3), now.Add(-time.Hour), started("a"), &switchboard.AgentResumedEvent{Attempt: 2}, answered(0.4, BelowMinimum))
	s.add(bob, runOf(bob, 1), now, started("a"), &switchboard.AgentFailedEvent{Code: switchboard.QualityRejected})
	s.add(bob, runOf(bob, 2), now, started("b"), &switchboard.AgentFailedEvent{Code: switchboard.ModelUnavailable})
	s.add(bob, runOf(bob, 3), now, started("b"), &switchboard.AgentStoppedEvent{})
	s.add(bob, runOf(bob, 4), now, started("b"), &switchboard.AgentCompletedEvent{Text: "no gate"})
	s.add(bob, runOf(bob, 5), now, answered(0.1))                            // its begin is not known
	s.add(bob, runOf(bob, 6), now, started("b"))                             // goes on
	s.add(bob, runOf(bob, 6), now, &switchboard.ThreadDeletedEvent{ID: "x"}) // and is gone with its thread
	s.add(alice, r(2), now, rated(r(2), switchboard.RatedUp), rated(r(2), switchboard.RatedDown))
	s.add(bob, r(3), now, rated(r(3), switchboard.RatedUp)) // not his
	s.add(alice, r(9), now, rated(r(9), switchboard.RatedUp))
	s.add(alice, r(2), now, answered(0)) // a second end
	f := fold(&s)
	if len(f.open) != 0 {
		t.Errorf("open: %v", f.open)
	}
	all := f.metrics("", "", 24, now)
	if want := (switchboard.QualityFigures{Completed: 3, Failed: 2, Stopped: 1, Scored: 2, MeanScore: 0.6, Rejected: 2, RejectedShare: 0.667, RatedDown: 1}); all.Total != want {
		t.Errorf("%+v, want %+v", all.Total, want)
	}
	if len(all.Agents) != 2 || all.Agents[0].Agent != "a" || all.Agents[1].Figures.Completed != 1 {
		t.Errorf("%+v", all.Agents)
	}
	if m := f.metrics("", "b", 24, now); m.Total.Scored != 0 || m.Total.Failed != 1 || m.Total.Stopped != 1 || len(m.Agents) != 1 {
		t.Errorf("one agent: %+v", m)
	}
	if m := f.metrics(alice, "", 48, now); m.Scope != "own" || m.Total.Completed != 3 || m.Total.Failed != 0 || m.Total.RatedDown != 1 {
		t.Errorf("one user: %+v", m)
	}
	for _, m := range []switchboard.GenerateQualityReport{{ReportType: "detailed", Period: "day"}, {ReportType: "detailed", Period: "week"}, {ReportType: "summary", Period: "week"}} {
		r := f.report(m, false, now)
		var sum switchboard.QualityFigures
		for _, x := range r.Data.Slots {
			sum.Completed, sum.Failed, sum.Rejected = sum.Completed+x.Figures.Completed, sum.Failed+x.Figures.Failed, sum.Rejected+x.Figures.Rejected
		}
		if total := r.Data.Metrics.Total; m.ReportType == "detailed" && (sum.Completed != total.Completed || sum.Failed != total.Failed || sum.Rejected != total.Rejected) {
			t.Errorf("%+v: slots %+v, total %+v", m, sum, total)
		}
		if strings.Contains(r.Markdown, "secret") || strings.Contains(r.Markdown, string(alice)) || !strings.Contains(r.Markdown, "Not complete yet") {
			t.Error(r.Markdown)
		}
	}
	if got := plain("a|b\n<script>_x"); got != "a?b??script?-x" {
		t.Errorf("a name in Markdown: %q", got)
	}
}

// TestForgetting: what is older than a week goes, and so do the oldest of very many runs, though not out of the counts.
func TestForgetting(t *testing.T) {
	now := time.Date(2026, 11, 24, 10, 30, 0, 0, time.UTC)
	var s story
	s.add(alice, runOf(alice, -1), now.Add(-keptHours*time.Hour), started("old"), answered(1))
	for i := range keptRuns + 5 {
		s.add(alice, runOf(alice, i), now.Add(time.Duration(i/(keptRuns/2))*time.Hour), started("a"), answered(1))
	}
	f := fold(&s)
	later := now.Add(2 * time.Hour)
	if len(f.runs) != keptRuns || len(f.queue) != keptRuns || len(f.users[alice]) != keptRuns || len(f.hours) != 3 {
		t.Errorf("%d runs, %d in the queue, %d hours", len(f.runs), len(f.queue), len(f.hours))
	}
	if m := f.metrics("", "", 168, later); m.Total.Completed != keptRuns+5 || len(m.Agents) != 1 {
		t.Errorf("%+v", m)
	}
	m := f.metrics(alice, "", 168, later)
	if want := now.Add(time.Hour).Truncate(time.Hour); !m.Since.Equal(want) || m.Total.Completed != keptRuns/2+5 {
		t.Errorf("own figures since %v (not %v): %+v", m.Since, want, m.Total)
	}
	f.sort()
	for len(f.queue) > 0 {
		f.forget()
	}
	if len(f.runs)+len(f.users) != 0 {
		t.Errorf("%d runs of %d users are left of none", len(f.runs), len(f.users))
	}
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// TestPastAndPresent: a run that began before the start and ended while the past was read is counted, once; nothing is
// told about the past; a log that cannot be read is asked again.
func TestPastAndPresent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		var past, live story
		for i := range 20 {
			past.add(alice, runOf(alice, i), now, started("weak"), answered(0.1, BelowMinimum))
		}
		across := runOf(alice, 99)
		past.add(alice, across, now, started("weak"))
		live.add(alice, across, now, answered(0.1, BelowMinimum))
		next := runOf(alice, 100)
		live.add(alice, next, now, started("weak"), answered(0.1, BelowMinimum))
		var mu sync.Mutex // guards told
		var told []string
		heard := func() []string {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(told)
		}
		tries, reading := 0, make(chan struct{})
		s := New(Config{Shards: 2, Log: quiet(), Notify: func(f []byte) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, string(f))
		},
			Past: func(_ context.Context, shard int, since time.Time, fn func(thread.Entry)) error {
				if got := now.Sub(since); got < 168*time.Hour {
					t.Errorf("read from %v ago", got)
				}
				if tries++; tries == 2 {
					return errors.New("the store is away")
				}
				if shard == 0 {
					for _, e := range past.entries {
						fn(e)
					}
					return nil
				}
				<-reading
				return nil
			}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = s.Run(ctx) }()
		time.Sleep(time.Minute)
		s.Observe(live.entries[0])
		if m := s.Metrics("", switchboard.GetQualityMetrics{}); m.Complete || len(heard()) > 0 {
			t.Errorf("before the past is read: %+v, told %v", m, heard())
		}
		close(reading)
		synctest.Wait()
		m := s.Metrics("", switchboard.GetQualityMetrics{})
		if !m.Complete || m.Total.Completed != 21 || len(heard()) > 0 {
			t.Errorf("%+v, told %v", m, heard())
		}
		s.Observe(live.entries[1])
		s.Observe(live.entries[2])
		if told := heard(); len(told) != 2 || !strings.Contains(told[0], "mean_score") {
			t.Errorf("told %v", told)
		}
		time.Sleep(updateEvery + time.Second)
		synctest.Wait()
		if told := heard(); len(told) != 3 || !strings.Contains(told[2], `"answers":20`) {
			t.Errorf("told %v", told)
		}
		cancel()
		<-done
	})
}

// TestAlerts: one alert for each fall and one more if it becomes critical, none while few answers are known, and none for hovering at the threshold.
func TestAlerts(t *testing.T) {
	w := &window{alerted: map[string]string{}}
	give := func(n int, score float64) (metrics []string) {
		for range n {
			w.add(&outcome{scored: true, score: score, rejected: score < 0.5, kind: switchboard.AgentCompleted})
			for _, a := range w.alerts("a", 0.5, 0.25) {
				metrics = append(metrics, a.Severity+" "+a.Metric)
			}
		}
		return metrics
	}
	for i, x := range []struct {
		n     int
		score float64
		want  string
	}{
		{9, 0.1, ""}, {1, 0.1, "critical mean_score critical rejected_share"}, {5, 0.1, ""}, {15, 0.9, ""}, {20, 0.9, ""},
		{6, 0.2, "warning rejected_share"}, {20, 0.9, ""}, {20, 0.49, "warning rejected_share critical rejected_share warning mean_score"},
		{20, 0.51, ""}, {6, 0.49, "warning rejected_share"}, {20, 0.51, ""}, {20, 0.9, ""}, {3, 0.2, ""},
	} {
		if got := strings.Join(give(x.n, x.score), " "); got != x.want {
			t.Errorf("step %d, %d answers of %v: %q, want %q", i, x.n, x.score, got, x.want)
		}
	}
	refused := &window{alerted: map[string]string{}}
	for range windowLeast {
		refused.add(&outcome{refused: true, kind: switchboard.AgentFailed})
	}
	if got := refused.alerts("a", 0.5, 0.25); len(got) != 1 || got[0].Metric != "rejected_share" || got[0].Value != 1 {
		t.Errorf("answers that were not given: %+v", got)
	}
}

// TestRatedLate: an answer that ended just before an hour, and was stored after one of that hour, may be rated when its
// hour is forgotten and the other's is not.
func TestRatedLate(t *testing.T) {
	f := newFigures()
	hour := time.Unix(1_000_000*3600, 0)
	end := func(run switchboard.RunID, at time.Time) {
		f.apply(fact{kind: switchboard.AgentStarted, run: run, user: "u", agent: "a", at: at})
		f.apply(fact{kind: switchboard.AgentCompleted, run: run, user: "u", at: at})
	}
	end("first.1", hour.Add(time.Millisecond))
	end("late.1", hour.Add(-time.Millisecond))
	end("next.1", hour.Add((keptHours-1)*time.Hour))
	for _, run := range []switchboard.RunID{"late.1", "first.1"} {
		f.apply(fact{kind: switchboard.AnswerRated, run: run, user: "u", rating: switchboard.RatedUp, at: hour.Add((keptHours - 1) * time.Hour)})
	}
	if total, _ := f.sum("", "", 0, 1<<62); total.completed != 2 || total.up != 1 {
		t.Errorf("%+v", total)
	}
}
