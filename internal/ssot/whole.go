package ssot

import (
	"cmp"
	"errors"
	"fmt"
	"go/types"
	"path/filepath"
	"slices"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/packages"
)

// Options says what to look at.
type Options struct {
	Dir      string            // where to begin; "" for the current folder
	File     string            // the file; "" for the one beside go.mod
	Patterns []string          // packages; none for the whole module
	Overlay  map[string][]byte // contents that files have instead of theirs, by absolute path; may be nil
}

// ErrNoFile means that there is no ssot.yaml beside go.mod.
var ErrNoFile = errors.New("there is no " + FileName + " beside go.mod: write one, or name one with --config")

// ErrNoModule means that a folder is in no module.
var ErrNoModule = errors.New("there is no go.mod here or above")

// Whole looks at a module at once. Errors are of the file (*ConfigError, ErrNoFile), or of code that does not compile.
func Whole(o Options) (*Report, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	file, m, err := Find(dir)
	switch {
	case err != nil:
		return nil, err
	case m.Dir == "":
		return nil, ErrNoModule
	case o.File != "":
		file = o.File
	case file == "":
		return nil, ErrNoFile
	}
	c, err := Load(file, m)
	if err != nil {
		return nil, err
	}
	whole := len(o.Patterns) == 0 || slices.Equal(o.Patterns, []string{"./..."}) && dir == m.Dir
	if len(o.Patterns) == 0 {
		dir, o.Patterns = m.Dir, []string{"./..."}
	}
	pkgs, err := load(dir, o)
	if err != nil {
		return nil, err
	}
	graph, err := checker.Analyze([]*analysis.Analyzer{Analyzer(c)}, pkgs, &checker.Options{SanityCheck: true})
	if err != nil {
		return nil, err
	}
	w := &module{config: c, rules: c.rules(), pkgs: pkgs}
	for _, a := range graph.Roots {
		if a.Err != nil {
			return nil, a.Err
		}
		w.add(a.Result.(*Result))
	}
	return w.report(whole), nil
}

// load reads packages from source, and what they import besides as the compiler left it.
func load(dir string, o Options) ([]*packages.Package, error) {
	pkgs, err := packages.Load(&packages.Config{
		Dir: dir, Overlay: o.Overlay,
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedImports | packages.NeedTypes | packages.NeedTypesSizes |
			packages.NeedSyntax | packages.NeedTypesInfo | packages.NeedModule,
	}, o.Patterns...)
	if err != nil {
		return nil, err
	}
	initial := map[string]*packages.Package{}
	for _, p := range pkgs {
		if len(p.Errors) > 0 {
			return nil, fmt.Errorf("%s: %w", p.PkgPath, p.Errors[0])
		}
		initial[p.ID] = p
	}
	for _, p := range pkgs { // what is not looked at has no facts either
		for path, i := range p.Imports {
			if initial[i.ID] != i {
				delete(p.Imports, path)
			}
		}
	}
	return pkgs, nil
}

// module is what was found in all packages of a module.
type module struct {
	config *Config
	rules  []rule
	pkgs   []*packages.Package
	all    Result
}

func (w *module) add(r *Result) {
	w.all.Sites = append(w.all.Sites, r.Sites...)
	w.all.Shapes = append(w.all.Shapes, r.Shapes...)
	w.all.Lone = append(w.all.Lone, r.Lone...)
	w.all.Crossings = append(w.all.Crossings, r.Crossings...)
	for _, p := range r.Ports {
		if !slices.ContainsFunc(w.all.Ports, func(q Shape) bool { return q.Rule == p.Rule && q.Name == p.Name }) {
			w.all.Ports = append(w.all.Ports, p)
		}
	}
}

// report turns what was found into findings. Of a part of the module, nothing is said about what is not there.
func (w *module) report(whole bool) *Report {
	w.judge()
	out := &Report{Module: w.config.module.Path, File: w.config.file, Packages: len(w.pkgs), Whole: whole}
	out.Findings = append(out.Findings, w.config.Check()...)
	for _, s := range w.all.Sites {
		if r := w.rules[s.Rule]; !r.once() && !s.Right {
			out.Findings = append(out.Findings, w.finding(r, s.Place, w.config.at(r.concept.Owner), w.config.second(r, s)))
		}
	}
	for _, p := range w.config.twice(w.rules, w.all.Sites) {
		r := w.rules[p.first.Rule]
		out.Findings = append(out.Findings, w.finding(r, p.second.Place, p.first.Place.At(), w.config.again(r, p.first, p.second)))
	}
	for _, x := range w.all.Crossings {
		if x.Wrong != "" {
			out.Findings = append(out.Findings, Finding{File: x.Place.path(), Line: x.Place.Line, Rule: "packages", Text: x.Wrong})
		}
	}
	if whole {
		out.Findings = append(out.Findings, w.unused()...)
	}
	slices.SortStableFunc(out.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Text, b.Text))
	})
	out.Findings = slices.Compact(out.Findings)
	out.Concepts = w.inventory()
	return out
}

func (w *module) finding(r rule, at Place, other, text string) Finding {
	return Finding{File: at.path(), Line: at.Line, Concept: r.concept.Name.Text, Rule: r.kind, Other: other, Text: text}
}

// judge makes sites of the shapes that fit what their package does not see.
func (w *module) judge() {
	for _, port := range w.all.Ports {
		for _, s := range w.all.Shapes {
			if s.fits(port) {
				site := s.site()
				site.Right = w.config.right(w.rules[s.Rule].concept, s.Place)
				w.all.Sites = append(w.all.Sites, site)
			}
		}
	}
}

// sees returns the package of a path if the module imports it directly.
func (w *module) sees(path string) *types.Package {
	for _, p := range w.pkgs {
		for _, i := range p.Types.Imports() {
			if i.Path() == path {
				return i
			}
		}
	}
	return nil
}
