package config

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// The patterns of texts.
const (
	namePattern     = `^[A-Za-z0-9_-]{1,64}$`
	toolPattern     = `^([A-Za-z0-9_-]{1,64}|[A-Za-z0-9_-]{0,63}\*)$`
	durationPattern = `^([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))*$|^0$`
	urlPattern      = `^https?://`
	variablePattern = `\$\{`
)

// Schema returns the JSON Schema (draft 2020-12) of a file, indented. It says what an editor can see: keys, types, ranges,
// which keys go together. What names refer to, only Parse can say.
func Schema() []byte {
	root := sectionSchema(field{typ: reflect.TypeFor[Config]()})
	root.Schema = "https://json-schema.org/draft/2020-12/schema"
	root.Title = "Switchboard configuration"
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(root); err != nil {
		panic(err) // it is made of tables
	}
	return b.Bytes()
}

func sectionSchema(f field) *jsonschema.Schema {
	s := &jsonschema.Schema{Properties: map[string]*jsonschema.Schema{}, AdditionalProperties: never()}
	for _, one := range fieldsOf(f.typ, f.least) {
		s.Properties[one.key] = fieldSchema(one)
		s.PropertyOrder = append(s.PropertyOrder, one.key)
		relate(s, one)
	}
	if len(s.Required) == 0 && len(s.OneOf) == 0 {
		s.Types = []string{"object", "null"}
	} else {
		s.Type = "object"
	}
	return s
}

// never is the schema that nothing fits.
func never() *jsonschema.Schema { return &jsonschema.Schema{Not: &jsonschema.Schema{}} }

// relate adds what a key demands of others to the schema of their section.
func relate(s *jsonschema.Schema, f field) {
	if f.need && f.when == "" {
		s.Required = append(s.Required, f.key)
	}
	if f.with != "" {
		if s.DependentRequired == nil {
			s.DependentRequired = map[string][]string{}
		}
		s.DependentRequired[f.key] = []string{f.with}
	}
	if f.not != "" {
		s.AllOf = append(s.AllOf, &jsonschema.Schema{Not: &jsonschema.Schema{Required: []string{f.key, f.not}}})
	}
	for _, key := range f.one {
		s.OneOf = append(s.OneOf, &jsonschema.Schema{Required: []string{key}})
	}
	if f.when == "" {
		return
	}
	on, values := f.condition()
	others := valueIs(on, values)
	others.AnyOf = append(others.AnyOf, &jsonschema.Schema{Properties: map[string]*jsonschema.Schema{on: {Pattern: variablePattern}}})
	if s.DependentSchemas == nil {
		s.DependentSchemas = map[string]*jsonschema.Schema{}
	}
	s.DependentSchemas[f.key] = others
	if f.need {
		s.AllOf = append(s.AllOf, &jsonschema.Schema{
			If:   &jsonschema.Schema{AnyOf: valueIs(on, values).AnyOf, Required: []string{on}},
			Then: &jsonschema.Schema{Required: []string{f.key}},
		})
	}
}

func valueIs(key string, values []string) *jsonschema.Schema {
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Properties: map[string]*jsonschema.Schema{key: {Enum: anys(values)}}}}}
}

func anys(of []string) []any {
	out := make([]any, len(of))
	for i, s := range of {
		out[i] = s
	}
	return out
}

func fieldSchema(f field) *jsonschema.Schema {
	s := valueSchema(f)
	s.Description = f.doc
	if f.def != "" {
		s.Default = json.RawMessage(f.def)
		if !json.Valid(s.Default) || f.shape == text {
			s.Default, _ = json.Marshal(f.def)
		}
	}
	return s
}

func valueSchema(f field) *jsonschema.Schema {
	switch f.shape {
	case truth:
		return &jsonschema.Schema{Type: "boolean"}
	case whole, number:
		s := &jsonschema.Schema{Type: map[shape]string{whole: "integer", number: "number"}[f.shape], Minimum: &f.least}
		if f.most > 0 {
			s.Maximum = &f.most
		}
		return s
	case list:
		f.shape = text
		s := &jsonschema.Schema{Types: []string{"array", "null"}, Items: valueSchema(f)}
		s.UniqueItems = f.ref != "" || f.enum != nil
		return s
	case table:
		return &jsonschema.Schema{Types: []string{"object", "null"}, AdditionalProperties: &jsonschema.Schema{Type: "string"}}
	case section:
		return sectionSchema(f)
	case entries:
		pattern := namePattern
		if f.name == "tool" {
			pattern = toolPattern
		}
		return &jsonschema.Schema{
			Types: []string{"object", "null"}, PropertyNames: &jsonschema.Schema{Pattern: pattern}, AdditionalProperties: sectionSchema(f),
		}
	}
	return textSchema(f)
}

// textSchema is the schema of a text, which may be made of variables.
func textSchema(f field) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	var pattern string
	switch {
	case len(f.enum) > 0:
		s.AnyOf = []*jsonschema.Schema{{Enum: anys(f.enum)}, {Pattern: variablePattern}}
	case f.shape == duration:
		pattern = durationPattern
	case f.ref == "tool":
		pattern = toolPattern
	case f.ref != "":
		pattern = namePattern
	case f.form == "url":
		pattern = urlPattern
	}
	if pattern != "" {
		s.Pattern = strings.Join([]string{pattern, variablePattern}, "|")
	}
	return s
}
