package node

import (
	"testing"

	"github.com/netra-systems/switchboard/quality"
)

func TestGate(t *testing.T) {
	if _, err := Gate(quality.Gate{ContentType: "poem"}); err == nil {
		t.Error("a gate for poems is taken")
	}
	g, err := Gate(quality.Gate{OnFail: quality.Fail})
	if err != nil {
		t.Fatal(err)
	}
	const empty = "At the end of the day it is important to follow best practices."
	v, err := g(t.Context(), "How do I prune an apple tree?", empty, true)
	if err != nil || !v.Rejected || !quality.Failed(v.Quality) || !v.Quality.Retried {
		t.Errorf("%+v %v", v, err)
	}
}
