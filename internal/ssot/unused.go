package ssot

import (
	"fmt"
	"go/types"
	"slices"
)

// unused finds what of the file is of no use to the whole module, and what is missing in it.
func (w *module) unused() []Finding {
	var out []Finding
	for i := range w.config.Concepts {
		k := &w.config.Concepts[i]
		out = append(out, w.idle(k)...)
		for _, a := range k.Also {
			s := w.config.symbol(a)
			if _, ok := w.config.module.locate(s); !ok && w.config.module.own(s.pkg) {
				continue // said already
			}
			if !slices.ContainsFunc(w.all.Sites, func(x Site) bool { return w.rules[x.Rule].concept == k && s.holds(x.Place) }) {
				out = append(out, w.config.useless(k.Name.Text, a.Line, fmt.Sprintf("%s: no rule finds anything in %s: correct the name or remove it", k.Name, a)))
			}
		}
	}
	out = append(out, w.unregistered()...)
	out = append(out, w.foreign()...)
	return append(out, w.rows()...)
}

// idle finds rules that find nothing where they must: they guard nothing. A role may fit only if the owner plays one of
// them. What keeps or imports something may be nobody.
func (w *module) idle(k *Concept) []Finding {
	var out []Finding
	played, roles := false, false
	owner := w.config.symbol(k.Owner)
	for i, r := range w.rules {
		if r.concept != k || r.kind == "keeps" || r.kind == "imports" {
			continue
		}
		found := slices.ContainsFunc(w.all.Sites, func(s Site) bool { return s.Rule == i && (r.once() || owner.holds(s.Place)) })
		if r.kind == "roles" {
			roles, played = true, played || found
			continue
		}
		if !found {
			out = append(out, w.config.useless(k.Name.Text, r.line, fmt.Sprintf(
				"%s: %s finds nothing in %s, so it guards nothing: correct it or remove it", k.Name, r.kind, k.Owner)))
		}
	}
	if roles && !played {
		out = append(out, w.config.useless(k.Name.Text, k.Roles[0].line(), fmt.Sprintf(
			"%s: %s plays none of the roles itself, so they guard nothing: correct them or the owner", k.Name, k.Owner)))
	}
	return out
}

// unregistered finds constants that must be registered and are not.
func (w *module) unregistered() []Finding {
	var out []Finding
	for _, c := range w.all.Lone {
		if slices.ContainsFunc(w.all.Sites, func(s Site) bool { return s.Rule == c.Rule && s.Key == c.Key }) {
			continue
		}
		r := w.rules[c.Rule]
		out = append(out, w.finding(r, c.Place, w.config.at(r.concept.Owner), fmt.Sprintf(
			"%s: %s (%s) is registered nowhere; its place is %s (%s)", r.concept.Name, c.Place.Name, c.Key, r.concept.Owner,
			w.config.at(r.concept.Owner))+w.config.instead(r)))
	}
	return out
}

// foreign finds names of other modules that their packages do not declare.
func (w *module) foreign() []Finding {
	var out []Finding
	for _, m := range w.config.mentions() {
		s := w.config.symbol(m.name)
		if s.isPackage() || w.config.module.own(s.pkg) {
			continue
		}
		p := w.sees(s.pkg)
		if p == nil {
			out = append(out, w.config.missing(m, "nothing imports "+s.pkg))
			continue
		}
		u := &unit{config: w.config, seen: map[string]*types.Package{s.pkg: p}}
		if obj, method := u.object(m.name); obj == nil || s.sub != "" && method == nil {
			out = append(out, w.config.missing(m, "package "+s.pkg+" declares no such thing"))
		}
	}
	return out
}

// rows finds rows and entries of the table of imports that nothing needs.
func (w *module) rows() []Finding {
	var out []Finding
	for _, row := range w.config.Packages {
		used := func(entry string) bool {
			return slices.ContainsFunc(w.all.Crossings, func(x Crossing) bool { return x.Row == row.Name.Text && (entry == "" || x.Entry == entry) })
		}
		if !w.config.module.has(row.Name.Text) {
			continue // said already
		}
		if !used("") {
			out = append(out, w.config.useless("", row.Name.Line, fmt.Sprintf("no package takes its imports from the row %s: remove it", row.Name)))
			continue
		}
		for _, e := range row.Imports {
			if e.Text != everything && !used(e.Text) {
				out = append(out, w.config.useless("", e.Line, fmt.Sprintf("nothing in %s imports %s: remove it", row.Name, e)))
			}
		}
	}
	return out
}
