package ssot

import (
	"fmt"
	"go/ast"
	"path/filepath"
	"strconv"
	"strings"
)

// everything lets a package import all of the module: it puts the parts together.
const everything = "*"

// Crossing is an import within the module, or a package, as the table of imports judges it.
type Crossing struct {
	Place Place
	Row   string // the row for the package; "" if it has none
	Entry string // what of the row allows the import; "" if nothing does, or if there is no import
	Wrong string // what is wrong with it; "" if nothing is
}

// imported compares a file's imports with the table.
func (u *unit) imported(f *ast.File) {
	rows := u.config.Packages
	if len(rows) == 0 {
		return
	}
	at := u.pass.Fset.Position(f.Package)
	here := Place{Package: u.rel, File: base(at.Filename), Line: at.Line}
	row, known := rowOf(rows, u.rel)
	if !known && u.rel != "." {
		if len(u.result.Crossings) > 0 {
			return // once is enough
		}
		u.crossing(f.Name, Crossing{Place: here, Wrong: fmt.Sprintf("package %s has no row in the table of imports (%s:%d): give it one", u.rel, u.config.file, rows[0].Name.Line)})
		return
	}
	u.result.Crossings = append(u.result.Crossings, Crossing{Place: here, Row: row.Name.Text})
	for _, spec := range f.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		to := u.config.module.rel(path)
		if to == path || to == "." || strings.HasPrefix(u.rel+"/", to+"/") {
			continue
		}
		c := Crossing{Place: here, Row: row.Name.Text}
		c.Place.Line = u.pass.Fset.Position(spec.Pos()).Line
		for _, e := range row.Imports {
			if c.Entry == "" && (e.Text == everything || covers(e.Text, to)) {
				c.Entry = e.Text
			}
		}
		if c.Entry == "" {
			c.Wrong = fmt.Sprintf("%s may not import %s: the table (%s:%d) allows it %v. Declare a small interface where it is used, "+
				"or move the code", u.rel, to, u.config.file, max(row.Name.Line, rows[0].Name.Line), row.Imports)
		}
		u.crossing(spec, c)
	}
}

func (u *unit) crossing(n ast.Node, c Crossing) {
	u.result.Crossings = append(u.result.Crossings, c)
	if c.Wrong != "" {
		u.pass.Reportf(n.Pos(), "%s", c.Wrong)
	}
}

// rowOf returns the longest row that stands for a package.
func rowOf(rows []Package, pkg string) (row Package, ok bool) {
	for _, r := range rows {
		if covers(r.Name.Text, pkg) && (!ok || len(r.Name.Text) > len(row.Name.Text)) {
			row, ok = r, true
		}
	}
	return row, ok
}

func base(file string) string { return filepath.Base(file) }
