package rest

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/netra-systems/switchboard"
)

// document completes the OpenAPI document that the operations gave: bodies, which the library does not read, and the
// stream of events, which transport serves.
func (x *api) document() ([]byte, error) {
	doc := x.huma.OpenAPI()
	schemas := doc.Components.Schemas
	ref := func(v any) *huma.Schema { return schemas.Schema(reflect.TypeOf(v), true, "") }
	body := func(s *huma.Schema) *huma.RequestBody {
		return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: s}}}
	}
	message := &huma.Schema{AnyOf: []*huma.Schema{ref(switchboard.UserMessage{}), ref(switchboard.StartAgent{})}}
	for path, b := range map[string]*huma.RequestBody{
		"/auth/login":            body(ref(Login{})),
		"/threads/messages":      body(message),
		"/threads/{id}/messages": body(message),
		"/runs/{id}/decisions":   body(ref(switchboard.ToolDecision{})),
		"/runs/{id}/ratings":     body(ref(RunRating{})),
	} {
		doc.Paths[prefix+path].Post.RequestBody = b
	}
	doc.Paths[prefix+"/threads/{id}"].Patch.RequestBody = body(ref(switchboard.RenameThread{}))

	event := ref(switchboard.Event{})
	for _, name := range []string{"EventPage", "Run"} {
		schemas.Map()[name].Properties["events"].Items = event
	}
	x.documentEvents(doc, ref)
	requests := []string{"Login", "UserMessage", "StartAgent", "ToolDecision", "RunRating", "RenameThread", "Attachment"}
	for name, s := range schemas.Map() {
		if !slices.Contains(requests, name) {
			s.AdditionalProperties = nil // clients must ignore fields they do not know
		}
		for _, p := range s.Properties {
			if p.Type == huma.TypeArray {
				p.Nullable = false // the codec writes an empty array
			}
		}
	}
	return json.Marshal(doc)
}

func (x *api) documentEvents(doc *huma.OpenAPI, ref func(any) *huma.Schema) {
	text := &huma.Schema{Type: huma.TypeString}
	frames := &huma.Schema{AnyOf: []*huma.Schema{
		ref(switchboard.ConnectionEstablished{}), ref(switchboard.Event{}), ref(switchboard.Delta{}), ref(switchboard.CaughtUp{}),
		ref(switchboard.Expiring{}), ref(switchboard.Draining{}),
	}}
	doc.AddOperation(&huma.Operation{
		OperationID: "stream-events", Method: http.MethodGet, Path: prefix + "/events",
		Summary: "My events and deltas as they happen (server-sent events)",
		Description: "data is the frame that a WebSocket would get, event its type, id the cursor to go on from. A cursor " +
			"that cannot be honoured is answered with gap: reload, then connect without one.",
		Security: []map[string][]string{{"bearer": {}}, {"cookie": {}}},
		Parameters: []*huma.Param{
			{Name: "cursor", In: "query", Schema: text, Description: "the place to go on from"},
			{Name: "Last-Event-ID", In: "header", Schema: text, Description: "the same; it goes first"},
		},
		Responses: map[string]*huma.Response{
			"200": {Description: "OK", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: frames}}},
			"default": {Description: "Error", Content: map[string]*huma.MediaType{
				"application/problem+json": {Schema: &huma.Schema{Ref: "#/components/schemas/Problem"}},
			}},
		},
	})
}
