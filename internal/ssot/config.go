package ssot

import "go/token"

// FileName is the name of the file, which is beside go.mod.
const FileName = "ssot.yaml"

// Config is what a ssot.yaml says. It is read only once made, by Load.
type Config struct {
	Ignore   []Name    `yaml:"ignore" doc:"Packages that are not looked at, such as test worlds: a folder, or folder/... with all below it. Files that end in _test.go never are."`
	Packages []Package `yaml:"packages" doc:"Who of the module may import whom. If it is there, every package has a row, and the longest that fits counts."`
	Concepts []Concept `yaml:"concepts" doc:"The things there is one of."`

	file   string // as it is shown in findings: below the module's folder if it is in it
	module Module
}

// Package is a row of the table of imports.
type Package struct {
	Name    Name   `yaml:"name" doc:"The package: a folder, or folder/... with all below it."`
	Imports []Name `yaml:"imports" doc:"What of the module it may import, besides the root and the packages above it: folders, folder/..., or * for everything."`
}

// Concept is a thing there is one of.
type Concept struct {
	Name    Name   `yaml:"name" doc:"What it is called in findings."`
	Owner   Name   `yaml:"owner" doc:"The one place: a type, function, method, variable, constant, file or package."`
	Also    []Name `yaml:"also" doc:"Other places where the rules of this concept may find something. One where none does is a finding."`
	Instead string `yaml:"instead" doc:"What to do instead of writing a second one. It ends every finding."`

	Roles     []Role     `yaml:"roles" doc:"What plays the owner's role. Any one of the list makes a second one."`
	Calls     []Name     `yaml:"calls" doc:"Functions and methods that only the owner calls or takes as a value: directly, by an interface of the module, or, if a type of the list is an interface, on what implements it."`
	Makes     []Name     `yaml:"makes" doc:"Types whose values only the owner makes: by a literal that is not empty, by & of one that is returned, or by new."`
	Strings   []Name     `yaml:"strings" doc:"Beginnings of string constants that only the owner writes."`
	Passes    *Passes    `yaml:"passes" doc:"Types whose values only the owner gives to certain functions, such as a codec's."`
	Tables    []Name     `yaml:"tables" doc:"Types that are keys of maps only in the owner."`
	Beside    *Beside    `yaml:"beside" doc:"Constants that stand beside certain others only in the owner: a table in disguise."`
	Imports   []Name     `yaml:"imports" doc:"Import paths, or beginnings that end in /, that only the owner imports."`
	Registers *Registers `yaml:"registers" doc:"Keys that are registered once each."`
	Emitters  *Emitters  `yaml:"emitters" doc:"Types that are made in one place each."`
	Keeps     *Keeps     `yaml:"keeps" doc:"What only the owner keeps in shared memory."`
}

// Role says by what a second declaration is known. All that it names must be so.
type Role struct {
	Named      Name `yaml:"named" doc:"A regular expression (RE2) on the declared name: of types that are not interfaces, or of functions if the owner is a function."`
	Method     Name `yaml:"method" doc:"A method that the type declares: a name, or a shape such as Route(context.Context, []byte) error. Types in it are written with their package's import path or folder."`
	Implements Name `yaml:"implements" doc:"An interface that the type implements."`
	Signature  Name `yaml:"signature" doc:"The shape of the function, if the owner is one: func(context.Context, string) error."`
}

// Passes says what is given to whom.
type Passes struct {
	Types []Name `yaml:"types" doc:"Types, also behind pointers and in slices."`
	To    []Name `yaml:"to" doc:"Functions, methods, or packages with all of theirs."`
}

// Beside says which constants must not meet.
type Beside struct {
	Constants Name   `yaml:"constants" doc:"The type of the constants."`
	With      []Name `yaml:"with" doc:"What they stand beside: constants such as net/http.Status* or integers such as 400-599."`
}

// Registers says what is registered, and where.
type Registers struct {
	Keys  Name   `yaml:"keys" doc:"The type of the keys. Each constant of it is a key once, in the map literals of the owner and of also, and where something is put into a map that is a field or package variable, anywhere. Left out if keys are given to calls alone."`
	Calls []Call `yaml:"calls" doc:"Functions that register, anywhere."`
	Every bool   `yaml:"every" doc:"Whether each constant of the type must be registered. Seen by the whole-module run alone."`
}

// Call is a function that registers.
type Call struct {
	To  Name `yaml:"to" doc:"The function or method."`
	Arg int  `yaml:"arg" doc:"Which argument is the key, from 0. Only constants count."`
}

// Emitters says which types are made in one place each.
type Emitters struct {
	Of Name `yaml:"of" doc:"An interface: each type that implements it is made by one function alone. What the owner and also make does not count."`
	In Name `yaml:"in" doc:"function, which is meant without it, or package: how large the one place is."`
}

// Keeps says what outlives a call.
type Keeps struct {
	Types []Name `yaml:"types" doc:"Types that are not the type of a package variable and not assigned to a field of something shared."`
	Named Name   `yaml:"named" doc:"A regular expression (RE2) on names of package variables and fields, if the types are plain strings."`
}

// rule is one rule of a concept.
type rule struct {
	concept *Concept
	kind    string // its key in the file
	line    int
	finder  finder
}

// finder looks for the places that a rule is about.
type finder interface {
	// in returns what looks at each node of a unit, or nil if the unit cannot hold such a place.
	in(u *unit) look
}

// look returns what is found at a node, whose parents are given from the file inwards.
type look func(n node) []sighting

// sighting is something that a rule is about.
type sighting struct {
	pos  token.Pos
	what string // "type hub has a method Broadcast"
	key  string // of what is there once each
}

// rules returns the rules of a concept in the order of its fields.
func (c *Concept) rules() []rule {
	var out []rule
	add := func(kind string, line int, f finder) { out = append(out, rule{c, kind, line, f}) }
	for i := range c.Roles {
		add("roles", c.Roles[i].line(), &c.Roles[i])
	}
	if len(c.Calls) > 0 {
		add("calls", c.Calls[0].Line, calls(c.Calls))
	}
	if len(c.Makes) > 0 {
		add("makes", c.Makes[0].Line, makes(c.Makes))
	}
	if len(c.Strings) > 0 {
		add("strings", c.Strings[0].Line, literals(c.Strings))
	}
	if c.Passes != nil && len(c.Passes.Types) > 0 {
		add("passes", c.Passes.Types[0].Line, c.Passes)
	}
	if len(c.Tables) > 0 {
		add("tables", c.Tables[0].Line, tables(c.Tables))
	}
	if c.Beside != nil {
		add("beside", c.Beside.Constants.Line, c.Beside)
	}
	if len(c.Imports) > 0 {
		add("imports", c.Imports[0].Line, imports(c.Imports))
	}
	if c.Registers != nil {
		add("registers", c.Registers.line(), registers{c, c.Registers})
	}
	if c.Emitters != nil {
		add("emitters", c.Emitters.Of.Line, c.Emitters)
	}
	if c.Keeps != nil {
		add("keeps", c.Keeps.line(), c.Keeps)
	}
	return out
}

// once reports whether the rule is about keys that are there once each, instead of about places.
func (r rule) once() bool { return r.kind == "registers" || r.kind == "emitters" }

func (r *Role) line() int {
	return firstLine(r.Named, r.Method, r.Implements, r.Signature)
}

func (r *Registers) line() int {
	if len(r.Calls) > 0 {
		return firstLine(r.Keys, r.Calls[0].To)
	}
	return r.Keys.Line
}

func (k *Keeps) line() int { return firstLine(append([]Name{k.Named}, k.Types...)...) }

func firstLine(names ...Name) int {
	line := 0
	for _, n := range names {
		if n.Line > 0 && (line == 0 || n.Line < line) {
			line = n.Line
		}
	}
	return line
}
