package main

import (
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// count is what came of the tests of a category. Subtests are not counted.
type count struct {
	passed, failed, skipped int
	packages                int
	spent                   time.Duration // of the packages, which run side by side
}

// summary follows the tests and sums them up. It is not safe for concurrent use.
type summary struct {
	w       io.Writer
	module  string
	verbose bool
	begin   time.Time

	order   []string
	counts  map[string]*count
	names   map[string]bool     // of tests that ran, with their package
	output  map[string][]string // of tests that run, and of packages
	perPkg  map[string]*count
	fails   []string
	skipped []string
}

func newSummary(w io.Writer, module string, verbose bool) *summary {
	return &summary{
		w: w, module: module, verbose: verbose, begin: time.Now(), counts: map[string]*count{}, names: map[string]bool{},
		output: map[string][]string{}, perPkg: map[string]*count{},
	}
}

func (s *summary) short(pkg string) string {
	if rel := strings.TrimPrefix(strings.TrimPrefix(pkg, s.module), "/"); rel != "" {
		return rel
	}
	return "."
}

func (s *summary) ran(pkg, test string) bool { return s.names[pkg+"."+test] }

func (s *summary) failed() bool { return len(s.fails) > 0 }

// add takes what go test says.
func (s *summary) add(category string, e event) {
	c := s.counts[category]
	if c == nil {
		c = &count{}
		s.counts[category] = c
		s.order = append(s.order, category)
	}
	pkg := s.short(e.Package)
	p := s.perPkg[pkg]
	if p == nil {
		p = &count{}
		s.perPkg[pkg] = p
	}
	top, _, sub := strings.Cut(e.Test, "/")
	key := pkg + "." + top
	switch e.Action {
	case "output":
		s.output[key] = append(s.output[key], e.Output)
		if s.verbose {
			fmt.Fprint(s.w, e.Output)
		}
		return
	case "run":
		s.names[key] = true
		return
	case "pass", "fail", "skip", "build-fail":
	case "build-output":
		fmt.Fprint(s.w, e.Output)
		return
	default:
		return
	}
	if e.Test == "" {
		s.endPackage(c, p, pkg, e)
		return
	}
	if e.Action == "skip" {
		s.skipped = append(s.skipped, fmt.Sprintf("%s.%s: %s", pkg, e.Test, reason(s.output[key])))
	}
	if sub {
		return
	}
	switch e.Action {
	case "pass":
		c.passed, p.passed = c.passed+1, p.passed+1
	case "skip":
		c.skipped, p.skipped = c.skipped+1, p.skipped+1
	case "fail":
		c.failed, p.failed = c.failed+1, p.failed+1
		s.fails = append(s.fails, key)
		if !s.verbose {
			fmt.Fprint(s.w, strings.Join(s.output[key], ""))
		}
	}
	delete(s.output, key)
}

func (s *summary) endPackage(c, p *count, pkg string, e event) {
	took := time.Duration(e.Elapsed * float64(time.Second))
	c.packages++
	c.spent += took
	if e.Action == "fail" {
		if p.failed == 0 { // it did not build, or ended otherwise
			s.fails = append(s.fails, pkg)
			for _, key := range slices.Sorted(maps.Keys(s.output)) { // also what tests said that have not ended
				if strings.HasPrefix(key, pkg+".") {
					fmt.Fprint(s.w, strings.Join(s.output[key], ""))
				}
			}
		}
		fmt.Fprintf(s.w, "FAIL  %-28s %6.1f s\n", pkg, took.Seconds())
	} else if n := p.passed + p.skipped; n > 0 {
		fmt.Fprintf(s.w, "ok    %-28s %6.1f s  %d tests\n", pkg, took.Seconds(), n)
	}
	delete(s.output, pkg+".")
}

var noise = regexp.MustCompile(`^\s*(=== |--- )`)

// reason finds why a test was skipped in what it printed.
func reason(lines []string) string {
	for _, l := range slices.Backward(lines) {
		if !noise.MatchString(l) {
			if _, why, ok := strings.Cut(l, "_test.go:"); ok {
				_, why, _ = strings.Cut(why, ": ")
				return strings.TrimSpace(why)
			}
			return strings.TrimSpace(l)
		}
	}
	return "no reason given"
}

// end prints the summary. missing are tests that were asked for and do not exist.
func (s *summary) end(missing []string) error {
	all := count{}
	fmt.Fprintln(s.w)
	for _, name := range s.order {
		c := s.counts[name]
		fmt.Fprintf(s.w, "%-12s %4d passed %3d failed %3d skipped  %3d packages %7.1f s\n", name, c.passed, c.failed, c.skipped, c.packages, c.spent.Seconds())
		all.passed, all.failed, all.skipped = all.passed+c.passed, all.failed+c.failed, all.skipped+c.skipped
	}
	for _, x := range s.skipped {
		fmt.Fprintln(s.w, "skipped     ", x)
	}
	for _, x := range s.fails {
		fmt.Fprintln(s.w, "failed      ", x)
	}
	for _, x := range missing {
		fmt.Fprintln(s.w, "missing     ", x, "is in the mission suite (internal/cmd/tests/category.go) and does not exist")
	}
	fmt.Fprintf(s.w, "%d passed, %d failed, %d skipped, in %.0f s\n", all.passed, all.failed, all.skipped, time.Since(s.begin).Seconds())
	switch {
	case s.failed() || len(missing) > 0:
		return errFailed
	case all.passed+all.skipped == 0:
		return fmt.Errorf("no test was found")
	}
	return nil
}
