package house

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/packages"
)

// typesLike finds types, but interfaces, whose names end so or that have such a method.
func typesLike(suffix, method string) func(*Tree) ([]site, error) {
	return func(t *Tree) ([]site, error) {
		return t.inspect(func(p *packages.Package, n ast.Node, _ []ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || spec.Assign.IsValid() {
				return false
			}
			named, ok := p.TypesInfo.Defs[spec.Name].Type().(*types.Named)
			if !ok || types.IsInterface(named) {
				return false
			}
			if strings.HasSuffix(strings.ToLower(spec.Name.Name), strings.ToLower(suffix)) {
				return true
			}
			for m := range named.Methods() {
				if m.Name() == method {
					return true
				}
			}
			return false
		}), nil
	}
}

// uses finds where methods of a type are called or taken as values: on the type itself, by an interface that it
// implements, and, if it is an interface, on a type that implements it.
func uses(pkg, typ string, methods ...string) func(*Tree) ([]site, error) {
	return func(t *Tree) ([]site, error) {
		named := t.lookup(pkg, typ)
		if named == nil {
			return nil, fmt.Errorf("no type %s.%s", pkg, typ)
		}
		for _, m := range methods {
			if o, _, _ := types.LookupFieldOrMethod(types.NewPointer(named), true, named.Obj().Pkg(), m); o == nil && !types.IsInterface(named) {
				return nil, fmt.Errorf("no method %s of %s.%s", m, pkg, typ)
			}
		}
		return t.inspect(func(p *packages.Package, n ast.Node, _ []ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok || !slices.Contains(methods, sel.Sel.Name) {
				return false
			}
			f, ok := p.TypesInfo.Uses[sel.Sel].(*types.Func)
			if !ok {
				return false
			}
			recv := f.Signature().Recv()
			return recv != nil && same(named, recv.Type())
		}), nil
	}
}

// same reports whether a method of recv is one of named: they are the same, or one implements the other.
func same(named *types.Named, recv types.Type) bool {
	if p, ok := recv.(*types.Pointer); ok {
		recv = p.Elem()
	}
	if n, ok := recv.(*types.Named); ok && n.Origin() == named {
		return true
	}
	if i, ok := recv.Underlying().(*types.Interface); ok && types.Implements(types.NewPointer(named), i) {
		return true
	}
	i, ok := named.Underlying().(*types.Interface)
	if !ok {
		return false
	}
	return types.Implements(recv, i) || types.Implements(types.NewPointer(recv), i) ||
		types.IsInterface(recv) && types.Implements(named, recv.Underlying().(*types.Interface))
}

// builds finds where values of root types are made: by a literal that is not zero, or by new.
func builds(names ...string) func(*Tree) ([]site, error) {
	return func(t *Tree) ([]site, error) {
		wanted, err := t.roots(names)
		if err != nil {
			return nil, err
		}
		return t.inspect(func(p *packages.Package, n ast.Node, _ []ast.Node) bool {
			switch x := n.(type) {
			case *ast.CompositeLit:
				return len(x.Elts) > 0 && wanted[core(p.TypesInfo.TypeOf(x))]
			case *ast.CallExpr:
				id, ok := x.Fun.(*ast.Ident)
				if !ok || len(x.Args) != 1 {
					return false
				}
				b, ok := p.TypesInfo.Uses[id].(*types.Builtin)
				return ok && b.Name() == "new" && wanted[core(p.TypesInfo.TypeOf(x.Args[0]))]
			}
			return false
		}), nil
	}
}

// roots looks types of the root up.
func (t *Tree) roots(names []string) (map[types.Type]bool, error) {
	out := map[types.Type]bool{}
	for _, name := range names {
		n := t.lookup(".", name)
		if n == nil {
			return nil, fmt.Errorf("no type %s in the root", name)
		}
		out[n] = true
	}
	return out, nil
}

// core takes pointers, slices, arrays and names for the same away from a type.
func core(t types.Type) types.Type {
	for {
		switch x := types.Unalias(t).(type) {
		case *types.Pointer:
			t = x.Elem()
		case *types.Slice:
			t = x.Elem()
		case *types.Array:
			t = x.Elem()
		default:
			return x
		}
	}
}

// literals finds strings that begin so.
func literals(prefixes ...string) func(*Tree) ([]site, error) {
	return func(t *Tree) ([]site, error) {
		return t.inspect(func(_ *packages.Package, n ast.Node, around []ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return false
			}
			if len(around) > 0 {
				switch around[len(around)-1].(type) {
				case *ast.ImportSpec, *ast.Field: // a path, a tag
					return false
				}
			}
			s, err := strconv.Unquote(lit.Value)
			return err == nil && slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) }) &&
				t.pkgOf(around) != "internal/house"
		}), nil
	}
}

// codes finds where root types are given to a JSON library.
func codes(names ...string) func(*Tree) ([]site, error) {
	return func(t *Tree) ([]site, error) {
		wanted, err := t.roots(names)
		if err != nil {
			return nil, err
		}
		return t.inspect(func(p *packages.Package, n ast.Node, _ []ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return false
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return false
			}
			f, ok := p.TypesInfo.Uses[sel.Sel].(*types.Func)
			if !ok || f.Pkg() == nil || !strings.Contains(f.Pkg().Path(), "json") || t.within(f.Pkg().Path()) {
				return false
			}
			return slices.ContainsFunc(call.Args, func(a ast.Expr) bool { return wanted[core(p.TypesInfo.TypeOf(a))] })
		}), nil
	}
}

// keyed finds maps whose key is a root type.
func keyed(name string) func(*Tree) ([]site, error) {
	return func(t *Tree) ([]site, error) {
		wanted, err := t.roots([]string{name})
		if err != nil {
			return nil, err
		}
		return t.inspect(func(p *packages.Package, n ast.Node, _ []ast.Node) bool {
			m, ok := n.(*ast.MapType)
			return ok && wanted[types.Unalias(p.TypesInfo.TypeOf(m.Key))]
		}), nil
	}
}

// statuses finds where a constant of a root type stands beside an HTTP status or a close code: in one call, literal,
// assignment, return or case.
func statuses(name string) func(*Tree) ([]site, error) {
	return func(t *Tree) ([]site, error) {
		wanted, err := t.roots([]string{name})
		if err != nil {
			return nil, err
		}
		return t.inspect(func(p *packages.Package, n ast.Node, around []ast.Node) bool {
			id, ok := n.(*ast.Ident)
			if !ok {
				return false
			}
			c, ok := p.TypesInfo.Uses[id].(*types.Const)
			if !ok || !wanted[types.Unalias(c.Type())] {
				return false
			}
			for _, a := range slices.Backward(around) {
				switch a.(type) {
				case *ast.CallExpr, *ast.CompositeLit, *ast.AssignStmt, *ast.ReturnStmt, *ast.CaseClause, *ast.ValueSpec, *ast.BinaryExpr:
					if holdsStatus(p, a) {
						return true
					}
				case *ast.BlockStmt, *ast.FuncLit:
					return false
				}
			}
			return false
		}), nil
	}
}

// holdsStatus reports whether a node names an HTTP error status or a close code.
func holdsStatus(p *packages.Package, n ast.Node) bool {
	found := false
	ast.Inspect(n, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.Ident:
			if c, ok := p.TypesInfo.Uses[x].(*types.Const); ok && c.Pkg() != nil {
				found = found || c.Pkg().Path() == "net/http" && strings.HasPrefix(c.Name(), "Status") ||
					c.Pkg().Path() == websocketPath && strings.HasPrefix(c.Name(), "Status")
			}
		case *ast.BasicLit:
			if x.Kind == token.INT {
				v, _ := constant.Int64Val(constant.MakeFromLiteral(x.Value, token.INT, 0))
				found = found || v >= 400 && v < 600 || v >= 4000 && v < 5000
			}
		}
		return !found
	})
	return found
}

// within reports whether a path is of the module.
func (t *Tree) within(path string) bool {
	return path == t.module || strings.HasPrefix(path, t.module+"/")
}

// pkgOf returns the package, below the module, of the file that holds the nodes.
func (t *Tree) pkgOf(around []ast.Node) string {
	f, ok := around[0].(*ast.File)
	if !ok {
		return ""
	}
	for _, p := range t.pkgs {
		if slices.Contains(p.Syntax, f) {
			return t.rel(p.PkgPath)
		}
	}
	return ""
}
