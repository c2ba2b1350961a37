package ssot

import (
	"go/ast"
	"go/types"
)

// calls finds where functions are called or taken as values.
type calls []Name

// target is one of them, as a unit sees it.
type target struct {
	name   Name
	pkg    string       // of all functions of a package
	fn     *types.Func  // a function
	typ    *types.Named // the type of a method
	method string       // "" for all of the type's
}

func (c calls) in(u *unit) look {
	targets := u.targets(c)
	unseen := u.unseen(c)
	rule := u.at
	return func(n node) []sighting {
		id, ok := n.Node.(*ast.Ident)
		if !ok {
			return nil
		}
		f, ok := u.pass.TypesInfo.Uses[id].(*types.Func)
		if !ok {
			return nil
		}
		for _, t := range targets {
			if by, ok := u.is(t, f); ok {
				return []sighting{{pos: id.Pos(), what: "uses " + t.name.Text + by}}
			}
		}
		for _, name := range unseen {
			if i := u.port(f); i != nil && f.Name() == name.symbol().sub {
				u.result.Shapes = append(u.result.Shapes, Shape{
					Rule: rule, Place: u.place(n, id.Pos()), Name: name.Text, Call: true, Methods: u.methods(types.NewMethodSet(i)),
				})
			}
		}
		return nil
	}
}

// unseen returns the methods of the module whose types the unit does not see. It can call them by an interface of its
// own all the same, if somebody else puts the two together.
func (u *unit) unseen(names []Name) []Name {
	var out []Name
	for _, n := range names {
		s := n.symbol()
		if s.sub != "" && u.config.module.own(s.pkg) && u.seen[u.config.module.full(s.pkg)] == nil {
			out = append(out, n)
		}
	}
	return out
}

// port returns the interface of the module that declares a method; nil if it is none.
func (u *unit) port(f *types.Func) types.Type {
	recv := f.Signature().Recv()
	if recv == nil || f.Pkg() == nil || !types.IsInterface(recv.Type()) || u.config.module.rel(f.Pkg().Path()) == f.Pkg().Path() {
		return nil
	}
	return recv.Type()
}

// targets finds what the unit sees of functions and methods.
func (u *unit) targets(names []Name) []target {
	var out []target
	for _, n := range names {
		s := n.symbol()
		if s.isPackage() {
			if path := u.config.module.full(s.pkg); u.seen[path] != nil && path != u.pass.Pkg.Path() {
				out = append(out, target{name: n, pkg: path})
			}
			continue
		}
		obj, _ := u.object(n)
		switch o := obj.(type) {
		case *types.Func:
			out = append(out, target{name: n, fn: o})
		case *types.TypeName:
			if t, ok := types.Unalias(o.Type()).(*types.Named); ok {
				out = append(out, target{name: n, typ: t, method: s.sub})
			}
		}
	}
	return out
}

// is reports whether a function is the target, and by which interface or type it is reached if not by its own.
func (u *unit) is(t target, f *types.Func) (by string, ok bool) {
	f = f.Origin()
	recv := f.Signature().Recv()
	switch {
	case t.pkg != "":
		return "", f.Pkg() != nil && f.Pkg().Path() == t.pkg && recv == nil
	case t.fn != nil:
		return "", f == t.fn
	case recv == nil || t.method != "" && f.Name() != t.method:
		return "", false
	}
	at := types.Unalias(deref(recv.Type()))
	named, isNamed := at.(*types.Named)
	if isNamed && named.Origin() == t.typ.Origin() {
		return "", true
	}
	if t.method == "" {
		return "", false
	}
	// An interface of another module, such as io.Writer, is implemented by too much to say anything.
	if f.Pkg() == nil || u.config.module.rel(f.Pkg().Path()) == f.Pkg().Path() {
		return "", false
	}
	if !alike(t.typ, at) {
		return "", false
	}
	if isNamed && u.owns(named, f) {
		return "", false
	}
	if isNamed {
		return ", as " + u.config.module.rel(named.Obj().Pkg().Path()) + "." + named.Obj().Name(), true
	}
	return ", by an interface without a name", true
}

// owns reports whether a method is the owner of the rule that is looked at: to call it is what others should do.
func (u *unit) owns(t *types.Named, f *types.Func) bool {
	s := u.config.symbol(u.rules[u.at].concept.Owner)
	return s.decl == t.Obj().Name() && s.sub == f.Name() && s.pkg == u.config.module.rel(f.Pkg().Path())
}

// alike reports whether one of two types is an interface that the other implements.
func alike(a *types.Named, b types.Type) bool {
	if i, ok := b.Underlying().(*types.Interface); ok {
		if types.Implements(a, i) || types.Implements(types.NewPointer(a), i) {
			return i.NumMethods() > 0
		}
	}
	i, ok := a.Underlying().(*types.Interface)
	return ok && (types.Implements(b, i) || types.Implements(types.NewPointer(b), i))
}
