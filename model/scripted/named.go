package scripted

import (
	"bytes"
	"regexp"

	"github.com/go-json-experiment/json/jsontext"
)

// namedCall is the name of a tool, and where the object of its arguments begins.
var namedCall = regexp.MustCompile(`([A-Za-z0-9_.-]{1,128})\s+\{`)

// worded are the tools whose results have words of their own; they are asked for in words as well.
var worded = map[string]bool{"calculator": true, "clock": true, "search_threads": true, "fetch_url": true}

// findNamed returns the calls that a message spells out: the name of an offered tool, and a JSON object.
func findNamed(text string, has map[string]bool) []wish {
	var found []wish
	for _, m := range namedCall.FindAllStringSubmatchIndex(text, 8*maxWishes) {
		name, at := text[m[2]:m[3]], m[1]-1
		if !has[name] || worded[name] {
			continue
		}
		d := jsontext.NewDecoder(bytes.NewReader([]byte(text[at:])))
		v, err := d.ReadValue()
		if err != nil {
			continue
		}
		found = append(found, wish{from: m[2], to: at + int(d.InputOffset()), tool: name, label: name, arguments: string(v)})
	}
	return found
}
