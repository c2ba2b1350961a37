package ssot

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/token"
	"path/filepath"
	"strings"
)

// Place is where something is found.
type Place struct {
	Package string `json:"package"`        // folder below the module's, "." for the root
	File    string `json:"file"`           // base name
	Line    int    `json:"line"`           // from 1
	Type    string `json:"type,omitempty"` // the receiver, or the type that is declared there
	Name    string `json:"name,omitempty"` // function, method, variable or constant; of a type "" or the method
	Pointer bool   `json:"-"`              // whether the receiver is a pointer
}

// At returns file and line, as compilers write them, below the module's folder.
func (p Place) At() string {
	return fmt.Sprintf("%s:%d", p.path(), p.Line)
}

// Unit returns the declaration that holds the place: transport.(*device).write; the file if there is none.
func (p Place) Unit() string {
	pkg := p.Package
	if pkg == "." {
		pkg = ""
	}
	switch {
	case p.Type != "" && p.Name != "" && p.Pointer:
		return pkg + ".(*" + p.Type + ")." + p.Name
	case p.Type != "" && p.Name != "":
		return pkg + "." + p.Type + "." + p.Name
	case p.Type != "" || p.Name != "":
		return pkg + "." + p.Type + p.Name
	case pkg == "":
		return p.File
	}
	return pkg + "/" + p.File
}

// path returns the file below the module's folder.
func (p Place) path() string { return strings.TrimPrefix(p.Package+"/"+p.File, "./") }

// compare orders places by file and line.
func (p Place) compare(q Place) int {
	return cmp.Or(cmp.Compare(p.Package, q.Package), cmp.Compare(p.File, q.File), cmp.Compare(p.Line, q.Line))
}

// node is a node of the syntax with the nodes around it, from the file inwards.
type node struct {
	ast.Node
	around []ast.Node
}

// parent returns the i-th node around it, 0 for the next one.
func (n node) parent(i int) ast.Node {
	if i = len(n.around) - 1 - i; i >= 0 {
		return n.around[i]
	}
	return nil
}

// place says where a node is: outside of functions, in what is declared there.
func (u *unit) place(n node, pos token.Pos) Place {
	at := u.pass.Fset.Position(pos)
	p := Place{Package: u.rel, File: filepath.Base(at.Filename), Line: at.Line}
	for _, a := range append(n.around[:len(n.around):len(n.around)], n.Node) {
		switch d := a.(type) {
		case *ast.FuncDecl:
			p.Type, p.Pointer = receiver(d)
			p.Name = d.Name.Name
			return p
		case *ast.TypeSpec:
			p.Type = d.Name.Name
			return p
		case *ast.ValueSpec:
			p.Name = d.Names[0].Name
			return p
		}
	}
	return p
}

// receiver returns the name of a method's type; "" of a function.
func receiver(d *ast.FuncDecl) (name string, pointer bool) {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return "", false
	}
	typ := d.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ, pointer = x.X, true
		case *ast.ParenExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			return x.Name, pointer
		default:
			return "", pointer
		}
	}
}
