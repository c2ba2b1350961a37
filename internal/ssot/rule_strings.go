package ssot

import (
	"go/ast"
	"go/constant"
	"go/types"
	"strconv"
	"strings"
)

// literals finds string constants that begin so, written as they are or put together of constants.
type literals []Name

func (l literals) in(u *unit) look {
	return func(n node) []sighting {
		e, ok := n.Node.(ast.Expr)
		if !ok {
			return nil
		}
		switch e.(type) {
		case *ast.BasicLit, *ast.BinaryExpr:
		default:
			return nil
		}
		switch p := n.parent(0).(type) {
		case *ast.ImportSpec, *ast.Field: // a path, a tag
			return nil
		case *ast.BinaryExpr:
			if u.pass.TypesInfo.Types[p].Value != nil {
				return nil // the whole is looked at
			}
		}
		v := u.pass.TypesInfo.Types[e].Value
		if v == nil || v.Kind() != constant.String || u.continues(e) {
			return nil
		}
		for _, begin := range l {
			if strings.HasPrefix(constant.StringVal(v), begin.Text) {
				return []sighting{{pos: e.Pos(), what: "writes a string that begins with " + strconv.Quote(begin.Text)}}
			}
		}
		return nil
	}
}

// continues reports whether a string begins with a constant of the owner: that is to use what it has written.
func (u *unit) continues(e ast.Expr) bool {
	for {
		switch x := ast.Unparen(e).(type) {
		case *ast.BinaryExpr:
			e = x.X
			continue
		case *ast.SelectorExpr:
			e = x.Sel
			continue
		case *ast.Ident:
			c, ok := u.pass.TypesInfo.Uses[x].(*types.Const)
			if !ok || c.Pkg() == nil {
				return false
			}
			at := u.pass.Fset.Position(c.Pos())
			return u.config.right(u.rules[u.at].concept, Place{Package: u.config.module.rel(c.Pkg().Path()), File: base(at.Filename), Name: c.Name()})
		}
		return false
	}
}

// imports finds what imports a package.
type imports []Name

func (i imports) in(*unit) look {
	return func(n node) []sighting {
		spec, ok := n.Node.(*ast.ImportSpec)
		if !ok {
			return nil
		}
		path, _ := strconv.Unquote(spec.Path.Value)
		for _, name := range i {
			if covers(name.Text, path) || strings.HasSuffix(name.Text, "/") && strings.HasPrefix(path, name.Text) {
				return []sighting{{pos: spec.Pos(), what: "imports " + path}}
			}
		}
		return nil
	}
}
