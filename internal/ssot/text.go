package ssot

import (
	"fmt"
	"slices"
	"strings"
)

// Finding is a place that is not as the file says, or a part of the file that is of no use.
type Finding struct {
	File    string `json:"file"` // below the module's folder
	Line    int    `json:"line"`
	Concept string `json:"concept,omitempty"`
	Rule    string `json:"rule"`            // its key in the file, or "config" if the file itself is at fault
	Other   string `json:"other,omitempty"` // the other place: file and line
	Text    string `json:"text"`            // all of it: both places, and what to do
}

// String writes the finding as compilers do.
func (f Finding) String() string { return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Text) }

// second says that something is found outside of its one place.
func (c *Config) second(r rule, s Site) string {
	k := r.concept
	text := fmt.Sprintf("%s: %s, but the one place is %s", k.Name, s.What, k.Owner)
	if at := c.at(k.Owner); at != "" {
		text += " (" + at + ")"
	}
	if len(k.Also) > 0 {
		var also []string
		for _, a := range k.Also {
			also = append(also, a.Text)
		}
		text += ", besides " + strings.Join(also, ", ")
	}
	return text + c.instead(r)
}

// again says that a key is there twice.
func (c *Config) again(r rule, first, second Site) string {
	return fmt.Sprintf("%s: %s in %s; so does %s (%s)", r.concept.Name, second.What, second.Place.Unit(), first.Place.Unit(), first.Place.At()) + c.instead(r)
}

func (c *Config) instead(r rule) string {
	return fmt.Sprintf(". Instead, %s [%s:%d]", strings.TrimSuffix(r.concept.Instead, "."), c.file, r.line)
}

// at returns where a name of the module is declared; "" if it is none of the module's, or a package.
func (c *Config) at(n Name) string {
	p, ok := c.module.locate(c.symbol(n))
	if !ok || p.File == "" || n.symbol().isFile() {
		return ""
	}
	return p.At()
}

// pair is a key that is there twice.
type pair struct{ first, second Site }

// twice returns the keys that are there more than once, each place after the first: in the owner, if one is there, else
// the first by file. What makes a type may do so many times.
func (c *Config) twice(rules []rule, sites []Site) []pair {
	type group struct {
		rule int
		key  string
	}
	groups := map[group][]Site{}
	var order []group
	for _, s := range sites {
		if !rules[s.Rule].once() || rules[s.Rule].kind == "emitters" && s.Right {
			continue
		}
		g := group{s.Rule, s.Key}
		if groups[g] == nil {
			order = append(order, g)
		}
		groups[g] = append(groups[g], s)
	}
	var out []pair
	for _, g := range order {
		all := groups[g]
		owner := c.symbol(rules[g.rule].concept.Owner)
		slices.SortStableFunc(all, func(a, b Site) int {
			if x, y := owner.holds(a.Place), owner.holds(b.Place); x != y {
				if x {
					return -1
				}
				return 1
			}
			return a.Place.compare(b.Place)
		})
		for _, s := range all[1:] {
			if e, ok := rules[g.rule].finder.(*Emitters); ok && e.together(s.Place, all[0].Place) {
				continue
			}
			out = append(out, pair{all[0], s})
		}
	}
	return out
}
