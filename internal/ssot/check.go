package ssot

import (
	"fmt"
	"go/build"
	"os"
	"path/filepath"
)

// mention is a name of the file that must stand for something.
type mention struct {
	concept string // "" outside of concepts
	name    Name
}

// mentions returns all names that stand for places.
func (c *Config) mentions() []mention {
	var out []mention
	add := func(concept string, names ...Name) {
		for _, n := range names {
			if n.Text != "" {
				out = append(out, mention{concept, n})
			}
		}
	}
	add("", c.Ignore...)
	for _, p := range c.Packages {
		add("", p.Name)
	}
	for _, k := range c.Concepts {
		name := k.Name.Text
		add(name, k.Owner)
		add(name, k.Also...)
		for _, r := range k.Roles {
			add(name, r.Implements)
		}
		add(name, k.Calls...)
		add(name, k.Makes...)
		add(name, k.Tables...)
		if k.Passes != nil {
			add(name, k.Passes.Types...)
			add(name, k.Passes.To...)
		}
		if k.Beside != nil {
			add(name, k.Beside.Constants)
		}
		if k.Registers != nil {
			add(name, k.Registers.Keys)
			for _, r := range k.Registers.Calls {
				add(name, r.To)
			}
		}
		if k.Emitters != nil {
			add(name, k.Emitters.Of)
		}
		if k.Keeps != nil {
			add(name, k.Keeps.Types...)
		}
	}
	return out
}

// Check finds names of the module that stand for nothing. It needs no types, so that it is done before anything is
// analysed, and by every run of go vet.
func (c *Config) Check() []Finding {
	var out []Finding
	for _, m := range c.mentions() {
		s := c.symbol(m.name)
		if !c.module.own(s.pkg) {
			continue
		}
		if _, ok := c.module.locate(s); !ok {
			out = append(out, c.missing(m, c.why(s)))
		}
	}
	return out
}

func (c *Config) why(s symbol) string {
	if !c.module.has(s.pkg) {
		return "there is no package " + s.pkg
	}
	if s.isFile() {
		return "there is no such file"
	}
	if s.sub != "" {
		if _, ok := c.module.locate(symbol{pkg: s.pkg, decl: s.decl}); ok {
			return s.decl + " declares no method " + s.sub
		}
	}
	return "package " + s.pkg + " declares no " + s.decl
}

func (c *Config) missing(m mention, why string) Finding {
	what := m.name.Text
	if m.concept != "" {
		what = m.concept + ": " + what
	}
	return c.useless(m.concept, m.name.Line, fmt.Sprintf("%s stands for nothing: %s. Correct the name or remove it", what, why))
}

// useless is a finding about the file itself.
func (c *Config) useless(concept string, line int, text string) Finding {
	return Finding{File: c.file, Line: line, Concept: concept, Rule: "config", Text: text}
}

// standard reports whether a path is of the standard library; of a Go that cannot be found, every path is.
func standard(pkg string) bool {
	root := build.Default.GOROOT
	if root == "" {
		return true
	}
	_, err := os.Stat(filepath.Join(root, "src", filepath.FromSlash(pkg)))
	return err == nil
}
