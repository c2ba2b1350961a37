package ssot

import (
	"go/ast"
	"go/token"
	"go/types"
	"regexp"
)

// in finds package variables, and assignments to fields of what others hold too: what a call leaves behind for the next.
func (k *Keeps) in(u *unit) look {
	wanted := u.types(k.Types)
	name := regexp.MustCompile(k.Named.Text)
	kept := func(v types.Object) bool {
		if k.Named.Text != "" && name.MatchString(v.Name()) {
			return true
		}
		_, ok := wanted.has(core(v.Type()))
		return ok
	}
	return func(n node) []sighting {
		var out []sighting
		switch x := n.Node.(type) {
		case *ast.ValueSpec:
			decl, ok := n.parent(0).(*ast.GenDecl)
			if _, top := n.parent(1).(*ast.File); !ok || !top || decl.Tok != token.VAR {
				return nil
			}
			for _, id := range x.Names {
				if v := u.pass.TypesInfo.Defs[id]; v != nil && kept(v) {
					out = append(out, sighting{pos: id.Pos(), what: "the package variable " + id.Name + " is shared by all"})
				}
			}
		case *ast.AssignStmt:
			for _, to := range x.Lhs {
				sel, ok := ast.Unparen(to).(*ast.SelectorExpr)
				if !ok {
					continue
				}
				field, ok := u.pass.TypesInfo.Uses[sel.Sel].(*types.Var)
				if ok && field.IsField() && kept(field) && u.shared(n, sel.X) {
					out = append(out, sighting{pos: sel.Sel.Pos(), what: "the field " + sel.Sel.Name + " is set on something shared"})
				}
			}
		}
		return out
	}
}

// shared reports whether an expression is reached from a package variable, or by a pointer that came from outside of the
// function. What a function has made itself is its own.
func (u *unit) shared(n node, e ast.Expr) bool {
	pointer := false
	for {
		_, isPointer := types.Unalias(u.pass.TypesInfo.TypeOf(e)).(*types.Pointer)
		pointer = pointer || isPointer
		switch x := ast.Unparen(e).(type) {
		case *ast.SelectorExpr:
			if v, ok := u.pass.TypesInfo.Uses[x.Sel].(*types.Var); ok && !v.IsField() {
				return true // a variable of another package
			}
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e, pointer = x.X, true
		case *ast.Ident:
			v, ok := u.pass.TypesInfo.Uses[x].(*types.Var)
			if !ok {
				return false
			}
			return v.Parent() == u.pass.Pkg.Scope() || pointer && given(n, v)
		default:
			return false
		}
	}
}

// given reports whether a variable is a receiver or a parameter of a function around a node.
func given(n node, v *types.Var) bool {
	for _, a := range n.around {
		var lists []*ast.FieldList
		switch f := a.(type) {
		case *ast.FuncDecl:
			lists = []*ast.FieldList{f.Recv, f.Type.Params}
		case *ast.FuncLit:
			lists = []*ast.FieldList{f.Type.Params}
		}
		for _, l := range lists {
			if l != nil && l.Pos() <= v.Pos() && v.Pos() <= l.End() {
				return true
			}
		}
	}
	return false
}
