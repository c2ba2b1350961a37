package ssot

import (
	"fmt"
	"reflect"
	"strings"
)

// Reference writes what a file may hold, as Markdown, from the structs that it is read into.
func Reference() string {
	var b strings.Builder
	describe(&b, "The file", reflect.TypeFor[Config]())
	return b.String()
}

// describe writes a table of a struct's keys, and after it those of what is in it.
func describe(b *strings.Builder, title string, t reflect.Type) {
	fmt.Fprintf(b, "### %s\n\n| key | value | |\n|---|---|---|\n", title)
	type inner struct {
		title string
		typ   reflect.Type
	}
	var below []inner
	for f := range t.Fields() {
		key := f.Tag.Get("yaml")
		if key == "" {
			continue
		}
		kind, elem := kindOf(f.Type)
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", key, kind, strings.ReplaceAll(f.Tag.Get("doc"), "|", "\\|"))
		if elem != nil {
			below = append(below, inner{"`" + key + "`", elem})
		}
	}
	b.WriteString("\n")
	for _, i := range below {
		describe(b, i.title, i.typ)
	}
}

// kindOf says what a value is, and returns the struct that it holds, if it does.
func kindOf(t reflect.Type) (kind string, elem reflect.Type) {
	name := reflect.TypeFor[Name]()
	switch {
	case t == name || t.Kind() == reflect.String:
		return "string", nil
	case t.Kind() == reflect.Bool:
		return "true or false", nil
	case t.Kind() == reflect.Int:
		return "integer", nil
	case t.Kind() == reflect.Pointer:
		return kindOf(t.Elem())
	case t.Kind() == reflect.Slice:
		kind, elem = kindOf(t.Elem())
		if elem != nil {
			return "list of keys below", elem
		}
		return "list of " + kind + "s", nil
	}
	return "keys below", t
}
