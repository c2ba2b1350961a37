package quality

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

// Config is what a Service needs.
type Config struct {
	// Past gives the entries of a shard that were stored since an instant and before Observe was shown the first; nil: there
	// are none.
	Past   func(ctx context.Context, shard int, since time.Time, fn func(thread.Entry)) error
	Shards int
	Notify func(frame []byte) // gives a notice to the operators who are subscribed, without waiting; may be called by several at once; nil: nobody
	Alerts Alerts
	Log    *slog.Logger
}

// Alerts say when operators are told.
type Alerts struct {
	Least map[string]float64 // mean score of an agent below which they are; one that is not named: 0.5
	Most  float64            // share of answers not good enough above which they are; 0: 0.25
}

func (a Alerts) least(agent string) float64 {
	if v, ok := a.Least[agent]; ok {
		return v
	}
	return defaultLeast
}

const (
	defaultLeast = 0.5
	defaultMost  = 0.25
	updateEvery  = 10 * time.Second // and an agent with new answers
	waitingFacts = 1 << 20
	pastRetry    = 5 * time.Second
)

// Service answers what is asked about quality, from figures that it folds from the log as the node follows it. What
// was stored before the node started is read once beside the work, a week of it; until then answers say that they are
// not complete.
type Service struct {
	cfg Config

	mu       sync.Mutex // guards what follows
	figures  *figures
	windows  map[string]*window
	waiting  []fact // seen while the past is read
	complete bool
}

// New returns a Service; Run reads the past and tells operators.
func New(cfg Config) *Service {
	if cfg.Alerts.Most == 0 {
		cfg.Alerts.Most = defaultMost
	}
	if cfg.Notify == nil {
		cfg.Notify = func([]byte) {}
	}
	return &Service{cfg: cfg, figures: newFigures(), windows: map[string]*window{}, complete: cfg.Past == nil}
}

// Observe is shown every entry of every user, in order per shard.
func (s *Service) Observe(e thread.Entry) {
	f, ok := factOf(e)
	if !ok {
		return
	}
	for _, a := range s.take(f) {
		s.cfg.Notify(switchboard.EncodeNotice(switchboard.TypeQualityAlert, a))
	}
}

// take folds a fact, or keeps it until the past is read: a run that ends now may have begun then.
func (s *Service) take(f fact) []switchboard.QualityAlert {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.complete {
		if len(s.waiting) < waitingFacts {
			s.waiting = append(s.waiting, f)
		}
		return nil
	}
	o := s.figures.apply(f)
	if o == nil || !o.judged() {
		return nil
	}
	return s.window(o).alerts(o.agent, s.cfg.Alerts.least(o.agent), s.cfg.Alerts.Most)
}

// window adds an outcome to the newest answers of its agent. Called with mu held.
func (s *Service) window(o *outcome) *window {
	w := s.windows[o.agent]
	if w == nil {
		w = &window{alerted: map[string]string{}}
		s.windows[o.agent] = w
	}
	w.add(o)
	return w
}

// Run reads the past, then tells operators of new answers now and then, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	begin := time.Now()
	for {
		err := s.past(ctx)
		if err == nil {
			break
		}
		if ctx.Err() == nil {
			s.cfg.Log.Warn("what answers were like before the start cannot be read yet", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pastRetry):
		}
	}
	s.cfg.Log.Info("the figures about answers are complete", "after", time.Since(begin))
	tick := time.NewTicker(updateEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			for _, u := range s.updates() {
				s.cfg.Notify(switchboard.EncodeNotice(switchboard.TypeQualityUpdate, u))
			}
		}
	}
}

// past folds what was stored before the start, then what was seen meanwhile.
func (s *Service) past(ctx context.Context) error {
	if s.cfg.Past == nil {
		return nil
	}
	s.mu.Lock()
	s.figures = newFigures()
	s.mu.Unlock()
	since := time.Now().Add(-keptHours * time.Hour)
	for shard := range s.cfg.Shards {
		err := s.cfg.Past(ctx, shard, since, func(e thread.Entry) {
			if f, ok := factOf(e); ok {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.figures.apply(f)
			}
		})
		if err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.waiting {
		s.figures.apply(f)
	}
	s.figures.sort()
	for _, o := range s.figures.queue {
		if o.judged() {
			s.window(o)
		}
	}
	s.waiting, s.complete = nil, true
	return nil
}

// updates returns how the agents stand that have new answers.
func (s *Service) updates() (out []switchboard.QualityUpdate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, agent := range slices.Sorted(maps.Keys(s.windows)) {
		if w := s.windows[agent]; w.dirty {
			w.dirty = false
			out = append(out, w.update(agent))
		}
	}
	return out
}

// Metrics returns figures over the runs of a user that ended in the last hours; of all users if it is "".
func (s *Service) Metrics(u switchboard.UserID, m switchboard.GetQualityMetrics) switchboard.QualityMetrics {
	hours := m.PeriodHours
	if hours == 0 {
		hours = 24
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.figures.metrics(u, m.Agent, hours, time.Now())
	out.Complete = s.complete
	return out
}

// Validate scores a text.
func (s *Service) Validate(m switchboard.ValidateContent) switchboard.Validation { return Validate(m) }

// Report sums the last day or week up, over the runs of all users.
func (s *Service) Report(m switchboard.GenerateQualityReport) switchboard.QualityReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.figures.report(m, s.complete, time.Now())
}
