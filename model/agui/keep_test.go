package agui

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/netra-systems/switchboard/model"
)

// TestKeepWithinTheLog: what is kept fits the log, and if it is too much, it is the agent's own state that is left out: the
// ids are needed to answer it.
func TestKeepWithinTheLog(t *testing.T) {
	large := jsontext.Value(`"` + strings.Repeat("x", 60<<10) + `"`)
	k := &kept{State: large, Interrupts: []interrupt{{ID: "i1"}}}
	if b := k.keep(); len(b) == 0 || len(b) > model.MaxState || !strings.Contains(string(b), "i1") {
		t.Errorf("%d bytes are kept: %.100s", len(b), b)
	}
}
