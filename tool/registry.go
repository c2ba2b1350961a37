package tool

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/google/jsonschema-go/jsonschema"
)

// entry is a registered tool: its definition as the policy has it, and its schema ready for use.
type entry struct {
	Definition
	tool   Tool
	schema *jsonschema.Resolved
	policy Policy
	source string // "" for the tools of the start
}

// newEntry checks a tool. Errors: a bad name, a schema that cannot be used.
func newEntry(t Tool, source string, ps policies) (*entry, error) {
	d := t.Definition()
	if !validName(d.Name) {
		return nil, fmt.Errorf("a name must be 1 to %d of [A-Za-z0-9_-]", maxNameBytes)
	}
	schema, err := resolve(d.Schema)
	if err != nil {
		return nil, fmt.Errorf("tool %s: schema: %w", d.Name, err)
	}
	d.Title, d.Description, d.Schema = cleanText(d.Title, 200), cleanLines(d.Description, maxDescriptionBytes), slices.Clone(d.Schema)
	p := ps.of(d.Name)
	return &entry{Definition: p.apply(d), tool: t, schema: schema, policy: p, source: source}, nil
}

// label is what metrics call the tool. A label is for ever: sources may rename their tools as often as they like.
func (e *entry) label() string { return cmp.Or(e.source, e.Name) }

// registry holds the tools by name: those of the start, and those of sources, which come and go.
type registry struct {
	policies policies

	mu      sync.RWMutex        // guards what follows; never held while a tool is asked for anything
	sources map[string][]*entry // by source, "" those of the start
	tools   map[string]*entry   // what can be called now
}

// start registers the tools of the start. Errors: a tool that cannot be used, two that could be taken for one another.
func (r *registry) start(tools []Tool) error {
	var entries []*entry
	for i, t := range tools {
		if t == nil {
			return fmt.Errorf("tool %d is nil", i)
		}
		e, err := newEntry(t, "", r.policies)
		if err != nil {
			return fmt.Errorf("tool %d: %w", i, err)
		}
		entries = append(entries, e)
	}
	if left := r.replace("", entries); len(left) > 0 {
		return left[0]
	}
	return nil
}

// replace makes these all the tools of a source, and returns why some of it cannot be called: somebody could take them
// for others.
func (r *registry) replace(source string, entries []*entry) (leftOut []error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(entries) == 0 {
		delete(r.sources, source)
	} else {
		r.sources[source] = entries
	}
	tools, taken := map[string]*entry{}, map[string]*entry{}
	for _, s := range r.order() {
		for _, e := range r.sources[s] {
			if e.policy.Denied {
				continue
			}
			if other := taken[fold(e.Name)]; other != nil {
				if s == source {
					leftOut = append(leftOut, fmt.Errorf("tool %s: the name can be taken for that of %s", e.Name, other.Name))
				}
				continue
			}
			taken[fold(e.Name)], tools[e.Name] = e, e
		}
	}
	r.tools = tools
	return leftOut
}

// order returns the sources, the first of twins first. It must not depend on who came first, or nodes would disagree
// on what a name means: the start, then who has the longer and so the more special name.
func (r *registry) order() []string {
	return slices.SortedFunc(maps.Keys(r.sources), func(a, b string) int {
		switch {
		case a == "" || b == "":
			return cmp.Compare(len(a), len(b))
		case len(a) != len(b):
			return cmp.Compare(len(b), len(a))
		}
		return strings.Compare(a, b)
	})
}

// get returns the tool that has this name now, nil if none has.
func (r *registry) get(name string) *entry {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.tools[name]
}

// all returns every tool that can be called now, sorted by name.
func (r *registry) all() []*entry {
	r.mu.RLock()
	tools := r.tools // replaced as a whole, never changed
	r.mu.RUnlock()
	return slices.SortedFunc(maps.Values(tools), func(a, b *entry) int { return strings.Compare(a.Name, b.Name) })
}

// Replace makes these all the tools of a source: a name of an operator's choosing, as that of a server elsewhere. Tools
// that were there and are not among them are withdrawn, and a call of one of them ends like that of an unknown tool. A
// tool that cannot be used is left out, with a line in the log. Among tools of several sources that could be taken for
// one another, that of the start is kept, then that of the source with the longer name, on all nodes alike. Tools are
// asked for their definitions once, here. It panics if source is empty.
func (d *Dispatcher) Replace(source string, tools []Tool) {
	if source == "" {
		panic("tool: a source needs a name")
	}
	var entries []*entry
	for _, t := range tools {
		e, err := newEntry(t, source, d.reg.policies)
		if err != nil {
			d.log.Warn("a tool is left out", "source", source, "reason", err)
			continue
		}
		entries = append(entries, e)
	}
	for _, err := range d.reg.replace(source, entries) {
		d.log.Warn("a tool is left out", "source", source, "reason", err)
	}
}
