package ssot

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"strings"
)

// tables finds map types by their keys.
type tables []Name

func (t tables) in(u *unit) look {
	wanted := u.types(t)
	if wanted == nil {
		return nil
	}
	return func(n node) []sighting {
		m, ok := n.Node.(*ast.MapType)
		if !ok {
			return nil
		}
		if name, ok := wanted.has(u.pass.TypesInfo.TypeOf(m.Key)); ok {
			return []sighting{{pos: m.Pos(), what: "a map by " + name.Text}}
		}
		return nil
	}
}

// in finds where a constant stands beside another: in one call, literal, assignment, comparison, return or case.
func (b *Beside) in(u *unit) look {
	wanted := u.types([]Name{b.Constants})
	if wanted == nil {
		return nil
	}
	return func(n node) []sighting {
		id, ok := n.Node.(*ast.Ident)
		if !ok {
			return nil
		}
		c, ok := u.pass.TypesInfo.Uses[id].(*types.Const)
		if !ok {
			return nil
		}
		if _, ok := wanted.has(c.Type()); !ok {
			return nil
		}
		for i := range n.around {
			switch a := n.parent(i).(type) {
			case *ast.CallExpr, *ast.CompositeLit, *ast.AssignStmt, *ast.ReturnStmt, *ast.CaseClause, *ast.ValueSpec, *ast.BinaryExpr:
				if other := u.near(a, b.With); other != "" {
					return []sighting{{pos: id.Pos(), what: c.Name() + " stands beside " + other}}
				}
			case *ast.BlockStmt, *ast.FuncLit:
				return nil
			}
		}
		return nil
	}
}

// near returns the first of the constants that a node holds; "" if there is none.
func (u *unit) near(n ast.Node, with []Name) (found string) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.Ident:
			if c, ok := u.pass.TypesInfo.Uses[x].(*types.Const); ok && c.Pkg() != nil && u.matches(c, with) {
				found = c.Name()
			}
		case *ast.BasicLit:
			if x.Kind != token.INT {
				break
			}
			v, _ := constant.Int64Val(constant.MakeFromLiteral(x.Value, token.INT, 0))
			for _, w := range with {
				if from, to, ok := bounds(w.Text); ok && from <= v && v <= to {
					found = x.Value
				}
			}
		}
		return found == ""
	})
	return found
}

func (u *unit) matches(c *types.Const, with []Name) bool {
	for _, w := range with {
		if _, _, number := bounds(w.Text); number {
			continue
		}
		begin, all := strings.CutSuffix(w.Text, "*")
		s := Name{Text: begin}.symbol()
		if u.config.module.full(s.pkg) == c.Pkg().Path() && (c.Name() == s.decl || all && strings.HasPrefix(c.Name(), s.decl)) {
			return true
		}
	}
	return false
}
