package ssot

import (
	"fmt"
	"go/ast"
	"go/types"
	"regexp"
	"strings"
)

// anyFunction is the signature of every function.
const anyFunction = "func"

// in implements finder: types or functions that play a role.
func (r *Role) in(u *unit) look {
	name := regexp.MustCompile(r.Named.Text)
	if r.Signature.Text != "" {
		return r.functions(u, name)
	}
	port, rule := u.iface(r.Implements), u.at
	return func(n node) []sighting {
		spec, ok := n.Node.(*ast.TypeSpec)
		if !ok || spec.Assign.IsValid() || !name.MatchString(spec.Name.Name) {
			return nil
		}
		obj, _ := u.pass.TypesInfo.Defs[spec.Name].(*types.TypeName)
		if obj == nil || types.IsInterface(obj.Type()) {
			return nil
		}
		t := obj.Type().(*types.Named)
		why := []string{}
		if r.Named.Text != "" {
			why = append(why, fmt.Sprintf("is named like it (%s)", r.Named))
		}
		if r.Method.Text != "" {
			if !u.declares(t, r.Method.Text) {
				return nil
			}
			why = append(why, "has a method "+r.Method.Text)
		}
		if r.Implements.Text != "" {
			switch {
			case port == nil:
				u.unjudged(rule, r, n, t)
				return nil
			case !types.Implements(types.NewPointer(t), port) && !types.Implements(t, port):
				return nil
			}
			why = append(why, "implements "+r.Implements.Text)
		}
		return []sighting{{pos: spec.Name.Pos(), what: "type " + spec.Name.Name + " " + strings.Join(why, " and ")}}
	}
}

func (r *Role) functions(u *unit, name *regexp.Regexp) look {
	return func(n node) []sighting {
		d, ok := n.Node.(*ast.FuncDecl)
		if !ok || !name.MatchString(d.Name.Name) {
			return nil
		}
		f, ok := u.pass.TypesInfo.Defs[d.Name].(*types.Func)
		if !ok || r.Signature.Text != anyFunction && u.shape(f.Signature()) != spaceless(strings.TrimPrefix(r.Signature.Text, "func")) {
			return nil
		}
		why := []string{}
		if r.Named.Text != "" {
			why = append(why, fmt.Sprintf("is named like it (%s)", r.Named))
		}
		if r.Signature.Text != anyFunction {
			why = append(why, "has the shape "+r.Signature.Text)
		}
		return []sighting{{pos: d.Name.Pos(), what: "function " + d.Name.Name + " " + strings.Join(why, " and ")}}
	}
}

// declares reports whether a type declares a method of a name, or of a shape. Methods of what it embeds do not count.
func (u *unit) declares(t *types.Named, method string) bool {
	name, params, shaped := strings.Cut(method, "(")
	for m := range t.Methods() {
		if m.Name() == strings.TrimSpace(name) && (!shaped || u.shape(m.Signature()) == spaceless("("+params)) {
			return true
		}
	}
	return false
}

// iface finds the interface of a role, if the unit sees it.
func (u *unit) iface(n Name) *types.Interface {
	if n.Text == "" {
		return nil
	}
	if t := u.named(n); t != nil {
		i, _ := t.Underlying().(*types.Interface)
		return i
	}
	return nil
}

// unjudged notes a type that a package further up, which sees the interface too, must judge.
func (u *unit) unjudged(rule int, r *Role, n node, t *types.Named) {
	if t.TypeParams().Len() > 0 || t.Obj().Parent() != u.pass.Pkg.Scope() {
		return
	}
	methods := u.methods(types.NewMethodSet(types.NewPointer(t)))
	if len(methods) > 0 {
		u.result.Shapes = append(u.result.Shapes, Shape{Rule: rule, Place: u.place(n, n.Pos()), Name: r.Implements.Text, Methods: methods})
	}
}
