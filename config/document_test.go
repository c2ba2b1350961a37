package config_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v4"

	"github.com/netra-systems/switchboard/config"
)

var update = flag.Bool("update", false, "write docs/CONFIG.md anew")

// TestDocument: docs/CONFIG.md is what the fields say.
func TestDocument(t *testing.T) {
	path := filepath.Join("..", "docs", "CONFIG.md")
	if *update {
		if err := os.WriteFile(path, []byte(config.Document()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil || string(b) != config.Document() {
		t.Errorf("docs/CONFIG.md is out of date (%v); go test ./config -run Document -update", err)
	}
}

// sections calls fn for each field of a configuration that is a key.
func sections(t reflect.Type, fn func(path string, f reflect.StructField)) {
	var walk func(t reflect.Type, path string)
	walk = func(t reflect.Type, path string) {
		for i := range t.NumField() {
			f := t.Field(i)
			if !f.IsExported() || f.Tag.Get("yaml") == "-" {
				continue
			}
			at := path + "." + f.Name
			fn(at, f)
			inner := f.Type
			if inner.Kind() == reflect.Slice || inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct {
				walk(inner, at)
			}
		}
	}
	walk(t, "")
}

// undocumented lists the fields of which nobody is told what they mean.
func undocumented(t reflect.Type) (out []string, seen int) {
	sections(t, func(path string, f reflect.StructField) {
		seen++
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if doc := f.Tag.Get("doc"); doc == "" || f.Tag.Get("yaml") == "" && name == "" || name == "" && !strings.HasSuffix(doc, ".") {
			out = append(out, path)
		}
	})
	return out, seen
}

func TestEveryKeyIsDocumented(t *testing.T) {
	t.Parallel()
	missing, seen := undocumented(reflect.TypeFor[config.Config]())
	if len(missing) > 0 || seen < 70 {
		t.Errorf("of %d fields these say nothing: %v", seen, missing)
	}
	type planted struct {
		A int `yaml:"a" doc:"Good."`
		B int `yaml:"b"`
		C []struct {
			D int `doc:"No key."`
			E int `yaml:"e" doc:"no sentence"`
		} `yaml:"c" doc:"Good."`
	}
	if missing, _ := undocumented(reflect.TypeFor[planted]()); strings.Join(missing, " ") != ".B .C.D .C.E" {
		t.Errorf("found %v", missing)
	}
}

// same compares what two configurations say, wherever it stands.
func same(a, b *config.Config) bool {
	x, y := reflect.ValueOf(*a), reflect.ValueOf(*b)
	for i := range x.NumField() {
		if x.Type().Field(i).IsExported() && !reflect.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface()) {
			return false
		}
	}
	return true
}

// TestPrintDefault: the printed file says what holds without one, with every key.
func TestPrintDefault(t *testing.T) {
	t.Parallel()
	c := parse(t, string(config.PrintDefault()))
	if !same(c, config.Default()) {
		t.Errorf("%+v\nwant\n%+v", c, config.Default())
	}
	changed := config.Default()
	changed.ApprovalTimeout = time.Hour
	if same(c, changed) {
		t.Error("a difference is not seen")
	}
	sections(reflect.TypeFor[config.Config](), func(path string, f reflect.StructField) {
		key := f.Tag.Get("yaml") + f.Tag.Get("json")
		if !regexp.MustCompile(`(?m)^ *#? *` + key + `:`).Match(config.PrintDefault()) {
			t.Errorf("%s is not there", path)
		}
	})
}

var off = regexp.MustCompile(`(?m)^( *)#([^ \n]|  )`)

// TestPrintDefaultUncommented: what is commented out is right as it stands, but that some keys exclude one another and
// names have nothing to refer to.
func TestPrintDefaultUncommented(t *testing.T) {
	t.Parallel()
	text := off.ReplaceAllString(string(config.PrintDefault()), "$1$2")
	if strings.Contains(text, "\n#default_agent") || strings.Contains(text, "#  ") {
		t.Fatalf("something is still commented out:\n%s", text)
	}
	_, err := config.Parse("my.yaml", []byte(text), env())
	var p config.Problems
	if !errors.As(err, &p) {
		t.Fatal(err)
	}
	for _, one := range p {
		if one.Kind != config.ErrKeys && one.Kind != config.ErrReference && one.Kind != config.ErrVariable {
			t.Error(one)
		}
	}
}

// validator returns what checks the text of a file against the schema.
func validator(t *testing.T) func(text string) error {
	t.Helper()
	var s jsonschema.Schema
	if err := json.Unmarshal(config.Schema(), &s); err != nil {
		t.Fatal(err)
	}
	r, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(text string) error {
		var v any
		if err := yaml.Load([]byte(text), &v); err != nil {
			return err
		}
		b, err := json.Marshal(v) // numbers as JSON has them
		if err != nil {
			return err
		}
		if err := json.Unmarshal(b, &v); err != nil {
			return err
		}
		return r.Validate(v)
	}
}

func examples(t testing.TB) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("..", "examples", "*.yaml"))
	if err != nil || len(names) < 5 {
		t.Fatalf("%d examples (%v)", len(names), err)
	}
	return names
}

// TestExamples: each example is good, for us and for an editor.
func TestExamples(t *testing.T) {
	t.Parallel()
	valid := validator(t)
	for _, name := range examples(t) {
		c, err := config.Load(name, env())
		if err != nil {
			t.Error(err)
			continue
		}
		if len(c.Agents) == 0 {
			t.Errorf("%s has no agents", name)
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := valid(string(b)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// unseen are the faults that a schema cannot tell: what depends on other parts of the file, on the tools that there are,
// on variables, or on how a value is written.
func unseen(kind error, text string) bool {
	switch kind {
	case config.ErrReference, config.ErrVariable, config.ErrSyntax, config.ErrAlias, config.ErrEncoding, config.ErrTooLarge, config.ErrDuplicate:
		return true
	}
	for _, part := range []string{
		"${", "0x10", "010", "9999999", "{? ", "_bytes: ", "run_ms: 1000", "u:p@", "a b\"", "A=B", ".User.", "thinking: 8192", "steps: 33",
		"search: ", "a_b", "a_x", "cost: 1", ": 0s", "anthropic, model: x}", "!!binary",
	} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// TestSchema: what the schema refuses is refused when it is read; and what is refused there for a key, a type or a range,
// the schema refuses too.
func TestSchema(t *testing.T) {
	t.Parallel()
	valid := validator(t)
	if err := valid(string(config.PrintDefault())); err != nil {
		t.Errorf("the default file: %v", err)
	}
	refused := 0
	for _, f := range faults {
		if unseen(f.kind, f.text) {
			continue
		}
		refused++
		if valid(f.text) == nil {
			t.Errorf("the schema takes %s", f.text)
		}
	}
	if refused < 30 {
		t.Errorf("only %d faults were tried", refused)
	}
	var doc map[string]any
	if err := json.Unmarshal(config.Schema(), &doc); err != nil || doc["$schema"] != "https://json-schema.org/draft/2020-12/schema" {
		t.Errorf("%v: %v", err, doc["$schema"])
	}
}
