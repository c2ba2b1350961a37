package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/agent"
	"github.com/netra-systems/switchboard/journal"
	"github.com/netra-systems/switchboard/journal/embed"
	"github.com/netra-systems/switchboard/model/scripted"
	"github.com/netra-systems/switchboard/node"
)

var updateReference = flag.Bool("update", false, "write docs/reference anew")

// made begins every generated document.
const made = "<!-- Made by go test ./cmd/switchboard -run Reference -update -->\n\n"

// TestReference: docs/reference is what the program, its tables and a node say.
func TestReference(t *testing.T) {
	for name, text := range map[string]string{
		"cli.md": referenceCLI(t), "wire.md": referenceWire(t), "codes.md": referenceCodes(t), "metrics.md": referenceMetrics(t),
	} {
		path := filepath.Join(docs, "reference", name)
		if *updateReference {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != text {
			t.Errorf("docs/reference/%s is not what the code says (%v): go test ./cmd/switchboard -run Reference -update", name, err)
		}
	}
}

// cell makes a text fit into a table.
func cell(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`)
}

// referenceCLI describes the commands.
func referenceCLI(t *testing.T) string {
	t.Helper()
	parser, err := newParser(new(cli))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("# Commands\n\n" + made + "Each flag may be given as the variable beside it; a flag wins. `--help` of a command says the same.\n")
	n := 0
	for _, c := range pages(parser.Model) {
		if c.path == "" || len(c.subs) > 0 {
			continue
		}
		n++
		fmt.Fprintf(&b, "\n## switchboard %s\n\n%s\n\n```text\n%s\n```\n", c.path, c.help, c.usage)
		if c.more != "" {
			fmt.Fprintf(&b, "\n```text\n%s\n```\n", strings.TrimSpace(c.more))
		}
		rows := ""
		for _, f := range c.flags {
			if f.Name == "help" {
				continue
			}
			fallback := ""
			if f.HasDefault && f.Default != "" && !f.IsBool() {
				fallback = "`" + f.Default + "`"
			}
			var vars []string
			for _, v := range f.Envs {
				vars = append(vars, "`"+v+"`")
			}
			rows += fmt.Sprintf("| `%s` | %s | %s | %s |\n", cell(flagName(f)), strings.Join(vars, ", "), fallback, cell(f.Help))
		}
		if rows != "" {
			b.WriteString("\n| flag | variable | default | |\n|---|---|---|---|\n" + rows)
		}
	}
	if n < 15 {
		t.Errorf("only %d commands were found", n)
	}
	for _, s := range sections[1:] {
		fmt.Fprintf(&b, "\n## %s\n\n```text\n%s\n```\n", s.title, strings.TrimRight(s.text, "\n"))
	}
	return b.String()
}

// referenceCodes tells the tables of codes and limits.
func referenceCodes(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("# Codes and limits\n\n" + made + "## Codes\n\nOf errors, HTTP answers and closes. Close codes from 4000 to 4499 mean: connect again. Those from 4500 to 4999: do not, by yourself.\n\n" +
		"| code | HTTP | close | what a client does |\n|---|---|---|---|\n")
	dash := func(n int) string {
		if n == 0 {
			return "–"
		}
		return fmt.Sprint(n)
	}
	for _, c := range slices.SortedFunc(maps.Keys(switchboard.Codes), func(a, b switchboard.Code) int {
		x, y := switchboard.Codes[a], switchboard.Codes[b]
		return cmp.Or(cmp.Compare(x.HTTP, y.HTTP), cmp.Compare(x.Close, y.Close), cmp.Compare(a, b))
	}) {
		i := switchboard.Codes[c]
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", c, dash(i.HTTP), dash(i.Close), cell(i.Client))
	}
	b.WriteString("\n## Failures of runs\n\n`agent_failed.code` is one of ")
	var failures []string
	for _, c := range readRoot(t).words["FailureCode"] {
		failures = append(failures, "`"+c+"`")
	}
	b.WriteString(strings.Join(failures, ", ") + ".\n\n## Limits\n\nAs `connection_established` tells them; `limits` of the [configuration](../CONFIG.md#limits) changes them.\n\n| name | default | |\n|---|---|---|\n")
	limits := reflect.ValueOf(switchboard.DefaultLimits())
	for i := range limits.NumField() {
		f := limits.Type().Field(i)
		fmt.Fprintf(&b, "| `%s` | %d | %s |\n", f.Tag.Get("json"), limits.Field(i).Int(), cell(f.Tag.Get("doc")))
	}
	return b.String()
}

// recorder is a registry that remembers what was registered.
type recorder struct {
	prometheus.Registerer
	all []prometheus.Collector
}

// Register implements prometheus.Registerer.
func (r *recorder) Register(c prometheus.Collector) error {
	r.all = append(r.all, c)
	return r.Registerer.Register(c)
}

// MustRegister implements prometheus.Registerer.
func (r *recorder) MustRegister(cs ...prometheus.Collector) {
	r.all = append(r.all, cs...)
	r.Registerer.MustRegister(cs...)
}

var describes = regexp.MustCompile(`^Desc\{fqName: "([^"]+)", help: "([^"]*)", (?:unit: "[^"]*", )?constLabels: \{\}, variableLabels: \{([^}]*)\}`)

// kindOf says what kind of figure a collector is, "" if it is of another kind.
func kindOf(c prometheus.Collector) string {
	switch c.(type) {
	case *prometheus.CounterVec:
		return "counter"
	case *prometheus.GaugeVec, prometheus.Gauge:
		return "gauge"
	case *prometheus.HistogramVec, prometheus.Histogram:
		return "histogram"
	case prometheus.Counter:
		return "counter"
	}
	return ""
}

// referenceMetrics tells the figures that a real node registers.
func referenceMetrics(t *testing.T) string {
	t.Helper()
	engine, err := embed.Start(embed.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	r := &recorder{Registerer: prometheus.NewRegistry()}
	n, err := node.Open(t.Context(), node.Config{
		Name: "reference", Journal: journal.Config{Connect: engine.Connect}, Agents: []agent.Agent{{Name: "assistant", Model: scripted.New(scripted.Config{})}},
		Registry: r, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	rows := map[string]string{}
	for _, c := range r.all {
		found := make(chan *prometheus.Desc, 100)
		c.Describe(found)
		close(found)
		for d := range found {
			m := describes.FindStringSubmatch(d.String())
			if m == nil || kindOf(c) == "" {
				t.Fatalf("a figure is of an unknown kind: %T %s", c, d)
			}
			var labels []string
			for _, l := range strings.FieldsFunc(m[3], func(r rune) bool { return r == ',' || r == ' ' }) {
				labels = append(labels, "`"+l+"`")
			}
			if !strings.HasSuffix(m[2], ".") {
				t.Errorf("%s: %q is no sentence", m[1], m[2])
			}
			rows[m[1]] = fmt.Sprintf("| `%s` | %s | %s | %s |\n", m[1], kindOf(c), strings.Join(labels, ", "), cell(m[2]))
		}
	}
	if len(rows) < 15 {
		t.Errorf("only %d figures were found", len(rows))
	}
	runbook, err := os.ReadFile(filepath.Join(docs, "RUNBOOK.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("`(switchboard_[a-z_]+)").FindAllStringSubmatch(string(runbook), -1) {
		if rows[m[1]] == "" {
			t.Errorf("docs/RUNBOOK.md names %s, which is not there", m[1])
		}
	}
	text := "# Metrics\n\n" + made + "At `/metrics` of `--admin-listen`, in Prometheus' text format, beside those of the Go runtime and the process. No label ever holds " +
		"anything of a user. [RUNBOOK.md](../RUNBOOK.md#figures-to-watch---admin-listen) says which of them to watch.\n\n| metric | type | labels | |\n|---|---|---|---|\n"
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		text += rows[name]
	}
	return text
}
