package quality

import (
	"github.com/netra-systems/switchboard"
)

const (
	windowSize  = 20   // newest answers of an agent that are looked at
	windowLeast = 10   // before there are so many, nothing is said
	recovered   = 0.05 // how much better than its threshold a metric must be until it is told again
	critical    = 0.15 // how much worse it is that the alert is critical
)

// window is an agent's newest answers that were judged.
type window struct {
	answers []*outcome
	alerted map[string]string // by metric: the severity that was told
	dirty   bool              // since the last update
}

func (w *window) add(o *outcome) {
	w.answers = append(w.answers, o)
	if len(w.answers) > windowSize {
		w.answers = w.answers[1:]
	}
	w.dirty = true
}

// means returns the mean score, how many answers have one, and the share of those that were not good enough.
func (w *window) means() (mean float64, scored int, rejected float64) {
	var t tally
	for _, o := range w.answers {
		t.add(o)
	}
	f := t.figures()
	return f.MeanScore, f.Scored, f.RejectedShare
}

// alerts returns what has become worse than it may be: once, and once more if it becomes critical, until it has
// recovered.
func (w *window) alerts(agent string, minimum, most float64) (out []switchboard.QualityAlert) {
	if len(w.answers) < windowLeast {
		return nil
	}
	mean, scored, rejected := w.means()
	tell := func(metric string, value, threshold, worse float64) {
		severity := "warning"
		if worse > critical {
			severity = "critical"
		}
		switch told := w.alerted[metric]; {
		case worse > 0 && told != severity && told != "critical":
			w.alerted[metric] = severity
			out = append(out, switchboard.QualityAlert{Severity: severity, Agent: agent, Metric: metric, Value: value, Threshold: threshold})
		case worse <= -recovered:
			delete(w.alerted, metric)
		}
	}
	if scored >= windowLeast {
		tell("mean_score", mean, minimum, minimum-mean)
	}
	tell("rejected_share", rejected, most, rejected-most)
	return out
}

func (w *window) update(agent string) switchboard.QualityUpdate {
	mean, _, rejected := w.means()
	return switchboard.QualityUpdate{Agent: agent, Answers: len(w.answers), MeanScore: mean, RejectedShare: rejected}
}
