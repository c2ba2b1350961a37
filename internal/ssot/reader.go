package ssot

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// reader fills structs from a document, and collects what does not fit with its line.
type reader struct{ wrong []string }

func (r *reader) fail(line int, format string, args ...any) {
	r.wrong = append(r.wrong, strconv.Itoa(line)+": "+fmt.Sprintf(format, args...))
}

// read fills what a pointer points to.
func (r *reader) read(n *yaml.Node, into any) { r.value(n, reflect.ValueOf(into).Elem(), "the file") }

func (r *reader) value(n *yaml.Node, v reflect.Value, what string) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if name, ok := v.Addr().Interface().(*Name); ok {
		if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
			r.fail(n.Line, "%s must be a string", what)
			return
		}
		*name = Name{Text: n.Value, Line: n.Line}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		r.value(n, v.Elem(), what)
	case reflect.Struct:
		r.fields(n, v, what)
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			r.fail(n.Line, "%s must be a list", what)
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
		for i, item := range n.Content {
			r.value(item, v.Index(i), what)
		}
	default:
		r.scalar(n, v, what)
	}
}

func (r *reader) scalar(n *yaml.Node, v reflect.Value, what string) {
	var err error
	switch v.Kind() {
	case reflect.String:
		v.SetString(strings.TrimSpace(n.Value))
	case reflect.Bool:
		var b bool
		b, err = strconv.ParseBool(n.Value)
		v.SetBool(b)
	case reflect.Int:
		var i int
		i, err = strconv.Atoi(n.Value)
		v.SetInt(int64(i))
	}
	if n.Kind != yaml.ScalarNode || err != nil {
		r.fail(n.Line, "%s must be a %s", what, v.Kind())
	}
}

func (r *reader) fields(n *yaml.Node, v reflect.Value, what string) {
	if n.Kind != yaml.MappingNode {
		r.fail(n.Line, "%s must have keys: %s", what, strings.Join(keys(v.Type()), ", "))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		at := fieldOf(v.Type(), key.Value)
		switch {
		case at < 0:
			r.fail(key.Line, "there is no key %q in %s: did you mean %q?", key.Value, what, nearest(key.Value, keys(v.Type())))
		case seen[key.Value]:
			r.fail(key.Line, "%q is there twice in %s", key.Value, what)
		default:
			r.value(n.Content[i+1], v.Field(at), key.Value)
		}
		seen[key.Value] = true
	}
}

// keys returns the keys of a struct.
func keys(t reflect.Type) []string {
	var out []string
	for f := range t.Fields() {
		if k := f.Tag.Get("yaml"); k != "" {
			out = append(out, k)
		}
	}
	return out
}

func fieldOf(t reflect.Type, key string) int {
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("yaml") == key && key != "" {
			return i
		}
	}
	return -1
}

// nearest returns the word that takes the fewest changes of letters.
func nearest(word string, words []string) string {
	best, least := "", -1
	for _, w := range words {
		if d := distance(word, w); least < 0 || d < least {
			best, least = w, d
		}
	}
	return best
}

// distance is the Levenshtein distance, in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := before
			if a[i] != b[j] {
				d = 1 + min(before, row[j], row[j+1])
			}
			before, row[j+1] = row[j+1], d
		}
	}
	return row[len(b)]
}
