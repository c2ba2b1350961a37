package house

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/types"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// Plant returns the tree with files added, by their paths below the module's folder: nothing is written, and t stays as
// it is. They may import what some package of the module imports. An error names the first thing that does not compile.
func (t *Tree) Plant(files map[string][]byte) (*Tree, error) {
	g := garden{tree: t, pkgs: map[string]*packages.Package{}, known: map[string]*types.Package{}}
	for _, p := range t.pkgs {
		g.pkgs[p.PkgPath] = &packages.Package{PkgPath: p.PkgPath, Fset: p.Fset, Module: p.Module, Syntax: slices.Clone(p.Syntax)}
		for _, i := range p.Types.Imports() {
			if !t.within(i.Path()) {
				g.known[i.Path()] = i
			}
		}
	}
	fset := t.pkgs[0].Fset
	for name, body := range files {
		f, err := parser.ParseFile(fset, filepath.Join(t.dir, filepath.FromSlash(name)), body, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		at := path.Join(t.module, path.Dir(name))
		if g.pkgs[at] == nil {
			g.pkgs[at] = &packages.Package{PkgPath: at, Fset: fset, Module: t.pkgs[0].Module}
		}
		g.pkgs[at].Syntax = append(g.pkgs[at].Syntax, f)
	}
	out := &Tree{module: t.module, dir: t.dir}
	for at, p := range g.pkgs {
		if _, err := g.Import(at); err != nil {
			return nil, err
		}
		out.pkgs = append(out.pkgs, p)
	}
	slices.SortFunc(out.pkgs, func(a, b *packages.Package) int { return strings.Compare(a.PkgPath, b.PkgPath) })
	return out, nil
}

// garden type-checks a tree anew, a package after those that it imports.
type garden struct {
	tree  *Tree
	pkgs  map[string]*packages.Package
	known map[string]*types.Package // from outside of the module
}

// Import implements types.Importer.
func (g garden) Import(at string) (*types.Package, error) {
	p := g.pkgs[at]
	switch {
	case p == nil && at == "unsafe":
		return types.Unsafe, nil
	case p == nil && g.known[at] == nil:
		return nil, fmt.Errorf("nothing in the module imports %s", at)
	case p == nil:
		return g.known[at], nil
	case p.Types != nil:
		return p.Types, nil
	case p.TypesInfo != nil:
		return nil, fmt.Errorf("%s imports itself", at)
	}
	p.TypesInfo = &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{},
		Selections: map[*ast.SelectorExpr]*types.Selection{},
	}
	checked, err := (&types.Config{Importer: g, GoVersion: "go" + p.Module.GoVersion}).Check(at, p.Fset, p.Syntax, p.TypesInfo)
	p.Types = checked
	return checked, err
}
