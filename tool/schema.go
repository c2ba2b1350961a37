package tool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	strictjson "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/jsonschema-go/jsonschema"

	"github.com/netra-systems/switchboard"
)

// maxSchemaBytes bounds the schema of one tool.
const maxSchemaBytes = 64 << 10

func validName(s string) bool {
	ok := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-'
	}
	return len(s) >= 1 && len(s) <= maxNameBytes && strings.IndexFunc(s, func(r rune) bool { return !ok(r) }) < 0
}

// fold returns the same for names that look alike: in another case, with other separators, with 0 for o or 1 for l or i.
func fold(name string) string {
	return strings.NewReplacer("-", "", "_", "", "0", "o", "1", "l", "i", "l").Replace(strings.ToLower(name))
}

// resolve reads a JSON Schema of draft 2020-12 or draft-07 that describes an object and refers to nothing outside.
func resolve(raw json.RawMessage) (*jsonschema.Resolved, error) {
	if len(raw) > maxSchemaBytes {
		return nil, fmt.Errorf("longer than %d bytes", maxSchemaBytes)
	}
	var doc map[string]any
	if err := strictjson.Unmarshal(raw, &doc); err != nil {
		return nil, errors.New("not a JSON object")
	}
	if doc["type"] != "object" {
		return nil, errors.New(`type must be "object"`)
	}
	if err := endless(doc); err != nil {
		return nil, err
	}
	var s jsonschema.Schema
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	r, err := s.Resolve(nil)
	if err != nil {
		return nil, err
	}
	// An unknown $schema shows only when something is validated.
	if v := s.Schema; v != "" && !strings.Contains(v, "json-schema.org/draft/2020-12/schema") && !strings.Contains(v, "json-schema.org/draft-07/schema") {
		return nil, errors.New("$schema must be draft 2020-12 or draft-07")
	}
	return r, nil
}

// endless finds schemas that apply themselves to the same value again: checking anything against one never ends.
func endless(doc map[string]any) error {
	const visiting, visited = 1, 2
	state := map[string]int{}
	var visit func(pointer string, v any) error
	follow := func(pointer string, v any) error {
		switch v := v.(type) {
		case map[string]any:
			return visit(pointer, v)
		case []any:
			for i, one := range v {
				if err := visit(pointer+"/"+strconv.Itoa(i), one); err != nil {
					return err
				}
			}
		}
		return nil
	}
	visit = func(pointer string, v any) error {
		s, ok := v.(map[string]any)
		if !ok || state[pointer] == visited {
			return nil
		}
		if state[pointer] == visiting {
			return fmt.Errorf("it refers to itself at #%s", pointer)
		}
		state[pointer] = visiting
		defer func() { state[pointer] = visited }()
		for _, key := range []string{"allOf", "anyOf", "oneOf", "not", "if", "then", "else"} {
			if err := follow(pointer+"/"+key, s[key]); err != nil {
				return err
			}
		}
		for _, key := range []string{"dependentSchemas", "dependencies"} {
			m, _ := s[key].(map[string]any)
			for _, name := range slices.Sorted(maps.Keys(m)) {
				if err := visit(pointer+"/"+key+"/"+escape(name), m[name]); err != nil {
					return err
				}
			}
		}
		if ref, ok := s["$ref"].(string); ok {
			target, err := at(doc, ref)
			if err != nil {
				return err
			}
			return visit(strings.TrimPrefix(ref, "#"), target)
		}
		return nil
	}
	return everySchema("", doc, visit)
}

// everySchema visits every object in a document: each might be a schema.
func everySchema(pointer string, v any, visit func(string, any) error) error {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range []string{"$dynamicRef", "$recursiveRef"} {
			if _, ok := v[key].(string); ok {
				return fmt.Errorf("%s is not supported", key)
			}
		}
		if _, ok := v["$id"].(string); ok && pointer != "" {
			return errors.New("$id is supported at the root only") // it would change what a $ref means
		}
		if err := visit(pointer, v); err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if err := everySchema(pointer+"/"+escape(name), v[name], visit); err != nil {
				return err
			}
		}
	case []any:
		for i, one := range v {
			if err := everySchema(pointer+"/"+strconv.Itoa(i), one, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// escape writes a name as a token of a JSON pointer (RFC 6901 §3).
func escape(name string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(name) }

// at returns what a reference means: a JSON pointer into the document.
func at(doc any, ref string) (any, error) {
	pointer, ok := strings.CutPrefix(ref, "#")
	if !ok || pointer != "" && pointer[0] != '/' || strings.Contains(pointer, "%") {
		return nil, errors.New("a $ref must be # or #/ and a JSON pointer")
	}
	for token := range jsontext.Pointer(pointer).Tokens() {
		switch v := doc.(type) {
		case map[string]any:
			doc = v[token]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(v) {
				return nil, errors.New("a $ref leads nowhere")
			}
			doc = v[i]
		default:
			return nil, errors.New("a $ref leads nowhere")
		}
	}
	return doc, nil
}

// arguments returns the arguments of a call; models write nothing where they mean an empty object.
func arguments(raw json.RawMessage) []byte {
	if b := bytes.TrimSpace(raw); len(b) > 0 {
		return b
	}
	return []byte("{}")
}

// check reads arguments strictly and compares them with the schema. The error says where, never what.
func (e *entry) check(args []byte, l switchboard.Limits) (err error) {
	defer func() {
		// The validator asserts; what a model wrote must not end the process, on one node after the other.
		if recover() != nil {
			err = errors.New("the arguments could not be checked")
		}
	}()
	if n := maxArguments(l); len(args) > n {
		return fmt.Errorf("the arguments are longer than %d bytes", n)
	}
	if err := checkJSON(args, l.JSONDepth); err != nil {
		return fmt.Errorf("the arguments are not valid: %w", err)
	}
	if args[0] != '{' {
		return errors.New("the arguments must be a JSON object")
	}
	var v map[string]any
	if err := strictjson.Unmarshal(args, &v); err != nil {
		return errors.New("the arguments hold a number out of range")
	}
	if err := e.schema.Validate(v); err != nil {
		return fmt.Errorf("the arguments do not fit the schema: %s", describe(err))
	}
	return nil
}

// checkJSON reads one JSON value (RFC 8259, and RFC 7493 §2: no duplicate names, no bad UTF-8).
func checkJSON(b []byte, depth int) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(b))
	for {
		t, err := d.ReadToken()
		switch {
		case err == io.EOF && d.InputOffset() > 0:
			return nil
		case errors.Is(err, jsontext.ErrDuplicateName):
			return errors.New("duplicate name")
		case err != nil:
			return errors.New("not JSON")
		}
		if k := t.Kind(); (k == '{' || k == '[') && d.StackDepth() > depth {
			return fmt.Errorf("nested deeper than %d", depth)
		}
		if d.StackDepth() == 0 && len(bytes.TrimSpace(b[d.InputOffset():])) > 0 {
			return errors.New("not JSON") // more than one value
		}
	}
}

// describe turns an error of the validator, which quotes values, into a place and a rule.
func describe(err error) string {
	var place string
	text := err.Error()
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		prefix := strings.TrimSuffix(text, inner.Error())
		if p, ok := strings.CutPrefix(strings.TrimSuffix(prefix, ": "), "validating "); ok && strings.HasPrefix(p, "/") {
			place = p
		}
		text = inner.Error()
	}
	keyword, _, _ := strings.Cut(text, ":")
	switch {
	case strings.HasPrefix(text, "required: "), strings.HasPrefix(text, "dependentRequired"), strings.HasPrefix(text, "unexpected additional"):
		keyword = text // holds names only
	case keyword == "type":
		if i := strings.LastIndex(text, "want "); i >= 0 { // what comes last is the schema's
			keyword = "type: " + text[i:]
		}
	case len(keyword) > 40:
		keyword = "not as described"
	}
	return cleanText(strings.TrimPrefix(placeName(place)+": "+keyword, ": "), 300)
}

// placeName turns a place in a schema into the place in the arguments that it describes.
func placeName(pointer string) string {
	var out []string
	tokens := slices.Collect(jsontext.Pointer(pointer).Tokens())
	for i := 0; i < len(tokens); i++ {
		switch tokens[i] {
		case "properties":
			if i++; i < len(tokens) {
				out = append(out, tokens[i])
			}
		case "items", "prefixItems", "contains", "unevaluatedItems":
			out = append(out, "[]")
		case "$defs", "definitions", "allOf", "anyOf", "oneOf", "dependentSchemas", "patternProperties":
			i++
		}
	}
	return strings.Join(out, ".")
}
