package ssot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// ConfigError is what is wrong with a file, so that nothing can be checked by it: a line each.
type ConfigError struct {
	File  string
	Lines []string // with their line numbers
}

// Error implements error.
func (e *ConfigError) Error() string {
	return e.File + ":" + strings.Join(e.Lines, "\n"+e.File+":")
}

// Load reads a file for a module. All errors of its content are told at once, as a *ConfigError; any other error is one
// of reading.
func Load(file string, m Module) (*Config, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	c := &Config{file: m.show(file), module: m}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		var bad *yaml.LoadErrors
		line := 1
		if errors.As(err, &bad) && len(bad.Errors) > 0 {
			line = max(1, bad.Errors[0].Mark.Line)
		}
		return nil, &ConfigError{c.file, []string{fmt.Sprintf("%d: %s", line, strings.ReplaceAll(err.Error(), "\n", " "))}}
	}
	var r reader
	if len(doc.Content) > 0 {
		r.read(doc.Content[0], c)
	}
	if len(r.wrong) == 0 {
		r.check(c)
	}
	if len(r.wrong) > 0 {
		return nil, &ConfigError{c.file, r.wrong}
	}
	return c, nil
}

// check finds what is written as it should be and still says nothing.
func (r *reader) check(c *Config) {
	seen := map[string]int{}
	for i := range c.Concepts {
		k := &c.Concepts[i]
		switch line := k.Name.Line; {
		case k.Name.Text == "":
			r.fail(max(1, k.Owner.Line), "a concept needs a name")
		case seen[k.Name.Text] > 0:
			r.fail(line, "concept %s is there twice: line %d has it too", k.Name, seen[k.Name.Text])
		case k.Owner.Text == "":
			r.fail(line, "concept %s needs an owner", k.Name)
		case k.Instead == "":
			r.fail(line, "concept %s does not say what to do instead", k.Name)
		case len(k.rules()) == 0:
			r.fail(line, "concept %s has no rule: add roles, calls, makes, strings, passes, tables, beside, imports, registers, emitters or keeps", k.Name)
		}
		seen[k.Name.Text] = k.Name.Line
		for _, role := range k.Roles {
			r.pattern(role.Named)
			if role == (Role{}) {
				r.fail(k.Name.Line, "a role of concept %s names nothing", k.Name)
			}
		}
		if k.Emitters != nil && !slices.Contains([]string{"", "function", "package"}, k.Emitters.In.Text) {
			r.fail(k.Emitters.In.Line, "emitters are in a function or a package, not in a %s", k.Emitters.In)
		}
		if k.Keeps != nil {
			r.pattern(k.Keeps.Named)
		}
		if k.Beside != nil {
			for _, w := range k.Beside.With {
				if !strings.Contains(w.Text, ".") && !interval.MatchString(w.Text) {
					r.fail(w.Line, "%s is neither a constant of a package nor an interval of integers", w)
				}
			}
		}
	}
}

func (r *reader) pattern(n Name) {
	if _, err := regexp.Compile(n.Text); err != nil {
		r.fail(n.Line, "not a regular expression: %v", err)
	}
}

var interval = regexp.MustCompile(`^(\d+)(?:-(\d+))?$`)

// bounds returns an interval's ends; the second is the first if there is one alone.
func bounds(s string) (from, to int64, ok bool) {
	m := interval.FindStringSubmatch(s)
	if m == nil {
		return 0, 0, false
	}
	from, _ = strconv.ParseInt(m[1], 10, 64)
	if to = from; m[2] != "" {
		to, _ = strconv.ParseInt(m[2], 10, 64)
	}
	return from, to, true
}

// Find looks for the file beside the go.mod that is next above a folder. Without a file, or without a go.mod, it returns
// "" and no error.
func Find(dir string) (file string, m Module, err error) {
	m, err = FindModule(dir)
	if err != nil || m.Dir == "" {
		return "", m, err
	}
	file = filepath.Join(m.Dir, FileName)
	if _, err := os.Stat(file); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return "", m, nil
		}
		return "", m, err
	}
	return file, m, nil
}
