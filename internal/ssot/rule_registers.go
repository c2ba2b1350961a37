package ssot

import (
	"go/ast"
	"go/types"
)

// registers finds registrations of keys.
type registers struct {
	concept *Concept
	what    *Registers
}

func (r registers) in(u *unit) look {
	wanted := u.types([]Name{r.what.Keys})
	var targets [][]target
	for _, c := range r.what.Calls {
		targets = append(targets, u.targets([]Name{c.To}))
	}
	return func(n node) []sighting {
		switch x := n.Node.(type) {
		case *ast.KeyValueExpr:
			lit, ok := n.parent(0).(*ast.CompositeLit)
			if !ok || wanted == nil {
				return nil
			}
			if _, ok := u.pass.TypesInfo.TypeOf(lit).Underlying().(*types.Map); ok {
				if u.config.right(r.concept, u.place(n, x.Pos())) { // maps elsewhere are a matter of tables
					return u.key(x.Key, wanted)
				}
			}
		case *ast.AssignStmt:
			var out []sighting
			for _, to := range x.Lhs {
				if at, ok := ast.Unparen(to).(*ast.IndexExpr); ok && wanted != nil && u.lasting(at.X) {
					out = append(out, u.key(at.Index, wanted)...)
				}
			}
			return out
		case *ast.CallExpr:
			return r.call(u, x, targets)
		}
		return nil
	}
}

// key returns what registers a constant.
func (u *unit) key(key ast.Expr, wanted set) []sighting {
	tv := u.pass.TypesInfo.Types[key]
	if _, ok := wanted.has(tv.Type); !ok || tv.Value == nil {
		return nil
	}
	return []sighting{{pos: key.Pos(), what: "registers " + tv.Value.ExactString(), key: tv.Value.ExactString()}}
}

// lasting reports whether an expression is a field or a package variable, and not what a function has for itself.
func (u *unit) lasting(e ast.Expr) bool {
	switch x := ast.Unparen(e).(type) {
	case *ast.SelectorExpr:
		return true
	case *ast.Ident:
		v, ok := u.pass.TypesInfo.Uses[x].(*types.Var)
		return ok && v.Parent() == u.pass.Pkg.Scope()
	}
	return false
}

// call returns the key that a call registers.
func (r registers) call(u *unit, call *ast.CallExpr, targets [][]target) []sighting {
	f := u.callee(call)
	if f == nil {
		return nil
	}
	for i, c := range r.what.Calls {
		if c.Arg < 0 || c.Arg >= len(call.Args) {
			continue
		}
		for _, t := range targets[i] {
			v := u.pass.TypesInfo.Types[call.Args[c.Arg]].Value
			if _, ok := u.is(t, f); ok && v != nil {
				return []sighting{{pos: call.Args[c.Arg].Pos(), what: "registers " + v.ExactString() + " by " + c.To.Text, key: v.ExactString()}}
			}
		}
	}
	return nil
}

// lone notes the constants of the key types that this package declares.
func (u *unit) lone() {
	scope := u.pass.Pkg.Scope()
	for i, rl := range u.rules {
		r, ok := rl.finder.(registers)
		if !ok || !r.what.Every {
			continue
		}
		wanted := u.types([]Name{r.what.Keys})
		for _, name := range scope.Names() {
			c, ok := scope.Lookup(name).(*types.Const)
			if !ok {
				continue
			}
			if _, ok := wanted.has(c.Type()); ok {
				at := u.pass.Fset.Position(c.Pos())
				p := Place{Package: u.rel, File: base(at.Filename), Line: at.Line, Name: name}
				u.result.Lone = append(u.result.Lone, Named{i, p, c.Val().ExactString()})
			}
		}
	}
}
