package ssot

import (
	"go/types"
	"regexp"
	"strings"
)

// object finds what a name stands for in what the unit sees: a function, a type, and, of a type, the method. Both are nil
// if the unit does not see it, and then nothing in it can be about it.
func (u *unit) object(n Name) (obj, method types.Object) {
	s := n.symbol()
	p := u.seen[u.config.module.full(s.pkg)]
	if p == nil || s.decl == "" {
		return nil, nil
	}
	obj = p.Scope().Lookup(s.decl)
	if obj == nil || s.sub == "" {
		return obj, nil
	}
	method, _, _ = types.LookupFieldOrMethod(obj.Type(), true, p, s.sub)
	return obj, method
}

// named finds a type. Its origin is what types are compared by.
func (u *unit) named(n Name) *types.Named {
	obj, _ := u.object(n)
	if t, ok := obj.(*types.TypeName); ok {
		named, _ := types.Unalias(t.Type()).(*types.Named)
		return named
	}
	return nil
}

// set is types by their origins.
type set map[*types.TypeName]Name

// types finds types; nil if the unit sees none of them.
func (u *unit) types(names []Name) set {
	out := set{}
	for _, n := range names {
		if t := u.named(n); t != nil {
			out[t.Obj()] = n
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// has returns the name of a type in the set.
func (s set) has(t types.Type) (Name, bool) {
	if t == nil {
		return Name{}, false
	}
	named, ok := types.Unalias(t).(*types.Named)
	if !ok {
		return Name{}, false
	}
	n, ok := s[named.Origin().Obj()]
	return n, ok
}

// core takes pointers, slices and arrays away from a type.
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

// deref takes one pointer away from a type.
func deref(t types.Type) types.Type {
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		return p.Elem()
	}
	return t
}

// shape writes a signature without the names of its parameters, and types with their package's folder or path.
func (u *unit) shape(s *types.Signature) string {
	plain := types.NewSignatureType(nil, nil, nil, nameless(s.Params()), nameless(s.Results()), s.Variadic())
	return spaceless(strings.TrimPrefix(types.TypeString(plain, func(p *types.Package) string {
		if rel := u.config.module.rel(p.Path()); rel != "." {
			return rel
		}
		return ""
	}), "func"))
}

func nameless(t *types.Tuple) *types.Tuple {
	var out []*types.Var
	for v := range t.Variables() {
		out = append(out, types.NewVar(0, nil, "", v.Type()))
	}
	return types.NewTuple(out...)
}

var (
	ofRoot  = regexp.MustCompile(`(^|[^\w/.)])\.(\w)`)
	between = regexp.MustCompile(`([,)]) +`)
)

// spaceless writes a shape as shapes are compared: without the dot before types of the root, and without spaces.
func spaceless(shape string) string {
	return ofRoot.ReplaceAllString(between.ReplaceAllString(strings.TrimSpace(shape), "$1"), "$1$2")
}
