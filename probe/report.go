package probe

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

const examplesKept = 5

// Report says how a probe went. Its JSON form has the same figures; durations are milliseconds.
type Report struct {
	URL   string  `json:"url"`
	Seed  uint64  `json:"seed"`
	SLO   float64 `json:"slo"`
	Met   bool    `json:"ok"`
	Users int     `json:"users"` // different ones, as the server sees them

	Devices   int     `json:"devices"`
	Runs      int     `json:"runs"`
	Succeeded int     `json:"succeeded"`
	Low       float64 `json:"low"`  // of the 95 % interval (Wilson) of the share that succeeds
	High      float64 `json:"high"` // of the same
	ElapsedMS float64 `json:"elapsed_ms"`

	Accept     Quantiles `json:"accept"`      // message sent → ack
	FirstEvent Quantiles `json:"first_event"` // message sent → first event of the agent
	FirstDelta Quantiles `json:"first_delta"` // message sent → first piece of text
	Completion Quantiles `json:"completion"`  // message sent → terminal event

	BytesScanned  int64 `json:"bytes_scanned"`
	CanaryHits    int   `json:"canary_hits"`    // words of one user that another received; must be 0
	ForeignEvents int   `json:"foreign_events"` // threads of others, or of nobody, that a device saw; must be 0
	DeviceFaults  int   `json:"device_faults"`  // frames that cannot be read, a device that became somebody else; must be 0
	Events        int64 `json:"events"`
	Deltas        int64 `json:"deltas"`
	Gaps          int   `json:"gaps_resynced"` // in deltas, asked for again
	Reconnects    int   `json:"reconnects"`
	Resyncs       int   `json:"resyncs"`   // reconnects whose cursor was not honoured
	Waits         int   `json:"waits"`     // times the server asked to wait
	WaitedMS      int64 `json:"waited_ms"` // what it asked for, in all

	Failures []Failure `json:"failures"`
}

// Failure is a kind of failure. A run may fail in several ways.
type Failure struct {
	Reason   string   `json:"reason"`
	Count    int      `json:"count"`
	Examples []string `json:"examples"` // up to five
}

// Quantiles are of a duration, in milliseconds.
type Quantiles struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
}

// OK reports whether the share of runs that succeeded is at least the SLO, nothing of one user reached another, and every
// frame could be read.
func (r Report) OK() bool {
	return r.Runs > 0 && float64(r.Succeeded) >= r.SLO*float64(r.Runs) &&
		r.CanaryHits == 0 && r.ForeignEvents == 0 && r.DeviceFaults == 0
}

// String returns the report as a table for people.
func (r Report) String() string {
	var b strings.Builder
	verdict := "OK"
	if !r.OK() {
		verdict = "NOT OK"
	}
	fmt.Fprintf(&b, "%s  %d/%d runs succeeded  %.2f %%  (95 %% interval %.2f – %.2f %%, wanted %.2f %%)\n", verdict,
		r.Succeeded, r.Runs, 100*float64(r.Succeeded)/float64(max(1, r.Runs)), 100*r.Low, 100*r.High, 100*r.SLO)
	elapsed := r.ElapsedMS / 1000
	fmt.Fprintf(&b, "%s  %d users on %d devices, %.1f s, %.1f runs/s, seed %d\n\n", r.URL, r.Users, r.Devices, elapsed,
		float64(r.Runs)/max(elapsed, 0.001), r.Seed)
	fmt.Fprintf(&b, "  %-12s %10s %10s %10s\n", "after send", "p50", "p99", "max")
	for _, row := range []struct {
		name string
		q    Quantiles
	}{{"accepted", r.Accept}, {"first event", r.FirstEvent}, {"first delta", r.FirstDelta}, {"completed", r.Completion}} {
		if row.q.Count == 0 {
			fmt.Fprintf(&b, "  %-12s %10s %10s %10s\n", row.name, "–", "–", "–")
			continue
		}
		fmt.Fprintf(&b, "  %-12s %10s %10s %10s\n", row.name, ms(row.q.P50), ms(row.q.P99), ms(row.q.Max))
	}
	fmt.Fprintf(&b, "\n  isolation    %d words of others and %d foreign threads in %.1f MB\n", r.CanaryHits, r.ForeignEvents,
		float64(r.BytesScanned)/1e6)
	fmt.Fprintf(&b, "  stream       %d events, %d deltas, %d gaps resynced, %d reconnects, %d resyncs\n", r.Events, r.Deltas,
		r.Gaps, r.Reconnects, r.Resyncs)
	fmt.Fprintf(&b, "  asked to wait %d times, %.1f s in all\n", r.Waits, float64(r.WaitedMS)/1000)
	for i, f := range r.Failures {
		if i == 0 {
			b.WriteString("\n  failures\n")
		}
		fmt.Fprintf(&b, "  %5d × %s\n", f.Count, f.Reason)
		for _, e := range f.Examples {
			fmt.Fprintf(&b, "          %s\n", e)
		}
	}
	return b.String()
}

func ms(v float64) string {
	if v >= 10_000 {
		return fmt.Sprintf("%.1f s", v/1000)
	}
	return fmt.Sprintf("%.1f ms", v)
}

// failed counts a failure.
func (r *Report) failed(reason, example string) {
	i := slices.IndexFunc(r.Failures, func(f Failure) bool { return f.Reason == reason })
	if i < 0 {
		i = len(r.Failures)
		r.Failures = append(r.Failures, Failure{Reason: reason, Examples: []string{}})
	}
	f := &r.Failures[i]
	f.Count++
	if len(f.Examples) < examplesKept {
		f.Examples = append(f.Examples, example)
	}
}

// QuantilesOf sorts ds and returns its nearest-rank quantiles.
func QuantilesOf(ds []time.Duration) Quantiles {
	if len(ds) == 0 {
		return Quantiles{}
	}
	slices.Sort(ds)
	at := func(q float64) float64 {
		return millis(ds[max(0, int(math.Ceil(q*float64(len(ds))))-1)])
	}
	return Quantiles{Count: len(ds), P50: at(0.5), P99: at(0.99), Max: at(1)}
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Wilson returns the 95 % score interval of a share of k in n (Wilson 1927).
func Wilson(k, n int) (low, high float64) {
	if n == 0 {
		return 0, 1
	}
	const z = 1.959963984540054
	N := float64(n)
	p := float64(k) / N
	mid := (p + z*z/(2*N)) / (1 + z*z/N)
	half := z / (1 + z*z/N) * math.Sqrt(p*(1-p)/N+z*z/(4*N*N))
	return max(0, mid-half), min(1, mid+half)
}
