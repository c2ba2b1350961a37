package rest

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/transport"
)

type schema struct {
	Type                 any               `json:"type"`
	Ref                  string            `json:"$ref"`
	Properties           map[string]schema `json:"properties"`
	Required             []string          `json:"required"`
	Enum                 []string          `json:"enum"`
	Items                *schema           `json:"items"`
	AdditionalProperties *bool             `json:"additionalProperties"`
}

type document struct {
	OpenAPI    string                                `json:"openapi"`
	Paths      map[string]map[string]json.RawMessage `json:"paths"`
	Components struct {
		Schemas map[string]schema `json:"schemas"`
	} `json:"components"`
}

func load(t *testing.T) (document, string) {
	r := newRig(t)
	res, body := r.do(t, "GET", "/openapi.json", "", header{"Authorization": ""})
	var d document
	if err := json.Unmarshal([]byte(body), &d); err != nil || res.StatusCode != 200 {
		t.Fatalf("%d %v %s", res.StatusCode, err, body)
	}
	return d, body
}

func TestDocumentHasAllOperations(t *testing.T) {
	d, body := load(t)
	if d.OpenAPI != "3.1.0" {
		t.Errorf("OpenAPI %s", d.OpenAPI)
	}
	var got []string
	for path, methods := range d.Paths {
		for m := range methods {
			got = append(got, strings.ToUpper(m)+" "+strings.TrimPrefix(path, "/api/v1/"))
		}
	}
	slices.Sort(got)
	want := []string{
		"DELETE threads/{id}", "GET agents", "GET events", "GET me", "GET quality/metrics", "GET runs/{id}", "GET threads",
		"GET threads/{id}", "GET threads/{id}/events", "GET tools", "PATCH threads/{id}", "POST auth/login", "POST auth/logout",
		"POST runs/{id}/decisions", "POST runs/{id}/ratings", "POST runs/{id}/stop", "POST threads/messages", "POST threads/{id}/messages",
	}
	if !slices.Equal(got, want) {
		t.Errorf("operations\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, ref := range strings.Split(body, `"$ref":"`)[1:] {
		name, _, _ := strings.Cut(ref, `"`)
		if _, ok := d.Components.Schemas[strings.TrimPrefix(name, "#/components/schemas/")]; !ok {
			t.Errorf("%s is referred to and not there", name)
		}
	}
	if strings.Contains(body, "http://") || strings.Contains(body, "https://") {
		t.Error("the document refers to another site")
	}
}

func TestSchemasEqualTheTypes(t *testing.T) {
	d, _ := load(t)
	types := []any{
		switchboard.UserMessage{}, switchboard.StartAgent{}, switchboard.ToolDecision{}, switchboard.RenameThread{},
		switchboard.Attachment{}, switchboard.Ack{}, switchboard.ThreadList{}, switchboard.ThreadSummary{},
		switchboard.EventPage{}, switchboard.User{}, switchboard.Event{}, switchboard.Delta{}, switchboard.DeltaPayload{},
		switchboard.ConnectionEstablished{}, switchboard.Limits{}, switchboard.Server{}, switchboard.Resync{},
		switchboard.CaughtUp{}, switchboard.Expiring{}, switchboard.Draining{}, switchboard.Empty{},
		transport.Problem{}, Login{}, Session{}, Me{}, Run{}, RunRating{},
		switchboard.QualityMetrics{}, switchboard.QualityFigures{}, switchboard.AgentFigures{}, AgentList{}, Agent{}, ToolList{}, Tool{},
	}
	left := maps.Clone(d.Components.Schemas)
	for _, v := range types {
		typ := reflect.TypeOf(v)
		s, ok := left[typ.Name()]
		if !ok {
			t.Errorf("no schema of %s", typ)
			continue
		}
		delete(left, typ.Name())
		if err := compare(s, typ); err != nil {
			t.Errorf("%s: %v", typ, err)
		}
	}
	for name := range left {
		t.Errorf("schema %s is of no known type", name)
	}
	// The guard sees a difference.
	s := d.Components.Schemas["Ack"]
	s.Properties = maps.Clone(s.Properties)
	delete(s.Properties, "run_id")
	if compare(s, reflect.TypeFor[switchboard.Ack]()) == nil {
		t.Error("a missing field is not seen")
	}
}

// compare says how a schema differs from the fields of a type.
func compare(s schema, typ reflect.Type) error {
	var names, required []string
	for f := range typ.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous {
			return fmt.Errorf("embeds %s", f.Name)
		}
		names = append(names, name)
		if !strings.Contains(options, "omit") {
			required = append(required, name)
		}
		if enum := f.Tag.Get("enum"); enum != strings.Join(s.Properties[name].Enum, ",") {
			return fmt.Errorf("field %s: enum %v, want %s", name, s.Properties[name].Enum, enum)
		}
		if want := jsonType(f.Type); want != "" && s.Properties[name].Type != want {
			return fmt.Errorf("field %s: type %v, want %s", name, s.Properties[name].Type, want)
		}
	}
	slices.Sort(names)
	slices.Sort(required)
	if got := slices.Sorted(maps.Keys(s.Properties)); !slices.Equal(got, names) {
		return fmt.Errorf("fields %v, want %v", got, names)
	}
	if got := slices.Sorted(slices.Values(s.Required)); !slices.Equal(got, required) {
		return fmt.Errorf("required %v, want %v", got, required)
	}
	return nil
}

func jsonType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return "integer"
	case reflect.Bool:
		return "boolean"
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Uint8 {
			return "array"
		}
	}
	if t == reflect.TypeFor[switchboard.Time]() {
		return "string"
	}
	return ""
}

// TestEnumsEqualTheCodec asks the codec for each value of each enum, and for one that is in none.
func TestEnumsEqualTheCodec(t *testing.T) {
	d, _ := load(t)
	for _, c := range []struct {
		typ           switchboard.MessageType
		schema, field string
		payload       string // with %s for the value
	}{
		{switchboard.TypeUserMessage, "UserMessage", "on_busy", `{"text":"x","on_busy":%q}`},
		{switchboard.TypeToolDecision, "ToolDecision", "decision", `{"call_id":"x","decision":%q}`},
		{switchboard.TypeRateAnswer, "RunRating", "rating", `{"run_id":"x","rating":%q}`},
	} {
		values := d.Components.Schemas[c.schema].Properties[c.field].Enum
		if len(values) == 0 {
			t.Errorf("%s.%s has no enum", c.schema, c.field)
		}
		for _, v := range append(values, "nonsense") {
			_, err := switchboard.DecodePayload(c.typ, []byte(fmt.Sprintf(c.payload, v)), switchboard.DefaultLimits())
			if (err == nil) != (v != "nonsense") {
				t.Errorf("%s.%s %q: %v", c.schema, c.field, v, err)
			}
		}
	}
	var codes []string
	for code, info := range switchboard.Codes {
		if info.HTTP != 0 {
			codes = append(codes, string(code))
		}
	}
	got := d.Components.Schemas["Problem"].Properties["code"].Enum
	slices.Sort(got)
	slices.Sort(codes)
	if !slices.Equal(got, codes) {
		t.Errorf("codes of problems %v, want %v", got, codes)
	}
}

func TestOnlyRequestsAreClosed(t *testing.T) {
	d, _ := load(t)
	for name, s := range d.Components.Schemas {
		request := slices.Contains([]string{"Login", "UserMessage", "StartAgent", "ToolDecision", "RunRating", "RenameThread", "Attachment"}, name)
		if closed := s.AdditionalProperties != nil && !*s.AdditionalProperties; closed != request {
			t.Errorf("%s: additional properties refused: %v", name, closed)
		}
	}
}
