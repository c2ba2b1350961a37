package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// The bounds of what is read, in bytes.
const (
	maxFile   = 1 << 20
	maxSecret = 64 << 10 // of a file that holds a key
)

// Env is what a file may draw on and refer to.
type Env struct {
	// Lookup returns a variable, such as os.LookupEnv does. Nil: none is set.
	Lookup func(name string) (value string, set bool)
	// Tools are the tools that come along, and whether each is there when the file says nothing of it.
	Tools map[string]bool
}

// Load reads a file. Errors: Problems; or *fs.PathError, if the file cannot be read.
func Load(path string, e Env) (*Config, error) {
	b, err := readFile(path, maxFile)
	if err != nil {
		return nil, err
	}
	return Parse(path, b, e)
}

// Parse reads the text of a file. Its name stands in errors, and files that it names are seen from its folder. Errors:
// Problems.
func Parse(name string, text []byte, e Env) (*Config, error) {
	d := &decoder{Env: e, places: places{file: name, at: map[string]place{}}}
	if d.Lookup == nil {
		d.Lookup = func(string) (string, bool) { return "", false }
	}
	root, err := d.parse(text)
	if err != nil {
		return nil, err
	}
	c := Default()
	d.decode(root, reflect.ValueOf(c).Elem(), "", field{shape: section, typ: reflect.TypeFor[Config]()})
	c.places = d.places
	d.keys(c)
	d.check(c)
	if err := d.problems.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// errNoFile is what is wrong with a folder, a pipe or a device: they cannot be read twice, or to an end.
var errNoFile = errors.New("not a regular file")

// readFile reads a file of at most so many bytes, and one more of a longer one. Errors: *fs.PathError.
func readFile(path string, most int64) ([]byte, error) {
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: errNoFile}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most+1))
}

// parse returns the top of the one document of a file.
func (d *decoder) parse(text []byte) (*yaml.Node, error) {
	fail := func(kind error, line, column int, format string, args ...any) (*yaml.Node, error) {
		return nil, Problems{{File: d.file, Line: line, Column: column, Kind: kind, Message: fmt.Sprintf(format, args...)}}
	}
	if len(text) > maxFile {
		return fail(ErrTooLarge, 0, 0, "is larger than 1 MiB")
	}
	if i := badUTF8(text); i >= 0 {
		before := text[:i]
		line := bytes.Count(before, []byte("\n")) + 1
		return fail(ErrEncoding, line, utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])+1, "is not UTF-8")
	}
	docs := []yaml.Node{}
	if err := yaml.Load(text, &docs, yaml.WithAllDocuments()); err != nil {
		var at *yaml.LoadError
		if !errors.As(err, &at) {
			return fail(ErrSyntax, 0, 0, "is not YAML")
		}
		return fail(ErrSyntax, at.Mark.Line, at.Mark.Column, "is not YAML: %s", at.Message)
	}
	if len(docs) == 0 {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}, nil
	}
	if len(docs) > 1 {
		return fail(ErrSyntax, docs[1].Line, docs[1].Column, "has more than one document")
	}
	if n := anchored(&docs[0]); n != nil {
		return fail(ErrAlias, n.Line, n.Column, "anchors (&), aliases (*) and merges (<<) are not read")
	}
	return docs[0].Content[0], nil
}

// badUTF8 returns where a text stops being UTF-8, or -1.
func badUTF8(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
	return -1
}

// anchored returns the first node that is an anchor or an alias: a few of them can stand for gigabytes.
func anchored(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode || n.Anchor != "" || n.ShortTag() == "!!merge" {
		return n
	}
	for _, c := range n.Content {
		if found := anchored(c); found != nil {
			return found
		}
	}
	return nil
}

// keys reads the keys that are in files of their own.
func (d *decoder) keys(c *Config) {
	for i := range c.Models {
		m := &c.Models[i]
		if m.APIKeyFile == "" {
			continue
		}
		key := below(below("models", m.Name), "api_key_file")
		path := m.APIKeyFile
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(d.file), path)
		}
		b, err := readFile(path, maxSecret)
		switch {
		case errors.Is(err, os.ErrNotExist):
			d.bad(ErrVariable, key, "there is no such file")
		case err != nil:
			d.bad(ErrVariable, key, "the file cannot be read")
		case len(b) > maxSecret:
			d.bad(ErrVariable, key, "the file is too large for a key")
		case len(bytes.TrimSpace(b)) == 0:
			d.bad(ErrVariable, key, "the file is empty")
		default:
			m.APIKey = Secret(bytes.TrimSpace(b))
		}
	}
}

// expand fills the variables of a text in: ${NAME}, or ${NAME:-TEXT} with what holds if it is not set or empty, and $$
// for a dollar. What is filled in is not looked at again. An error names variables, never their values.
func expand(s string, lookup func(string) (string, bool)) (out string, outside bool, err error) {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 || i+1 == len(s) {
			b.WriteString(s)
			return b.String(), outside, nil
		}
		b.WriteString(s[:i])
		next := s[i+1]
		s = s[i+2:]
		switch next {
		case '$':
			b.WriteByte('$')
		case '{':
			inner, rest, closed := strings.Cut(s, "}")
			name, fallback, has := strings.Cut(inner, ":-")
			if !closed || !isVariable(name) {
				return "", outside, errors.New("a variable is written ${NAME} or ${NAME:-TEXT}, and a dollar $$")
			}
			outside = true
			value, set := lookup(name)
			switch {
			case has && value == "":
				value = fallback
			case !set:
				return "", outside, fmt.Errorf("the variable %s is not set", name)
			}
			b.WriteString(value)
			s = rest
		default:
			b.WriteByte('$')
			b.WriteByte(next)
		}
	}
}

func isVariable(s string) bool {
	return s != "" && len(s) <= 128 && !(s[0] >= '0' && s[0] <= '9') && plain(s) && !strings.Contains(s, "-")
}
