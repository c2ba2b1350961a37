package wire

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Arguments is what a server is told of a call's arguments: a JSON object. Many servers refuse a whole conversation in
// which a model once wrote something else; what it wrote is kept inside.
func Arguments(s string) string {
	if strings.TrimSpace(s) == "" {
		return "{}"
	}
	if v := jsontext.Value(s); v.IsValid() && v.Kind() == '{' {
		return s
	}
	b, err := json.Marshal(map[string]string{"invalid_arguments": s}, jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return "{}"
	}
	return string(b)
}

// Schema is a tool's schema as servers want it: one that takes an object, if it has none.
func Schema(s []byte) jsontext.Value {
	if len(s) == 0 {
		return jsontext.Value(`{"type":"object","properties":{}}`)
	}
	return jsontext.Value(s)
}
