package house

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/packages"
)

// everything lets a package import all of the module: it puts the parts together.
const everything = "*"

// allowed says for each package what of the module it may import besides the root and its own ancestors. A name that
// ends in /... stands for the package and all below it.
var allowed = map[string][]string{
	"config":                 {},
	"thread":                 {},
	"journal/...":            {"thread", "journal/..."},
	"router":                 {"thread"},
	"delivery":               {"thread"},
	"agent":                  {"thread", "model", "tool"},
	"quality":                {"thread", "model"},
	"model/...":              {"model/wire"},
	"tool/...":               {},
	"transport/...":          {"router", "auth"},
	"auth/...":               {},
	"client":                 {},
	"probe":                  {"client"},
	"terminal":               {"client"},
	"web":                    {},
	"node":                   {everything},
	"cmd/...":                {everything},
	"internal/world":         {everything},
	"internal/fakemodel/...": {"model", "model/scripted", "model/wire"},
	"internal/cmd/...":       {"internal/fakemodel"},
	"internal/bench":         {},
	"internal/house":         {},
	"internal/machine":       {},
	"test/crash":             {},
}

// fences says which packages may import a library: all whose paths begin so.
var fences = map[string][]string{
	"github.com/nats-io/":              {"journal/..."},
	"github.com/synadia-io/":           {"journal/..."},
	"github.com/coder/websocket":       {"transport", "client"},
	"github.com/danielgtaylor/huma/":   {"transport/rest"},
	"golang.org/x/tools/":              {"internal/house"},
	"go.yaml.in/yaml/":                 {"config"},
	"github.com/evanw/esbuild/":        {"internal/cmd/bundle"},
	"github.com/modelcontextprotocol/": {"tool/mcp"},
}

// checkImports compares what is imported with the tables, and the tables with what is imported.
func (t *Tree) checkImports(rows, fences map[string][]string) []Finding {
	var out []Finding
	used := map[[2]string]bool{} // a row alone, and a row with an entry
	for _, p := range t.pkgs {
		pkg := t.rel(p.PkgPath)
		row, known := rowOf(rows, pkg)
		used[[2]string{row}] = true
		if len(p.Syntax) == 0 { // nothing but tests
			continue
		}
		if !known && pkg != "." {
			file, line := t.place(p.Fset.Position(p.Syntax[0].Package))
			out = append(out, Finding{file, line, "package " + pkg + " is not in the table of imports (internal/house/imports.go): give it a row"})
		}
		for _, f := range p.Syntax {
			for _, spec := range f.Imports {
				path, _ := strconv.Unquote(spec.Path.Value)
				file, line := t.place(p.Fset.Position(spec.Pos()))
				out = append(out, fenced(fences, pkg, path, file, line)...)
				if path == t.module || !strings.HasPrefix(path, t.module+"/") || !known && pkg != "." {
					continue
				}
				to := t.rel(path)
				if strings.HasPrefix(pkg+"/", to+"/") {
					continue
				}
				entry, ok := entryFor(rows[row], to)
				used[[2]string{row, entry}] = true
				if !ok {
					out = append(out, Finding{file, line, fmt.Sprintf("%s may not import %s: the table (internal/house/imports.go) "+
						"allows it %v. Declare a small interface where it is used and wire it in node, or move the code", pkg, to, rows[row])})
				}
			}
		}
	}
	return append(out, t.unused(rows, fences, used)...)
}

// fenced returns a finding if a library is imported outside of the packages that may.
func fenced(fences map[string][]string, pkg, path, file string, line int) []Finding {
	for library, may := range fences {
		if path != library && !strings.HasPrefix(path, library) {
			continue
		}
		if _, ok := entryFor(may, pkg); !ok {
			return []Finding{{file, line, fmt.Sprintf("%s may not import %s: only %v may (internal/house/imports.go). "+
				"Ask for what is needed by an interface that %s implements", pkg, path, may, may[0])}}
		}
	}
	return nil
}

// unused returns the rows and entries of the tables that nothing needs. A fence stays of use when nobody is inside.
func (t *Tree) unused(rows, fences map[string][]string, used map[[2]string]bool) []Finding {
	var out []Finding
	stale := func(what string) {
		out = append(out, Finding{Text: "internal/house/imports.go: " + what + ": remove it"})
	}
	for _, row := range slices.Sorted(maps.Keys(rows)) {
		if !used[[2]string{row}] {
			stale("there is no package " + row)
			continue
		}
		for _, e := range rows[row] {
			if e != everything && !used[[2]string{row, e}] {
				stale("nothing in " + row + " imports " + e)
			}
		}
	}
	for _, library := range slices.Sorted(maps.Keys(fences)) {
		for _, e := range fences[library] {
			if !slices.ContainsFunc(t.pkgs, func(p *packages.Package) bool { return covers(e, t.rel(p.PkgPath)) }) {
				stale("there is no package " + e + ", which may import " + library)
			}
		}
	}
	return out
}

// rowOf returns the longest row that stands for a package.
func rowOf(rows map[string][]string, pkg string) (row string, ok bool) {
	for r := range rows {
		if covers(r, pkg) && len(r) > len(row) {
			row, ok = r, true
		}
	}
	return row, ok
}

func entryFor(entries []string, pkg string) (entry string, ok bool) {
	for _, e := range entries {
		if e == everything || covers(e, pkg) {
			return e, true
		}
	}
	return "", false
}

// covers reports whether a name of the tables stands for a package.
func covers(name, pkg string) bool {
	under, all := strings.CutSuffix(name, "/...")
	return pkg == under || all && strings.HasPrefix(pkg, under+"/")
}
