package config

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// decoder fills a Config from the nodes of a document and keeps all problems.
type decoder struct {
	Env
	places
	problems Problems
}

func (d *decoder) bad(kind error, key, format string, args ...any) {
	d.problems = append(d.problems, d.problem(kind, key, format, args...))
}

// badKey is a problem of a key as it is written, which has no place of its own.
func (d *decoder) badKey(k *yaml.Node, kind error, key, format string, args ...any) {
	d.problems = append(d.problems, Problem{d.file, k.Line, k.Column, key, fmt.Sprintf(format, args...), kind})
}

// below returns the key of what stands in a section.
func below(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

func (d *decoder) mark(key string, n *yaml.Node) {
	d.at[key] = place{line: n.Line, column: n.Column}
}

// decode fills v, at key, with what a node has.
func (d *decoder) decode(n *yaml.Node, v reflect.Value, key string, f field) {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch f.shape {
	case section:
		d.section(n, v, key, f)
	case entries:
		d.entries(n, v, key, f)
	case list:
		d.list(n, v, key, f)
	case table:
		d.table(n, v, key, f)
	default:
		d.mark(key, n)
		d.scalar(n, v, key, f)
	}
}

// pairs calls fn for each key of a mapping that has a name and is there once. Nothing at all is an empty mapping.
func (d *decoder) pairs(n *yaml.Node, key string, f field, fn func(name string, k, v *yaml.Node)) {
	if n.ShortTag() == "!!null" {
		return
	}
	if n.Kind != yaml.MappingNode || n.ShortTag() != "!!map" {
		d.mark(key, n)
		d.bad(ErrType, key, "must be %s", f.describe())
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode || k.ShortTag() == "!!merge" {
			d.badKey(k, ErrType, key, "a key must be a plain name")
			continue
		}
		if line, twice := seen[k.Value]; twice {
			d.badKey(k, ErrDuplicate, key, "the key %s is there twice, first in line %d", word(k.Value), line)
			continue
		}
		seen[k.Value] = k.Line
		fn(k.Value, k, v)
	}
}

// section decodes keys with a meaning.
func (d *decoder) section(n *yaml.Node, v reflect.Value, key string, f field) {
	fields := fieldsOf(f.typ, f.least)
	var names []string
	for _, one := range fields {
		names = append(names, one.key)
	}
	d.pairs(n, key, f, func(name string, k, value *yaml.Node) {
		i := slices.Index(names, name)
		if i < 0 {
			d.badKey(k, ErrUnknownKey, key, "unknown key %s%s", word(name), suggest(name, names))
			return
		}
		d.mark(below(key, name), k)
		d.decode(value, v.Field(fields[i].index), below(key, name), fields[i])
	})
	d.rules(v, key, fields)
}

// rules checks what the keys of a section demand of one another, and fills in what holds without them.
func (d *decoder) rules(v reflect.Value, key string, fields []field) {
	has := func(name string) bool { _, ok := d.at[below(key, name)]; return ok }
	value := func(name string) string {
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == name })
		return v.Field(fields[i].index).String()
	}
	for _, f := range fields {
		at := below(key, f.key)
		on, values := f.condition()
		applies := f.meets(value)
		switch {
		case has(f.key) && !applies && has(on) && value(on) != "":
			d.bad(ErrKeys, at, "is for %s %s", on, alternatives(values))
		case has(f.key) && f.with != "" && !has(f.with):
			d.bad(ErrKeys, at, "needs %s beside it", word(f.with))
		case has(f.key) && f.not != "" && has(f.not):
			d.bad(ErrKeys, at, "does not go together with %s", word(f.not))
		case !has(f.key) && f.need && applies:
			d.bad(ErrKeys, key, "lacks %s: %s", word(f.key), f.describe())
		case !has(f.key) && f.def != "" && applies && v.Field(f.index).IsZero():
			d.scalar(scalarOf(f.def), v.Field(f.index), at, f)
		}
		if len(f.one) > 0 {
			n := len(slices.DeleteFunc(slices.Clone(f.one), func(k string) bool { return !has(k) }))
			if n != 1 {
				d.bad(ErrKeys, key, "needs one of %s", alternatives(f.one))
			}
		}
	}
}

// scalarOf returns the node of a value that is written in YAML.
func scalarOf(text string) *yaml.Node {
	var n yaml.Node
	if err := yaml.Load([]byte(text), &n); err != nil {
		panic(err) // it is in a tag
	}
	return n.Content[0]
}

// entries decodes sections by names.
func (d *decoder) entries(n *yaml.Node, v reflect.Value, key string, f field) {
	one := field{shape: section, typ: f.typ}
	d.pairs(n, key, f, func(name string, k, value *yaml.Node) {
		at := below(key, name)
		if !validName(name, f.name == "tool") {
			d.badKey(k, ErrValue, key, "%s is no name: it has 1 to 64 of A-Z, a-z, 0-9, _ and -", word(name))
			return
		}
		d.mark(at, k)
		e := reflect.New(f.typ).Elem()
		e.FieldByName("Name").SetString(name)
		d.section(value, e, at, one)
		v.Set(reflect.Append(v, e))
	})
}

func validName(s string, star bool) bool {
	if star {
		if stem, ok := strings.CutSuffix(s, "*"); ok {
			return len(stem) < 64 && plain(stem)
		}
	}
	return s != "" && len(s) <= 64 && plain(s)
}

func plain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-')
	})
}

// list decodes texts. What names something is there once.
func (d *decoder) list(n *yaml.Node, v reflect.Value, key string, f field) {
	if n.ShortTag() == "!!null" {
		return
	}
	if n.Kind != yaml.SequenceNode || n.ShortTag() != "!!seq" {
		d.mark(key, n)
		d.bad(ErrType, key, "must be %s", f.describe())
		return
	}
	f.shape = text
	for i, one := range n.Content {
		at := fmt.Sprintf("%s[%d]", key, i)
		d.mark(at, one)
		e := reflect.New(v.Type().Elem()).Elem()
		d.scalar(one, e, at, f)
		for j := range v.Len() {
			if (f.ref != "" || f.enum != nil) && e.String() != "" && v.Index(j).String() == e.String() {
				d.bad(ErrDuplicate, at, "is there twice")
			}
		}
		v.Set(reflect.Append(v, e))
	}
}

// table decodes texts by names that are not ours.
func (d *decoder) table(n *yaml.Node, v reflect.Value, key string, f field) {
	one := field{shape: secret}
	d.pairs(n, key, f, func(name string, k, value *yaml.Node) {
		at := below(key, name)
		d.mark(at, value)
		e := reflect.New(v.Type().Elem()).Elem()
		d.scalar(value, e, at, one)
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
		v.SetMapIndex(reflect.ValueOf(name), e)
	})
}

// scalar decodes one value. Errors tell what it must be, never what it is: it may be a secret, or in the wrong place.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, key string, f field) {
	wrong := func() { d.bad(ErrType, key, "must be %s", f.describe()) }
	tag := n.ShortTag()
	if n.Kind != yaml.ScalarNode {
		wrong()
		return
	}
	switch f.shape {
	case truth:
		is := strings.EqualFold(n.Value, "true")
		if tag != "!!bool" || !is && !strings.EqualFold(n.Value, "false") {
			wrong()
			return
		}
		v.SetBool(is)
	case whole, number:
		if tag != "!!int" && (tag != "!!float" || f.shape == whole) {
			wrong()
			return
		}
		d.number(n, v, key, f)
	case duration:
		if s, ok := d.text(n, key, f); ok {
			t, err := time.ParseDuration(s)
			switch {
			case err != nil:
				wrong()
			case t < 0:
				d.bad(ErrValue, key, "must not be negative")
			case t < time.Duration(f.least):
				d.bad(ErrValue, key, "must be more than 0")
			}
			v.SetInt(int64(t))
		}
	default:
		s, ok := d.text(n, key, f)
		if ok && len(f.enum) > 0 && !slices.Contains(f.enum, s) {
			d.bad(ErrValue, key, "must be %s", f.describe())
			s = ""
		}
		v.SetString(s)
	}
}

func parseFloat(s string) (float64, error) { return strconv.ParseFloat(s, 64) }

// number decodes a number of JSON's notation, for YAML's others (0x10, 1_000, .inf) are read differently elsewhere.
func (d *decoder) number(n *yaml.Node, v reflect.Value, key string, f field) {
	x, err := parseFloat(n.Value)
	_, errWhole := strconv.ParseInt(n.Value, 10, v.Type().Bits())
	plain := !strings.ContainsAny(n.Value, "_xXoObBpP") && !strings.HasPrefix(n.Value, "0") || n.Value == "0" || strings.HasPrefix(n.Value, "0.")
	switch {
	case err != nil, math.IsInf(x, 0), math.IsNaN(x), !plain, f.shape == whole && errWhole != nil:
		d.bad(ErrType, key, "must be %s", f.describe())
	case x < f.least && f.least == 0:
		d.bad(ErrValue, key, "must not be negative")
	case x < f.least:
		d.bad(ErrValue, key, "must be at least %v", f.least)
	case f.most > 0 && x > f.most:
		d.bad(ErrValue, key, "must be at most %.0f", f.most)
	case f.shape == whole:
		i, _ := strconv.ParseInt(n.Value, 10, 64)
		v.SetInt(i)
	default:
		v.SetFloat(x)
	}
}

// text returns a text with its variables filled in.
func (d *decoder) text(n *yaml.Node, key string, f field) (s string, ok bool) {
	if tag := n.ShortTag(); tag != "!!str" {
		hint := ""
		if f.shape != duration && tag != "!!null" {
			hint = "; put quotes around it"
		}
		d.bad(ErrType, key, "must be %s%s", f.describe(), hint)
		return "", false
	}
	s, outside, err := expand(n.Value, d.Lookup)
	p := d.at[key]
	p.outside = outside
	if d.at[key] != p {
		d.at[key] = p
	}
	if err != nil {
		d.bad(ErrVariable, key, "%v", err)
		return "", false
	}
	return s, true
}
