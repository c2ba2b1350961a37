package config

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/netra-systems/switchboard"
)

// shape is what stands at a key.
type shape int

const (
	text     shape = iota
	secret         // a text that is never shown
	truth          // true or false
	whole          // a number without a fraction
	number         // any number
	duration       // 90s
	list           // of texts
	table          // texts by names that are not ours
	section        // keys with a meaning
	entries        // sections by names of the operator
)

// field is what the tags of a field say; see Config.
type field struct {
	key, doc, example string
	def               string // in YAML; it holds if the key is not there
	enum              []string
	form              string // what a text must be besides: url or headers
	ref               string // what it names: model, agent or tool
	name              string // what the names of entries are
	with, not         string // keys beside it
	when              string // KEY=VALUE|VALUE
	one               []string
	need              bool
	least, most       float64 // of a number; most 0: any
	shape             shape
	typ               reflect.Type // of the section, or of one entry
	index             int
}

// fieldsOf returns the keys of a section. Numbers of a section without limits of their own have those of the section.
func fieldsOf(t reflect.Type, least float64) []field {
	var out []field
	for i := range t.NumField() {
		sf := t.Field(i)
		tag := sf.Tag.Get
		f := field{
			key: tag("yaml"), doc: tag("doc"), example: tag("eg"), def: tag("def"), form: tag("form"), ref: tag("ref"), name: tag("name"),
			with: tag("with"), not: tag("not"), when: tag("when"), need: tag("need") == "true",
			one: strings.Fields(tag("one")), least: least, index: i,
		}
		if f.key == "" {
			f.key = tag("json")
		}
		if t == reflect.TypeFor[switchboard.Limits]() {
			f.def = fmt.Sprint(reflect.ValueOf(switchboard.DefaultLimits()).Field(i).Interface())
			f.doc = strings.ToUpper(f.doc[:1]) + f.doc[1:] + "."
			f.most = math.MaxInt32 // milliseconds of it are still a duration
		}
		if !sf.IsExported() || f.key == "-" {
			continue
		}
		if tag("enum") != "" {
			f.enum = strings.Split(tag("enum"), ",")
		}
		if v, err := parseFloat(tag("min")); err == nil {
			f.least = v
		}
		if v, err := parseFloat(tag("max")); err == nil {
			f.most = v
		}
		f.shape, f.typ = shapeOf(sf.Type)
		out = append(out, f)
	}
	return out
}

func shapeOf(t reflect.Type) (shape, reflect.Type) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return duration, t
	case t == reflect.TypeFor[Secret]():
		return secret, t
	}
	switch t.Kind() {
	case reflect.Bool:
		return truth, t
	case reflect.Int, reflect.Int64:
		return whole, t
	case reflect.Float64:
		return number, t
	case reflect.Map:
		return table, t
	case reflect.Struct:
		return section, t
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Struct {
			return entries, t.Elem()
		}
		return list, t
	}
	return text, t
}

// meets reports whether what another key must be is so, given that key's value.
func (f field) meets(value func(key string) string) bool {
	key, values := f.condition()
	return key == "" || slices.Contains(values, value(key))
}

// condition returns the key and the values of when.
func (f field) condition() (key string, values []string) {
	key, list, _ := strings.Cut(f.when, "=")
	return key, strings.Split(list, "|")
}

// describe says what a value must be, for errors and for people.
func (f field) describe() string {
	switch f.shape {
	case truth:
		return "true or false"
	case whole:
		return "a whole number"
	case number:
		return "a number"
	case duration:
		return "a time such as 90s, 10m or 24h"
	case list:
		if len(f.enum) > 0 {
			return "a list of " + alternatives(f.enum)
		}
		return "a list of texts"
	case table:
		return "names with texts"
	case section:
		return "a section with keys"
	case entries:
		return "names with sections"
	}
	if len(f.enum) > 0 {
		return alternatives(f.enum)
	}
	if f.form == "url" {
		return "an http or https URL"
	}
	return "a text"
}

func alternatives(of []string) string {
	if len(of) == 1 {
		return of[0]
	}
	return strings.Join(of[:len(of)-1], ", ") + " or " + of[len(of)-1]
}
