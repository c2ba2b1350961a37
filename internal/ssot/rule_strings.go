package ssot

import (
	"go/ast"
	"go/constant"
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
		if v == nil || v.Kind() != constant.String {
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
