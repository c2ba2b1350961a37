package bench

import (
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// row is a line of the table that ends a run. A goal of 0 is none.
type row struct {
	mechanism string
	unit      string  // of figure, baseline and goal: s, B, or a name
	figure    float64 // what was measured
	baseline  float64 // what it is compared with; 0: nothing
	goal      float64 // the figure is good at or below it
	goalRatio float64 // the ratio is good at or below it
	note      string  // beside the figure
}

// results is the table of this run.
var results table

type table struct {
	mu   sync.Mutex // guards rows
	rows []row
}

// record adds a row and reports its figures as metrics of the benchmark, named after what is measured.
func record(b *testing.B, metric string, r row) {
	b.Helper()
	value, unit := r.figure, r.unit
	if unit == "s" {
		value, unit = value*1e6, "µs"
	}
	b.ReportMetric(value, metric+"-"+unit)
	if r.baseline > 0 {
		b.ReportMetric(r.figure/r.baseline, metric+"-ratio")
	}
	b.ReportMetric(0, "ns/op") // of all samples together: says nothing
	results.mu.Lock()
	defer results.mu.Unlock()
	results.rows = slices.DeleteFunc(results.rows, func(x row) bool { return x.mechanism == r.mechanism })
	results.rows = append(results.rows, r)
}

func (t *table) print(w io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.rows) == 0 {
		return
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "\nmechanism\tfigure\tbaseline\tratio\tgoal\tok?")
	for _, r := range t.rows {
		fmt.Fprintln(tw, strings.Join(r.cells(), "\t"))
	}
	tw.Flush()
}

func (r row) cells() []string {
	baseline, ratio, goal, ok := "–", "–", "–", "–"
	if r.baseline > 0 {
		baseline, ratio = quantity(r.baseline, r.unit), fmt.Sprintf("%.2f", r.figure/r.baseline)
	}
	verdict := func(good bool) string {
		if good {
			return "yes"
		}
		return "NO"
	}
	switch {
	case r.goal > 0:
		goal, ok = "≤ "+quantity(r.goal, r.unit), verdict(r.figure <= r.goal)
	case r.goalRatio > 0:
		goal, ok = fmt.Sprintf("≤ %g ×", r.goalRatio), verdict(r.figure <= r.goalRatio*r.baseline)
	}
	return []string{r.mechanism, quantity(r.figure, r.unit) + r.note, baseline, ratio, goal, ok}
}

// quantity writes a value for people.
func quantity(v float64, unit string) string {
	switch abs := math.Abs(v); {
	case unit == "s" && abs >= 1:
		return fmt.Sprintf("%.2f s", v)
	case unit == "s" && abs >= 1e-3:
		return fmt.Sprintf("%.2f ms", v*1e3)
	case unit == "s" && abs >= 1e-6:
		return fmt.Sprintf("%.1f µs", v*1e6)
	case unit == "s":
		return fmt.Sprintf("%.0f ns", v*1e9)
	case unit == "B" && abs >= 1<<20:
		return fmt.Sprintf("%.1f MiB", v/(1<<20))
	case unit == "B" && abs >= 1<<10:
		return fmt.Sprintf("%.1f KiB", v/(1<<10))
	}
	return fmt.Sprintf("%.4g %s", v, unit)
}

// samples are durations in seconds.
type samples []float64

func (s *samples) add(d time.Duration) { *s = append(*s, d.Seconds()) }

// at returns the smallest sample that is not below a share q of all.
func (s samples) at(q float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// percentiles records p50 and p99 of a mechanism against those of a baseline, which may be empty.
func percentiles(b *testing.B, metric, mechanism string, s, baseline samples, goal, goalRatio float64) {
	b.Helper()
	for _, p := range []struct {
		name string
		q    float64
	}{{"p50", 0.5}, {"p99", 0.99}} {
		r := row{mechanism: mechanism + " " + p.name, unit: "s", figure: s.at(p.q), goal: goal, goalRatio: goalRatio}
		if len(baseline) > 0 {
			r.baseline = baseline.at(p.q)
		}
		record(b, metric+"-"+p.name, r)
	}
}

// cost runs fn so many times and returns what one time costs, of all goroutines together.
func cost(times int, fn func()) (seconds, allocs, bytes float64) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	for range times {
		fn()
	}
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	n := float64(times)
	return took.Seconds() / n, float64(after.Mallocs-before.Mallocs) / n, float64(after.TotalAlloc-before.TotalAlloc) / n
}

// recordCost records what one thing costs: its time, and in the note what it allocates.
func recordCost(b *testing.B, metric, mechanism string, seconds, allocs, bytes, baseline float64) {
	b.Helper()
	b.ReportMetric(allocs, metric+"-allocs")
	note := fmt.Sprintf(" (%.1f allocs, %s)", allocs, quantity(bytes, "B"))
	record(b, metric, row{mechanism: mechanism, unit: "s", figure: seconds, baseline: baseline, note: note})
}

// TestSamples checks the percentiles that everything here is judged by.
func TestSamples(t *testing.T) {
	var s samples
	for i := range 100 {
		s.add(time.Duration(100-i) * time.Second)
	}
	if p50, p99 := s.at(0.5), s.at(0.99); p50 != 51 || p99 != 100 {
		t.Errorf("p50 %v, p99 %v, want 51 and 100", p50, p99)
	}
}

// TestVerdict checks that a figure above its goal is called that.
func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		r    row
		want string
	}{
		{row{figure: 2, goal: 1}, "NO"},
		{row{figure: 1, goal: 1}, "yes"},
		{row{figure: 7, baseline: 2, goalRatio: 3}, "NO"},
		{row{figure: 6, baseline: 2, goalRatio: 3}, "yes"},
		{row{figure: 6}, "–"},
	} {
		if cells := c.r.cells(); cells[5] != c.want {
			t.Errorf("%+v: ok? %s, want %s", c.r, cells[5], c.want)
		}
	}
}
