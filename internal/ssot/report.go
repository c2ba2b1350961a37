package ssot

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Report is what is known of a module after it was looked at.
type Report struct {
	Module   string      `json:"module"`
	File     string      `json:"config"`
	Packages int         `json:"packages"` // how many were looked at
	Whole    bool        `json:"whole"`    // whether that is the whole module
	Findings []Finding   `json:"findings"`
	Concepts []Inventory `json:"concepts"`
}

// Inventory is a concept, and where its rules found something.
type Inventory struct {
	Name  string      `json:"name"`
	Owner string      `json:"owner"`
	At    string      `json:"at,omitempty"` // file and line; "" of a package
	Rules []RuleSites `json:"rules"`
}

// RuleSites is a rule of a concept and where it found something.
type RuleSites struct {
	Kind  string   `json:"kind"`
	Line  int      `json:"line"`  // in the file
	Units []string `json:"units"` // functions, types and files, in order, each once
	Sites int      `json:"sites"` // how many places
	Keys  int      `json:"keys,omitempty"`
}

// inventory lists the concepts in the order of the file.
func (w *module) inventory() []Inventory {
	var out []Inventory
	for i := range w.config.Concepts {
		k := &w.config.Concepts[i]
		x := Inventory{Name: k.Name.Text, Owner: k.Owner.Text, At: w.config.at(k.Owner)}
		for j, r := range w.rules {
			if r.concept == k {
				x.Rules = append(x.Rules, w.sitesOf(j, r))
			}
		}
		out = append(out, x)
	}
	return out
}

func (w *module) sitesOf(j int, r rule) RuleSites {
	rs := RuleSites{Kind: r.kind, Line: r.line}
	seen, keys := map[string]bool{}, map[string]bool{}
	sites := slices.Clone(w.all.Sites)
	slices.SortStableFunc(sites, func(a, b Site) int { return a.Place.compare(b.Place) })
	for _, s := range sites {
		if s.Rule != j {
			continue
		}
		rs.Sites++
		if s.Key != "" {
			keys[s.Key] = true
		}
		if unit := s.Place.Unit(); !seen[unit] {
			seen[unit] = true
			rs.Units = append(rs.Units, unit)
		}
	}
	rs.Keys = len(keys)
	return rs
}

// WriteInventory writes the concepts for people.
func (r *Report) WriteInventory(w io.Writer) {
	for _, k := range r.Concepts {
		at := k.At
		if at == "" {
			at = "a package"
		}
		fmt.Fprintf(w, "%s\n  owner      %s (%s)\n", k.Name, k.Owner, at)
		for _, x := range k.Rules {
			units := strings.Join(x.Units, ", ")
			if len(x.Units) > 6 {
				units = strings.Join(x.Units[:6], ", ") + fmt.Sprintf(" and %d more", len(x.Units)-6)
			}
			count := fmt.Sprintf("%d", x.Sites)
			if x.Keys > 0 {
				count = fmt.Sprintf("%d of %d keys", x.Sites, x.Keys)
			}
			fmt.Fprintf(w, "  %-10s %s: %s\n", x.Kind, count, units)
		}
	}
}

// Summary says in one line how it went.
func (r *Report) Summary() string {
	what := "part of " + r.Module
	if r.Whole {
		what = r.Module
	}
	return fmt.Sprintf("ssot: %d findings in %s (%d packages, %d concepts)", len(r.Findings), what, r.Packages, len(r.Concepts))
}
