package ssot

import (
	"errors"
	"go/ast"
	"go/types"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"

	"golang.org/x/tools/go/analysis"
)

// Analyzer returns the analyzer. With a configuration it looks at that module alone; with none, each package is looked at
// by the file of its own module, and packages of modules without one are left alone.
//
// Its diagnostics are the findings that can be seen from one package and what it imports. What needs the whole module is
// found by Whole, from the results.
func Analyzer(given *Config) *analysis.Analyzer {
	known := &configs{given: given, read: map[string]*Config{}}
	return &analysis.Analyzer{
		Name: "ssot",
		Doc: "find second implementations of what has one owner\n\n" +
			"The file ssot.yaml beside go.mod names the owners and the rules.",
		URL:        "https://github.com/netra-systems/switchboard/blob/main/docs/SSOT.md",
		FactTypes:  []analysis.Fact{new(Seen)},
		ResultType: reflect.TypeFor[*Result](),
		Run: func(pass *analysis.Pass) (any, error) {
			c, err := known.of(pass)
			if err != nil || c == nil {
				return new(Result), err
			}
			u := newUnit(pass, c)
			u.scan()
			u.join()
			return u.result, nil
		},
	}
}

// configs keeps the files that were read, by the folder of their module.
type configs struct {
	given *Config

	mu   sync.Mutex
	read map[string]*Config // guarded by mu; nil for a module that has no file
}

// of returns the configuration for a package; nil if it has none.
func (k *configs) of(pass *analysis.Pass) (*Config, error) {
	if pass.Pkg == nil || !slices.ContainsFunc(pass.Files, func(f *ast.File) bool { return !isTest(pass.Fset.File(f.FileStart).Name()) }) {
		return nil, nil
	}
	if k.given != nil {
		if _, ok := within(k.given.module.Path, pass.Pkg.Path()); !ok {
			return nil, nil
		}
		return k.given, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, f := range pass.Files { // a file may lie elsewhere, if an overlay puts it there
		dir := filepath.Dir(pass.Fset.File(f.FileStart).Name())
		if c, ok := k.read[dir]; ok {
			return c, nil
		}
		file, m, err := Find(dir)
		if err != nil || m.Path == "" {
			continue
		}
		if _, ok := within(m.Path, pass.Pkg.Path()); !ok {
			continue
		}
		var c *Config
		if file != "" {
			c, err = Load(file, m)
		}
		if bad := (*ConfigError)(nil); errors.As(err, &bad) {
			pass.Reportf(f.Package, "%v", bad)
			err = nil
		}
		k.read[dir] = c
		return c, err
	}
	return nil, nil
}

func isTest(file string) bool { return strings.HasSuffix(file, "_test.go") }

// within returns a package's path below a module's.
func within(module, pkg string) (below string, ok bool) {
	if pkg == module {
		return "", true
	}
	return strings.CutPrefix(pkg, module+"/")
}

// Result is what was found in one package.
type Result struct {
	Sites  []Site  // in the order of the files
	Shapes []Shape // what can be judged only by a package that sees more
	Ports  []Shape // what that is held against, as far as this package sees it
	Lone   []Named // constants of key types that are declared here

	Crossings []Crossing // imports within the module, as the table of imports judges them
}

// Site is a place that a rule is about.
type Site struct {
	Rule  int // index into the rules of the configuration
	Place Place
	What  string
	Key   string // of rules about what is there once
	Right bool   // whether it is in the owner or in what is allowed also
}

// Named is a constant that must be registered.
type Named struct {
	Rule  int
	Place Place
	Key   string
}

// unit is one package, and what the rules find in it.
type unit struct {
	pass   *analysis.Pass
	config *Config
	rules  []rule
	rel    string                    // the package's folder below the module's
	seen   map[string]*types.Package // by path: the package and all that it imports, directly or not
	result *Result
	looks  []look // of the rules; nil for those that cannot find anything here
	at     int    // the rule that is being prepared, or looks
}

func newUnit(pass *analysis.Pass, c *Config) *unit {
	u := &unit{
		pass: pass, config: c, rules: c.rules(), rel: c.module.rel(pass.Pkg.Path()),
		seen: map[string]*types.Package{}, result: new(Result),
	}
	u.visit(pass.Pkg)
	return u
}

func (u *unit) visit(p *types.Package) {
	if u.seen[p.Path()] != nil {
		return
	}
	u.seen[p.Path()] = p
	for _, i := range p.Imports() {
		u.visit(i)
	}
}

// ignored reports whether the package is not looked at.
func (u *unit) ignored() bool {
	for _, n := range u.config.Ignore {
		if covers(n.Text, u.rel) {
			return true
		}
	}
	return false
}

// scan lets each rule look at each node of what is not a test.
func (u *unit) scan() {
	if u.ignored() {
		return
	}
	u.looks = make([]look, len(u.rules))
	for i, r := range u.rules {
		u.at = i
		u.looks[i] = r.finder.in(u)
	}
	for _, f := range u.pass.Files {
		name := u.pass.Fset.File(f.FileStart).Name()
		if isTest(name) || filepath.Ext(name) != ".go" {
			continue
		}
		u.imported(f)
		var around []ast.Node
		ast.Inspect(f, func(n ast.Node) bool {
			if n == nil {
				around = around[:len(around)-1]
				return true
			}
			for i, l := range u.looks {
				if u.at = i; l != nil {
					u.keep(i, node{n, around}, l(node{n, around}))
				}
			}
			around = append(around, n)
			return true
		})
	}
}

// keep notes what a rule found at a node, and reports it if it is not where it should be.
func (u *unit) keep(i int, n node, found []sighting) {
	for _, s := range found {
		r := u.rules[i]
		site := Site{Rule: i, Place: u.place(n, s.pos), What: s.what, Key: s.key}
		site.Right = u.config.right(r.concept, site.Place)
		u.result.Sites = append(u.result.Sites, site)
		if !r.once() && !site.Right {
			u.pass.Reportf(s.pos, "%s", u.config.second(r, site))
		}
	}
}

// right reports whether a place is where a concept may be.
func (c *Config) right(k *Concept, p Place) bool {
	if c.symbol(k.Owner).holds(p) {
		return true
	}
	for _, a := range k.Also {
		if c.symbol(a).holds(p) {
			return true
		}
	}
	return false
}

// symbol takes a name apart, with its package below the module's folder if it is of the module.
func (c *Config) symbol(n Name) symbol {
	s := n.symbol()
	s.pkg = c.module.rel(s.pkg)
	return s
}

// rules returns the rules of all concepts.
func (c *Config) rules() []rule {
	var out []rule
	for i := range c.Concepts {
		out = append(out, c.Concepts[i].rules()...)
	}
	return out
}
