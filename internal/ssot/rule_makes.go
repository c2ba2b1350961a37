package ssot

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
)

// makes finds where values of types are made.
type makes []Name

func (m makes) in(u *unit) look {
	wanted := u.types(m)
	if wanted == nil {
		return nil
	}
	return func(n node) []sighting {
		if t := u.made(n, false); t != nil {
			if name, ok := wanted.has(t); ok {
				return []sighting{{pos: n.Pos(), what: "makes a " + name.Text}}
			}
		}
		return nil
	}
}

// made returns the type of a value that a node makes. An empty literal is what functions return beside an error, and with
// & what they decode into. The latter makes one if it is returned, and wherever it is if blank is true.
func (u *unit) made(n node, blank bool) types.Type {
	switch x := n.Node.(type) {
	case *ast.CompositeLit:
		and, ok := n.parent(0).(*ast.UnaryExpr)
		_, returned := n.parent(1).(*ast.ReturnStmt)
		if len(x.Elts) > 0 || (blank || returned) && ok && and.Op == token.AND {
			return deref(u.pass.TypesInfo.TypeOf(x))
		}
	case *ast.CallExpr:
		id, ok := ast.Unparen(x.Fun).(*ast.Ident)
		if !ok || len(x.Args) != 1 {
			return nil
		}
		b, ok := u.pass.TypesInfo.Uses[id].(*types.Builtin)
		if _, literal := ast.Unparen(x.Args[0]).(*ast.CompositeLit); ok && b.Name() == "new" && !literal {
			return u.pass.TypesInfo.TypeOf(x.Args[0])
		}
	}
	return nil
}

// in finds where types that implement an interface are made.
func (e *Emitters) in(u *unit) look {
	port := u.iface(e.Of)
	if port == nil {
		return nil
	}
	return func(n node) []sighting {
		t := u.made(n, true)
		if t == nil {
			return nil
		}
		named, ok := types.Unalias(t).(*types.Named)
		if !ok || types.IsInterface(named) || !types.Implements(named, port) && !types.Implements(types.NewPointer(named), port) {
			return nil
		}
		obj := named.Origin().Obj()
		if obj.Pkg() == nil {
			return nil
		}
		key := declared(u.config.module.rel(obj.Pkg().Path()), obj.Name()).String()
		return []sighting{{pos: n.Pos(), what: "makes a " + key, key: key}}
	}
}

// together reports whether two places are one: the same function, or the same package.
func (e *Emitters) together(a, b Place) bool {
	if e.In.Text == "package" {
		return a.Package == b.Package
	}
	return a.Unit() == b.Unit()
}

// String writes the symbol as it is in the file.
func (s symbol) String() string {
	if s.pkg == "." {
		s.pkg = ""
	}
	out := s.pkg
	if s.file != "" {
		return out + "/" + s.file
	}
	for _, part := range []string{s.decl, s.sub} {
		if part != "" {
			out += "." + part
		}
	}
	return out
}

// in finds where values of types are given to functions.
func (p *Passes) in(u *unit) look {
	wanted, targets := u.types(p.Types), u.targets(p.To)
	if wanted == nil || len(targets) == 0 {
		return nil
	}
	return func(n node) []sighting {
		call, ok := n.Node.(*ast.CallExpr)
		if !ok {
			return nil
		}
		f := u.callee(call)
		if f == nil || !slices.ContainsFunc(targets, func(t target) bool { return u.gives(t, f) }) {
			return nil
		}
		for _, a := range call.Args {
			if name, ok := wanted.has(core(u.pass.TypesInfo.TypeOf(a))); ok {
				return []sighting{{pos: call.Pos(), what: "gives a " + name.Text + " to " + f.FullName()}}
			}
		}
		return nil
	}
}

// gives is like is, but a package stands for its methods too.
func (u *unit) gives(t target, f *types.Func) bool {
	if t.pkg != "" {
		return f.Pkg() != nil && f.Pkg().Path() == t.pkg
	}
	_, ok := u.is(t, f)
	return ok
}

// callee returns the function that a call names; nil for values of function types.
func (u *unit) callee(call *ast.CallExpr) *types.Func {
	fun := ast.Unparen(call.Fun)
	switch x := fun.(type) {
	case *ast.IndexExpr:
		fun = x.X
	case *ast.IndexListExpr:
		fun = x.X
	}
	var id *ast.Ident
	switch x := fun.(type) {
	case *ast.Ident:
		id = x
	case *ast.SelectorExpr:
		id = x.Sel
	default:
		return nil
	}
	f, _ := u.pass.TypesInfo.Uses[id].(*types.Func)
	return f
}
