package ssot

import (
	"path"
	"regexp"
	"strings"
)

// Name is a string of the file with its line there: most often the name of a place.
//
// A package is its folder below the module's, "." for the root, or an import path. What it declares follows after a dot:
// router.Router, router.Router.Route, .Root; quotes say where a path with dots ends: "github.com/nats-io/nats.go".Conn.
// A name that ends in .go is a file.
type Name struct {
	Text string
	Line int
}

// String returns the name as it is in the file.
func (n Name) String() string { return n.Text }

// symbol is a name taken apart. All of it but pkg may be empty.
type symbol struct {
	pkg  string // folder below the module's, or import path
	file string // base name
	decl string // type, function, variable or constant
	sub  string // method of the type
}

// versioned is the last element of a path of gopkg.in, the only ones that have a dot as a matter of course.
var versioned = regexp.MustCompile(`^[^.]+\.v[0-9]+`)

// symbol takes a name apart.
func (n Name) symbol() symbol {
	text := strings.TrimSpace(n.Text)
	if quoted, ok := strings.CutPrefix(text, `"`); ok {
		pkg, decl, _ := strings.Cut(quoted, `"`)
		return declared(pkg, strings.TrimPrefix(decl, "."))
	}
	dir, last := path.Split(text)
	if strings.HasSuffix(last, ".go") && !strings.Contains(strings.TrimSuffix(last, ".go"), ".") {
		return symbol{pkg: path.Clean("./" + dir), file: last}
	}
	if text == "." || last == "..." || last == "" {
		return symbol{pkg: text}
	}
	name, _, _ := strings.Cut(last, ".")
	if v := versioned.FindString(last); v != "" && strings.HasPrefix(dir, "gopkg.in/") {
		name = v
	}
	pkg := dir + name
	if pkg == "" {
		pkg = "."
	}
	return declared(pkg, strings.TrimPrefix(strings.TrimPrefix(last, name), "."))
}

func declared(pkg, decl string) symbol {
	decl, sub, _ := strings.Cut(strings.NewReplacer("(", "", ")", "", "*", "").Replace(decl), ".")
	return symbol{pkg: pkg, decl: decl, sub: sub}
}

// isPackage reports whether the name stands for whole packages.
func (s symbol) isPackage() bool { return s.file == "" && s.decl == "" }

// isFile reports whether the name stands for a file.
func (s symbol) isFile() bool { return s.file != "" }

// holds reports whether a place is at, or in, what the name stands for.
func (s symbol) holds(p Place) bool {
	switch {
	case s.isPackage():
		return covers(s.pkg, p.Package)
	case s.isFile():
		return s.pkg == p.Package && s.file == p.File
	case s.sub != "":
		return s.pkg == p.Package && s.decl == p.Type && s.sub == p.Name
	}
	return s.pkg == p.Package && (s.decl == p.Type || s.decl == p.Name && p.Type == "")
}

// covers reports whether a name, which may end in /..., stands for a package.
func covers(name, pkg string) bool {
	under, all := strings.CutSuffix(name, "/...")
	return pkg == under || all && (strings.HasPrefix(pkg, under+"/") || under == ".") || name == "..."
}
