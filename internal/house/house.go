// Package house checks that the module is built as ARCHITECTURE.md says: who may import whom, and that there is one of
// each thing there should be one of.
//
// Both are tables, in imports.go and rules.go. A rule looks at the typed syntax of everything but tests and finds the
// places where something is done; places that the table does not name are findings, and so are entries of the tables
// that nothing needs any more, so the tables cannot rot. The test plants a violation of every rule and sees it found.
package house

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// Finding is a place that is not built as it should be. Its text says what is wrong, where the right place is, and what
// to do.
type Finding struct {
	File string // below the module's folder, "" if the finding is about a table
	Line int
	Text string
}

// String writes the finding as compilers do.
func (f Finding) String() string {
	if f.File == "" {
		return f.Text
	}
	return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Text)
}

// Tree is the module without its tests, parsed and type-checked. It may be checked concurrently.
type Tree struct {
	module string
	dir    string
	pkgs   []*packages.Package
}

// Load reads the module in a folder. An error names the first thing that does not compile.
func Load(dir string) (*Tree, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	pkgs, err := packages.Load(&packages.Config{
		Dir: dir,
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedImports | packages.NeedTypes | packages.NeedSyntax |
			packages.NeedTypesInfo | packages.NeedModule,
	}, "./...")
	if err != nil {
		return nil, err
	}
	t := &Tree{dir: dir, pkgs: pkgs}
	for _, p := range pkgs {
		if len(p.Errors) > 0 {
			return nil, fmt.Errorf("%s: %w", p.PkgPath, p.Errors[0])
		}
		t.module = p.Module.Path
	}
	if t.module == "" {
		return nil, fmt.Errorf("%s holds no module", dir)
	}
	return t, nil
}

// Check returns what is not as the tables say, in the order of files.
func (t *Tree) Check() []Finding {
	out := t.checkImports(allowed, fences)
	for _, r := range rules {
		out = append(out, t.checkRule(r)...)
	}
	slices.SortFunc(out, func(a, b Finding) int { return strings.Compare(a.String(), b.String()) })
	return out
}

// rel is the package's path below the module's, "." for the root.
func (t *Tree) rel(path string) string {
	if path == t.module {
		return "."
	}
	return strings.TrimPrefix(path, t.module+"/")
}

// lookup finds a named type: of a package of the module by its path below it, or of one that the module imports.
func (t *Tree) lookup(pkg, name string) *types.Named {
	find := func(p *types.Package) *types.Named {
		if p.Path() != pkg && t.rel(p.Path()) != pkg {
			return nil
		}
		if o, ok := p.Scope().Lookup(name).(*types.TypeName); ok {
			n, _ := o.Type().(*types.Named)
			return n
		}
		return nil
	}
	for _, p := range t.pkgs {
		if n := find(p.Types); n != nil {
			return n
		}
		for _, i := range p.Types.Imports() {
			if n := find(i); n != nil {
				return n
			}
		}
	}
	return nil
}

// site is a place where something is done that a rule looks for.
type site struct {
	file string // transport/device.go
	line int
	unit string // transport.(*device).write; of a type its name; "" outside of both
	pkg  string // transport
}

// is reports whether a table's entry names the site: by unit, file or package.
func (s site) is(entry string) bool { return entry == s.unit || entry == s.file || entry == s.pkg }

func (s site) String() string { return fmt.Sprintf("%s:%d", s.file, s.line) }

// inspect visits every node of the module with the nodes around it, and collects the places it reports.
func (t *Tree) inspect(visit func(p *packages.Package, n ast.Node, around []ast.Node) bool) []site {
	var out []site
	for _, p := range t.pkgs {
		for _, f := range p.Syntax {
			var around []ast.Node
			ast.Inspect(f, func(n ast.Node) bool {
				if n == nil {
					around = around[:len(around)-1]
					return true
				}
				if visit(p, n, around) {
					out = append(out, t.site(p, n, around))
				}
				around = append(around, n)
				return true
			})
		}
	}
	return out
}

func (t *Tree) site(p *packages.Package, n ast.Node, around []ast.Node) site {
	file, line := t.place(p.Fset.Position(n.Pos()))
	s := site{file: file, line: line, pkg: t.rel(p.PkgPath)}
	for _, a := range append(slices.Clone(around), n) {
		switch d := a.(type) {
		case *ast.FuncDecl:
			s.unit = s.pkg + "." + receiver(d) + d.Name.Name
		case *ast.TypeSpec:
			if s.unit == "" {
				s.unit = s.pkg + "." + d.Name.Name
			}
		}
	}
	return s
}

func (t *Tree) place(p token.Position) (file string, line int) {
	rel, err := filepath.Rel(t.dir, p.Filename)
	if err != nil {
		rel = p.Filename
	}
	return filepath.ToSlash(rel), p.Line
}

// receiver writes a method's receiver as in (*device).write, with the dot.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return ""
	}
	typ, star := d.Recv.List[0].Type, false
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ, star = x.X, true
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			if star {
				return "(*" + x.Name + ")."
			}
			return x.Name + "."
		default:
			return ""
		}
	}
}
