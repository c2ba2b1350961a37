package tool

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/netra-systems/switchboard"
)

func TestNewDispatcherRefuses(t *testing.T) {
	with := func(name, schema string) Tool {
		return &fake{def: Definition{Name: name, Schema: json.RawMessage(schema)}}
	}
	for name, tools := range map[string][]Tool{
		"nil":                {nil},
		"no name":            {with("", anyObject)},
		"long name":          {with(strings.Repeat("a", 65), anyObject)},
		"space":              {with("a b", anyObject)},
		"homoglyph":          {with("fetсh", anyObject)}, // a Cyrillic с
		"dot":                {with("a.b", anyObject)},
		"same":               {with("fetch_url", anyObject), with("fetch_url", anyObject)},
		"case twin":          {with("fetch_url", anyObject), with("Fetch_URL", anyObject)},
		"dash twin":          {with("fetch_url", anyObject), with("fetch-url", anyObject)},
		"run-together twin":  {with("fetch_url", anyObject), with("fetchurl", anyObject)},
		"digit twin":         {with("tool", anyObject), with("too1", anyObject)},
		"zero twin":          {with("tool", anyObject), with("t0ol", anyObject)},
		"no schema":          {with("a", ``)},
		"schema no object":   {with("a", `true`)},
		"schema not JSON":    {with("a", `{"type":"object"`)},
		"duplicate keyword":  {with("a", `{"type":"object","type":"object"}`)},
		"other type":         {with("a", `{"type":"string"}`)},
		"no type":            {with("a", `{}`)},
		"bad keyword":        {with("a", `{"type":"object","properties":7}`)},
		"bad pattern":        {with("a", `{"type":"object","properties":{"a":{"pattern":"("}}}`)},
		"old draft":          {with("a", `{"$schema":"http://json-schema.org/draft-04/schema#","type":"object"}`)},
		"remote reference":   {with("a", `{"type":"object","properties":{"a":{"$ref":"https://example.com/x"}}}`)},
		"dangling reference": {with("a", `{"type":"object","properties":{"a":{"$ref":"#/$defs/b/c"}}}`)},
		"endless":            {with("a", `{"type":"object","$ref":"#"}`)},
		"endless by two":     {with("a", `{"type":"object","properties":{"a":{"$ref":"#/$defs/b"}},"$defs":{"b":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/c"}]},"c":{"not":{"$ref":"#/$defs/b"}}}}`)},
		"dynamic":            {with("a", `{"type":"object","properties":{"a":{"$dynamicRef":"#x"}}}`)},
		"inner id":           {with("a", `{"type":"object","properties":{"a":{"$id":"https://example.com/x"}}}`)},
		"long schema":        {with("a", `{"type":"object","description":"`+strings.Repeat("x", maxSchemaBytes)+`"}`)},
	} {
		if _, err := NewDispatcher(Config{}, tools...); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, schema := range []string{
		anyObject, schema,
		`{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","definitions":{"a":{"type":"string"}},"properties":{"a":{"$ref":"#/definitions/a"}}}`,
		`{"type":"object","properties":{"child":{"$ref":"#"},"list":{"type":"array","items":{"$ref":"#"}}}}`, // a tree ends with its value
	} {
		if _, err := NewDispatcher(Config{}, with("a", schema)); err != nil {
			t.Errorf("%s: %v", schema, err)
		}
	}
}

func TestConfigValidate(t *testing.T) {
	for name, change := range map[string]func(*switchboard.Limits){
		"tool_ms":               func(l *switchboard.Limits) { l.ToolMS = 0 },
		"tool_calls_per_user":   func(l *switchboard.Limits) { l.ToolCallsPerUser = 0 },
		"tool_calls_per_minute": func(l *switchboard.Limits) { l.ToolCallsPerMinute = -1 },
		"json_depth":            func(l *switchboard.Limits) { l.JSONDepth = 0 },
		"frame_bytes":           func(l *switchboard.Limits) { l.FrameBytes = 0 },
		"tool_result_bytes":     func(l *switchboard.Limits) { l.ToolResultBytes = l.EventBytes },
	} {
		if err := limits(change).Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := NewDispatcher(limits(change)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// FuzzResult: whatever a tool returns, the result is JSON within the limit, and an event can hold it.
func FuzzResult(f *testing.F) {
	for _, s := range []string{"", "{}", `{"a":1,"a":2}`, "\xff\xfe", `"\ud800"`, "1e999", "\x00\x01\\\"", strings.Repeat("€", 50), strings.Repeat("[", 40)} {
		f.Add([]byte(s), 64)
	}
	l := switchboard.DefaultLimits()
	f.Fuzz(func(t *testing.T, b []byte, limit int) {
		l.ToolResultBytes = minResultBytes + int(uint(limit)%512)
		got, cut := encodeResult(b, l)
		if len(got) > l.ToolResultBytes || !utf8.Valid(got) || checkJSON(got, l.JSONDepth) != nil {
			t.Fatalf("%q", got)
		}
		if cut && !strings.HasSuffix(string(got), cutMark+`"`) {
			t.Fatalf("no mark: %q", got)
		}
		p := &switchboard.ToolCompletedEvent{Result: got, Error: cleanText(string(b), minResultBytes), Tool: cleanName(string(b))}
		if len(p.Error) > minResultBytes || len(p.Tool) > maxNameBytes {
			t.Fatalf("%q %q", p.Error, p.Tool)
		}
		if _, err := switchboard.EncodeEvent(switchboard.Event{Type: p.EventType(), Payload: p}); err != nil {
			t.Fatal(err)
		}
	})
}
