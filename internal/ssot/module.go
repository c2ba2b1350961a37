package ssot

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
)

// Module is a Go module on disk.
type Module struct {
	Path string // as in its go.mod
	Dir  string // absolute; "" if there is none
}

// FindModule looks for the go.mod next above a folder. Without one the module is empty, and there is no error.
func FindModule(dir string) (Module, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Module{}, err
	}
	for {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil {
			return Module{Path: modfile.ModulePath(data), Dir: dir}, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return Module{}, err
		}
		up := filepath.Dir(dir)
		if up == dir {
			return Module{}, nil
		}
		dir = up
	}
}

// rel returns a package's folder below the module's, or its import path if it is of another module.
func (m Module) rel(pkg string) string {
	if pkg == m.Path {
		return "."
	}
	if below, ok := strings.CutPrefix(pkg, m.Path+"/"); ok {
		return below
	}
	return pkg
}

// full returns the import path of a package as it is named in the file.
func (m Module) full(pkg string) string {
	if pkg == "." {
		return m.Path
	}
	if m.has(pkg) {
		return path.Join(m.Path, pkg)
	}
	return pkg
}

// has reports whether a folder below the module's holds a package. A pattern folder/... needs one below the folder.
func (m Module) has(pkg string) bool {
	if pkg == "..." {
		pkg = "./..."
	}
	under, all := strings.CutSuffix(pkg, "/...")
	dir := filepath.Join(m.Dir, filepath.FromSlash(under))
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".go") && !strings.HasSuffix(e.Name(), "_test.go") {
			return true
		}
		if all && e.IsDir() && m.has(path.Join(under, e.Name())+"/...") {
			return true
		}
	}
	return false
}

// own reports whether a name can only be one of the module: it names no package of the standard library and of no host.
func (m Module) own(pkg string) bool {
	if pkg == "." || m.has(pkg) {
		return true
	}
	first, _, _ := strings.Cut(pkg, "/")
	return !strings.Contains(first, ".") && !standard(pkg)
}

// show returns a file's path below the module's folder, or as it is.
func (m Module) show(file string) string {
	abs, err := filepath.Abs(file)
	if err != nil {
		return file
	}
	rel, err := filepath.Rel(m.Dir, abs)
	if err != nil || strings.HasPrefix(rel, "..") {
		return file
	}
	return filepath.ToSlash(rel)
}

// locate finds where a name of the module is declared, without types, so that it can be told from any package. Of a
// package it is the first file. ok is false if there is no such thing.
func (m Module) locate(s symbol) (p Place, ok bool) {
	dir := filepath.Join(m.Dir, filepath.FromSlash(strings.TrimSuffix(s.pkg, "/...")))
	if s.isPackage() {
		return Place{Package: s.pkg}, m.has(s.pkg)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return Place{}, false
	}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") || s.isFile() && filepath.Base(f) != s.file {
			continue
		}
		fset := token.NewFileSet()
		tree, err := parser.ParseFile(fset, f, nil, parser.SkipObjectResolution)
		if err != nil {
			continue
		}
		if pos := find(tree, s); pos.IsValid() {
			return Place{Package: s.pkg, File: filepath.Base(f), Line: fset.Position(pos).Line, Type: s.decl, Name: s.sub}, true
		}
	}
	return Place{}, false
}

// find returns where a file declares a name, or where it begins if the name is a file.
func find(f *ast.File, s symbol) token.Pos {
	if s.isFile() {
		return f.Package
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			typ, _ := receiver(d)
			if typ == "" && s.sub == "" && d.Name.Name == s.decl || typ == s.decl && s.sub == d.Name.Name && typ != "" {
				return d.Name.Pos()
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if pos := findSpec(spec, s); pos.IsValid() {
					return pos
				}
			}
		}
	}
	return token.NoPos
}

func findSpec(spec ast.Spec, s symbol) token.Pos {
	switch x := spec.(type) {
	case *ast.TypeSpec:
		if x.Name.Name != s.decl {
			return token.NoPos
		}
		if s.sub == "" {
			return x.Name.Pos()
		}
		if i, ok := x.Type.(*ast.InterfaceType); ok {
			for _, m := range i.Methods.List {
				if len(m.Names) > 0 && m.Names[0].Name == s.sub {
					return m.Names[0].Pos()
				}
			}
		}
	case *ast.ValueSpec:
		for _, n := range x.Names {
			if n.Name == s.decl && s.sub == "" {
				return n.Pos()
			}
		}
	}
	return token.NoPos
}
