// plant: transport/planted_codec.go
// want: the codec: gives a .Event to github.com/go-json-experiment/json.Unmarshal, but the one place is codec.go
// want: the codec: gives a .Event to encoding/json.Marshal, but the one place is codec.go

package transport

import (
	stdjson "encoding/json"

	"github.com/go-json-experiment/json"

	"github.com/netra-systems/switchboard"
)

func decode(b []byte) (e switchboard.Event, err error) {
	if err = json.Unmarshal(b, &e); err == nil {
		_, err = stdjson.Marshal([]*switchboard.Event{&e})
	}
	return e, err
}
