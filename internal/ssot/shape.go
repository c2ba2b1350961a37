package ssot

import (
	"go/types"
	"slices"
)

// Shape is the methods of a type or an interface in one package, which another package must hold against a name that the
// first does not see: whether a type implements an interface, or whether a call by an interface may reach a type.
type Shape struct {
	Rule    int
	Place   Place    // the type, or the call
	Name    string   // of the file: the interface, or the method that is called
	Call    bool     // whether it is a call
	Methods []string // sorted
}

// ports returns the shapes of what the file names, as far as the unit sees it.
func (u *unit) ports() []Shape {
	var out []Shape
	for i, r := range u.rules {
		switch f := r.finder.(type) {
		case *Role:
			if t := u.named(f.Implements); f.Implements.Text != "" && t != nil && types.IsInterface(t) {
				out = append(out, Shape{Rule: i, Name: f.Implements.Text, Methods: u.methods(types.NewMethodSet(t))})
			}
		case calls:
			for _, n := range f {
				if t := u.named(n); t != nil && n.symbol().sub != "" && !types.IsInterface(t) {
					out = append(out, Shape{Rule: i, Name: n.Text, Call: true, Methods: u.methods(types.NewMethodSet(types.NewPointer(t)))})
				}
			}
		}
	}
	return out
}

func (u *unit) methods(s *types.MethodSet) []string {
	var out []string
	for m := range s.Methods() {
		if f, ok := m.Obj().(*types.Func); ok {
			out = append(out, f.Name()+u.shape(m.Type().(*types.Signature)))
		}
	}
	slices.Sort(out)
	return out
}

// fits reports whether a shape is about what a name stands for, and one has all methods of the other.
func (s Shape) fits(named Shape) bool {
	if s.Rule != named.Rule || s.Name != named.Name {
		return false
	}
	all, some := s.Methods, named.Methods
	if s.Call { // a call by an interface, and the type it may reach
		all, some = some, all
	}
	for _, m := range some {
		if _, ok := slices.BinarySearch(all, m); !ok {
			return false
		}
	}
	return len(some) > 0
}

// site is where a shape that fits was found.
func (s Shape) site() Site {
	what := "type " + s.Place.Unit() + " implements " + s.Name
	if s.Call {
		what = "uses " + s.Name + ", by an interface"
	}
	return Site{Rule: s.Rule, Place: s.Place, What: what}
}
