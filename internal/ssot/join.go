package ssot

import (
	"cmp"
	"go/token"
	"slices"
	"strconv"
)

// Seen is what a package and all that it imports tell those that import it. Everything in it is in order, so that the same
// package has the same fact, always.
type Seen struct {
	Module string  // path of the module whose file was followed
	Once   []Site  // of rules about what is there once
	Shapes []Shape // what nobody has judged, because something was not in sight
}

// AFact implements analysis.Fact.
func (*Seen) AFact() {}

// join compares what the package has with what it imports, reports what only now is seen to be there twice, and passes
// everything on.
func (u *unit) join() {
	m := u.config.module.Path
	var imported []*Seen
	for _, p := range u.pass.Pkg.Imports() {
		if f := new(Seen); u.pass.ImportPackageFact(p, f) && f.Module == m {
			imported = append(imported, f)
		}
	}
	all := &Seen{Module: m, Shapes: u.result.Shapes}
	for _, s := range u.result.Sites {
		if u.rules[s.Rule].once() {
			all.Once = append(all.Once, s)
		}
	}
	for _, f := range imported {
		all.Once = append(all.Once, f.Once...)
		all.Shapes = append(all.Shapes, f.Shapes...)
	}
	all.sort()
	if !u.ignored() {
		u.lone()
		u.result.Ports = u.ports()
		u.twice(all, imported)
		u.judge(all)
	}
	if len(all.Once)+len(all.Shapes) > 0 {
		u.pass.ExportPackageFact(all)
	}
}

// twice reports keys that are there twice, where both places come together first.
func (u *unit) twice(all *Seen, imported []*Seen) {
	for _, p := range u.config.twice(u.rules, all.Once) {
		r := u.rules[p.first.Rule]
		if p.second.Place.Package != u.rel {
			if p.first.Place.Package == u.rel {
				p.first, p.second = p.second, p.first
			} else if slices.ContainsFunc(imported, func(f *Seen) bool { return f.has(p.first) && f.has(p.second) }) {
				continue
			}
		}
		u.pass.Reportf(u.pos(p.second.Place), "%s", u.config.again(r, p.first, p.second))
	}
}

// judge holds the shapes of imported packages against what is in sight only here, and takes them out.
func (u *unit) judge(all *Seen) {
	for _, port := range u.result.Ports {
		all.Shapes = slices.DeleteFunc(all.Shapes, func(s Shape) bool {
			if s.Rule != port.Rule || s.Name != port.Name || s.Place.Package == u.rel {
				return false
			}
			r, site := u.rules[s.Rule], s.site()
			if s.fits(port) && !u.config.right(r.concept, s.Place) {
				site.What += " (" + s.Place.At() + ")"
				u.pass.Reportf(u.pos(s.Place), "%s", u.config.second(r, site))
			}
			return true
		})
	}
}

// pos finds a place in the package, or, for one elsewhere, the import by which it comes.
func (u *unit) pos(p Place) token.Pos {
	var first token.Pos
	for _, f := range u.pass.Files {
		file := u.pass.Fset.File(f.FileStart)
		if p.Package == u.rel && base(file.Name()) == p.File && p.Line <= file.LineCount() {
			return file.LineStart(p.Line)
		}
		if !first.IsValid() {
			first = f.Package
		}
		for _, spec := range f.Imports {
			if path, _ := strconv.Unquote(spec.Path.Value); p.Package == u.config.module.rel(path) {
				return spec.Pos()
			}
		}
	}
	return first
}

func (f *Seen) has(s Site) bool { return slices.Contains(f.Once, s) }

func (f *Seen) sort() {
	slices.SortFunc(f.Once, func(a, b Site) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Key, b.Key), a.Place.compare(b.Place), cmp.Compare(a.What, b.What))
	})
	f.Once = slices.Compact(f.Once)
	slices.SortFunc(f.Shapes, func(a, b Shape) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), a.Place.compare(b.Place), cmp.Compare(a.Name, b.Name))
	})
	f.Shapes = slices.CompactFunc(f.Shapes, func(a, b Shape) bool { return a.Rule == b.Rule && a.Place == b.Place && a.Name == b.Name })
}
