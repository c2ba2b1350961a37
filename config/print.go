package config

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// PrintDefault returns a file with every key and what it means. It stands for Default: what is not usual is commented out,
// with a # at the key itself, and words have a blank after it.
func PrintDefault() []byte {
	p := &printer{}
	p.words("", "Switchboard's configuration: switchboard serve --config FILE")
	p.words("", "Texts may hold variables: ${NAME}, or ${NAME:-TEXT} if it may be missing; a dollar is $$. Flags and variables of serve come before this file. `switchboard config check FILE` tells what is wrong with it.")
	p.section(reflect.ValueOf(*Default()), field{typ: reflect.TypeFor[Config]()}, "", false)
	return p.Bytes()
}

type printer struct{ bytes.Buffer }

// width is how long a line of words may be.
const width = 100

// words writes a comment.
func (p *printer) words(indent, text string) {
	line := indent + "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > width {
			p.WriteString(line + "\n")
			line = indent + "#"
		}
		line += " " + word
	}
	p.WriteString(line + "\n")
}

// section writes the keys of a section. Off: it is commented out as a whole, and indent holds the #.
func (p *printer) section(v reflect.Value, f field, indent string, off bool) {
	for i, one := range fieldsOf(f.typ, f.least) {
		if indent == "" && (i > 0 || p.Len() > 0) {
			p.WriteString("\n")
		}
		words := one.doc
		if len(one.enum) > 0 {
			words = strings.TrimSuffix(words, ".") + ". One of: " + strings.Join(one.enum, ", ") + "."
		}
		if one.def != "" && off {
			words += " Default: " + one.def + "."
		}
		if words != "" {
			p.words(indent, words)
		}
		p.field(v.Field(one.index), one, indent, off)
	}
}

func (p *printer) field(v reflect.Value, f field, indent string, off bool) {
	inside := indent + "  "
	switch f.shape {
	case entries:
		fmt.Fprintf(p, "%s%s:\n%s#%s:\n", indent, f.key, inside, f.example)
		p.section(reflect.New(f.typ).Elem(), f, inside+"#  ", true)
	case section:
		fmt.Fprintf(p, "%s%s:\n", indent, f.key)
		if v.Kind() == reflect.Pointer {
			v = reflect.New(f.typ).Elem()
		}
		p.section(v, f, inside, off)
	default:
		value, usual := shown(v), !off && !v.IsZero()
		if !usual && f.example != "" {
			value = f.example
		} else if off {
			value = f.def
		}
		if !usual && !off {
			indent += "#"
		}
		fmt.Fprintf(p, "%s%s: %s\n", indent, f.key, value)
	}
}

// shown writes a value as YAML.
func shown(v reflect.Value) string {
	if t, ok := v.Interface().(time.Duration); ok {
		return brief(t)
	}
	return fmt.Sprint(v.Interface())
}

// brief writes a duration without what is zero: 24h, not 24h0m0s.
func brief(t time.Duration) string {
	s := t.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
