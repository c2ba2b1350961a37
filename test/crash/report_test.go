package crash

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/netra-systems/switchboard/probe"
)

// golden is what the probe found that walked the golden path meanwhile.
type golden struct {
	runs, succeeded, leaks int
	failures               map[string]int
	examples               map[string]string
}

func (g *golden) add(r probe.Report) {
	g.runs, g.succeeded, g.leaks = g.runs+r.Runs, g.succeeded+r.Succeeded, g.leaks+r.CanaryHits+r.ForeignEvents+r.DeviceFaults
	for _, f := range r.Failures {
		g.failures[f.Reason] += f.Count
		if len(f.Examples) > 0 {
			g.examples[f.Reason] = f.Examples[0]
		}
	}
}

// outcome is everything there is to report.
type outcome struct {
	seed    uint64
	took    time.Duration // under faults
	settled time.Duration // from the last fault to the last end
	verdict *verdict
	history *history
	golden  golden
	bytes   int64
	resumes int
}

// print writes the table of figures.
func (o *outcome) print(w io.Writer) {
	count := map[string]int{}
	for _, f := range o.history.faults {
		count[f.kind]++
	}
	v := o.verdict
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(t, "  %s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(w, "seed %d, %v under faults\n", o.seed, o.took.Round(time.Second))
	kinds := make([]string, 0, len(count))
	for k := range count {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	for _, k := range kinds {
		row(k, "%d", count[k])
	}
	row("messages acknowledged", "%d", v.acknowledged)
	row("  lost", "%d", v.lost)
	row("  duplicated", "%d", v.duplicated)
	row("  unexpected", "%d", v.unexpected)
	row("  recovered", "%d (stored, their acks lost)", v.recovered)
	row("  refused", "%d", v.refused)
	row("  erased", "%d, with %d deleted threads", v.erased, v.threadsDeleted)
	row("runs", "%d: %d completed, %d failed, %d stopped", v.runs, v.completed, v.failed, v.stopped)
	row("events", "%d, %.0f a second", v.events, float64(v.events)/o.took.Seconds())
	row("at rest", "%.0f s after the last fault", o.settled.Seconds())
	row("devices", "%d, which connected %d times", len(o.history.views), o.resumes)
	row("bytes scanned", "%d", o.bytes)
	row("writes by superseded workers", "%d", v.zombieWrites)
	q := quantiles(v.takeovers)
	row("takeovers after a kill", "%d, p50 %.1f s, p99 %.1f s", q.Count, q.P50/1000, q.P99/1000)
	q = quantiles(v.clean)
	row("  with no other fault", "%d, p50 %.1f s, p99 %.1f s, at most %.1f s", q.Count, q.P50/1000, q.P99/1000, q.Max/1000)
	low, high := probe.Wilson(o.golden.succeeded, o.golden.runs)
	row("golden path", "%d of %d, %.2f %% to %.2f %%", o.golden.succeeded, o.golden.runs, 100*low, 100*high)
	row("violations", "%d", len(v.violations))
	_ = t.Flush() // to a buffer or a terminal
	for reason, n := range o.golden.failures {
		fmt.Fprintf(w, "  golden path: %d × %s, e.g. %s\n", n, reason, o.golden.examples[reason])
	}
	shown := map[string]int{}
	for _, x := range v.violations {
		if shown[x.kind]++; shown[x.kind] <= 5 {
			fmt.Fprintf(w, "  %s: %s\n", x.kind, x.detail)
		}
	}
}
