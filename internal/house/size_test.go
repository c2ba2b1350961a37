package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The most lines that a file and a function may have. Files of tests are not held to it.
const (
	fileLines     = 500
	functionLines = 80
)

// source is a Go file that is not a test.
type source struct {
	path      string         // below the module's folder
	lines     int            // of the file
	functions map[string]int // lines by name: router.(*Router).Route
	inits     int            // init functions
}

// sources parses the module.
func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules"):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		f, err := read(path, nil)
		out = append(out, f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// read parses a file, or the text that is given for it.
func read(path string, text any) (source, error) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, path, text, parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	rel, err := filepath.Rel(root, path)
	if err != nil {
		return source{}, err
	}
	out := source{path: filepath.ToSlash(rel), lines: fset.File(tree.FileStart).LineCount(), functions: map[string]int{}}
	for _, d := range tree.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			name := filepath.ToSlash(filepath.Dir(rel)) + "." + receiver(f) + f.Name.Name
			if f.Recv == nil && f.Name.Name == "init" {
				out.inits++
			}
			out.functions[name] = fset.Position(f.End()).Line - fset.Position(f.Pos()).Line + 1
		}
	}
	return out, nil
}

// receiver writes a method's receiver as in (*device).write, with the dot.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return ""
	}
	typ := d.Recv.List[0].Type
	star, isPointer := typ.(*ast.StarExpr)
	if isPointer {
		typ = star.X
	}
	if x, ok := typ.(*ast.IndexExpr); ok {
		typ = x.X
	}
	id, ok := typ.(*ast.Ident)
	switch {
	case !ok:
		return ""
	case isPointer:
		return "(*" + id.Name + ")."
	}
	return id.Name + "."
}

// oversized returns what of a file is too much: the file itself, its functions, and init functions however short.
func oversized(f source) []string {
	var out []string
	if f.lines > fileLines {
		out = append(out, f.path)
	}
	for name, lines := range f.functions {
		if lines > functionLines {
			out = append(out, name)
		}
	}
	if f.inits > 0 {
		out = append(out, "init")
	}
	return out
}

// TestSizes: files and functions have one room each, and nothing runs before main.
func TestSizes(t *testing.T) {
	for _, f := range sources(t) {
		for _, what := range oversized(f) {
			t.Errorf("%s: at most %d lines a file and %d a function are wanted, and no init: %s", f.path, fileLines, functionLines, what)
		}
	}
	planted, err := read(root+"/router/planted.go", "package router\nfunc init() {}\nfunc (*Router) long() {"+strings.Repeat("\n", functionLines)+"}"+strings.Repeat("\n", fileLines))
	if err != nil {
		t.Fatal(err)
	}
	if got := oversized(planted); len(got) != 3 {
		t.Errorf("of a long file with a long function and an init, only %v is found", got)
	}
}
