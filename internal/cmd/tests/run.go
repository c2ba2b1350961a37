package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"
)

// errFailed says that a test failed; the summary says which.
var errFailed = errors.New("failed")

// job is one call of go test.
type job struct {
	category  string
	pkgs      []string // import paths
	run, skip string
	env       []string
}

// event is what `go test -json` prints; see `go doc test2json`.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64 // in seconds
}

func (o *options) run(ctx context.Context, w io.Writer) error {
	chosen, err := choose(o.Category)
	if err != nil {
		return err
	}
	if o.URL != "" && !slices.Equal(o.Category, []string{"e2e"}) {
		return errors.New("--url is for e2e alone: the other tests start what they use")
	}
	module, pkgs, err := packages(ctx)
	if err != nil {
		return err
	}
	s := newSummary(w, module, o.Verbose)
	for _, c := range chosen {
		jobs, err := o.jobs(c, pkgs)
		if err != nil {
			return err
		}
		if o.List {
			o.list(w, c, jobs)
			continue
		}
		for _, j := range jobs {
			if err := o.test(ctx, j, s); err != nil {
				return err
			}
		}
	}
	if o.List {
		return nil
	}
	return s.end(o.missing(chosen, s))
}

// source is a package and its test files.
type source struct {
	pkg, rel string // import path, and path in the module; "" is the root
	files    []string
}

// packages lists the module's packages.
func packages(ctx context.Context) (module string, pkgs []source, err error) {
	const format = `{{.Module.Path}} {{.ImportPath}}{{$d := .Dir}}{{range .TestGoFiles}} {{$d}}/{{.}}{{end}}{{range .XTestGoFiles}} {{$d}}/{{.}}{{end}}`
	out, err := exec.CommandContext(ctx, "go", "list", "-f", format, "./...").Output()
	if err != nil {
		return "", nil, fmt.Errorf("go list: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		module = f[0]
		pkgs = append(pkgs, source{pkg: f[1], rel: strings.TrimPrefix(strings.TrimPrefix(f[1], module), "/"), files: f[2:]})
	}
	return module, pkgs, nil
}

// jobs puts the packages of a category together that want the same of go test.
func (o *options) jobs(c category, pkgs []source) ([]job, error) {
	var out []job
	for _, p := range pkgs {
		run, skip, some := c.of(p.rel)
		if !some {
			continue
		}
		j := job{category: c.name, pkgs: []string{p.pkg}, run: run, skip: skip}
		if o.URL != "" {
			j.run, j.env = "^TestE2ESite$", []string{"SWITCHBOARD_E2E_URL=" + o.URL}
		}
		if o.Name != "" {
			names, err := o.named(p, j)
			if err != nil {
				return nil, err
			}
			if len(names) == 0 {
				continue
			}
			j.run, j.skip = "^("+strings.Join(names, "|")+")$", ""
		}
		i := slices.IndexFunc(out, func(x job) bool { return x.run == j.run && x.skip == j.skip })
		if i < 0 {
			out = append(out, j)
		} else {
			out[i].pkgs = append(out[i].pkgs, p.pkg)
		}
	}
	return out, nil
}

var declared = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)[A-Z0-9_a-z]*)\(`)

// named lists the tests of a job that -k means: all, if it means the package.
func (o *options) named(p source, j job) ([]string, error) {
	re, err := pattern(o.Name)
	if err != nil {
		return nil, err
	}
	run, err := regexp.Compile(j.run)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, file := range p.files {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, m := range declared.FindAllSubmatch(b, -1) {
			name := string(m[1])
			if name != "TestMain" && (re.MatchString(name) || re.MatchString(p.rel)) && run.MatchString(name) && (j.skip == "" || !regexp.MustCompile(j.skip).MatchString(name)) {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

func (o *options) list(w io.Writer, c category, jobs []job) {
	fmt.Fprintf(w, "%s: %s\n", c.name, c.what)
	for _, j := range jobs {
		for _, p := range j.pkgs {
			fmt.Fprintf(w, "  %s %s\n", p, strings.Trim(j.run, "^$"))
		}
	}
}

// test runs a job and feeds the summary. A test that fails is no error here.
func (o *options) test(ctx context.Context, j job, s *summary) error {
	args := []string{"test", "-json", "-timeout", o.Timeout.String()}
	if o.Race {
		args = append(args, "-race")
	}
	if j.run != "" {
		args = append(args, "-run", j.run)
	}
	if j.skip != "" {
		args = append(args, "-skip", j.skip)
	}
	if len(j.env) > 0 {
		args = append(args, "-count", "1") // a server far away is not what the cache knows
	}
	cmd := exec.CommandContext(ctx, "go", append(args, j.pkgs...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Env = append(os.Environ(), j.env...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("go test: %w", err)
	}
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil {
				s.add(j.category, e)
			} else {
				fmt.Fprintf(s.w, "%s", line) // of the go command itself
			}
		}
		if err != nil {
			break
		}
	}
	err = cmd.Wait()
	if err != nil && !s.failed() {
		return fmt.Errorf("go test: %w\n%s", err, errs.Bytes())
	}
	return ctx.Err()
}

// missing returns the tests of the mission suite that did not run: the table names what no longer exists.
func (o *options) missing(chosen []category, s *summary) []string {
	if o.Name != "" || !slices.ContainsFunc(chosen, func(c category) bool { return c.name == "mission" }) {
		return nil
	}
	var out []string
	for pkg, names := range mission {
		for _, n := range names {
			if !s.ran(pkg, n) {
				out = append(out, pkg+"."+n)
			}
		}
	}
	slices.Sort(out)
	return out
}
