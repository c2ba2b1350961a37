package openai_test

import (
	"strings"
	"testing"

	"github.com/netra-systems/switchboard/internal/fakemodel"
	"github.com/netra-systems/switchboard/internal/fakemodel/modeltest"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/model/openai"
	"github.com/netra-systems/switchboard/model/wire"
)

func newModel(t testing.TB, c openai.Config) *openai.Model {
	t.Helper()
	c.Model = "fake"
	m, err := openai.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

var adapter = modeltest.Adapter{Open: func(url, key string, p wire.Policy) (modeltest.Model, error) {
	return openai.New(openai.Config{BaseURL: url + "/v1/", Model: "fake", Key: key, Policy: p})
}}

func TestConformance(t *testing.T) { modeltest.Test(t, adapter) }

// TestScripts are those that only this protocol knows.
func TestScripts(t *testing.T) {
	modeltest.RunCases(t, adapter, []modeltest.Case{
		{Script: "[[fake:reasoning]] [[fake:think why]] [[fake:text so]]", Want: modeltest.Answer{Thinking: "why", Text: "so", Finish: "stop"}},
		{Script: `[[fake:noindex]] [[fake:tool clock {"a":1}]] [[fake:tool clock {"zone":"UTC"}]]`, Want: modeltest.Answer{Calls: []model.Call{{Tool: "clock", Arguments: `{"a":1}`}, {Tool: "clock", Arguments: `{"zone":"UTC"}`}}, Finish: "calls"}},
		{Script: `[[fake:whole]] [[fake:think a]] [[fake:text b]] [[fake:tool clock {"a":1}]]`, Want: modeltest.Answer{Thinking: "a", Text: "b", Calls: []model.Call{{Tool: "clock", Arguments: `{"a":1}`}}, Finish: "calls"}},
		{Script: `[[fake:cut after=2]] [[fake:tool clock {"zone":"UTC"}]]`, Want: modeltest.Answer{Calls: []model.Call{{Tool: "clock", Arguments: `{"zone"`}}}, Kind: model.Truncated},
	})
}

func TestTemperature(t *testing.T) {
	s, _ := modeltest.Start(t, fakemodel.Config{})
	m := newModel(t, openai.Config{BaseURL: s.URL()})
	r := modeltest.Request("x")
	modeltest.Collect(t, t.Context(), m, r)
	zero := 0.0
	r.Temperature = &zero
	modeltest.Collect(t, t.Context(), m, r)
	for i, want := range []bool{false, true} {
		if body := s.Requests()[i].Body; strings.Contains(string(body), `"temperature":0`) != want {
			t.Errorf("request %d: %s", i, body)
		}
	}
}

func TestConfigIsWrittenWithoutItsKey(t *testing.T) {
	modeltest.NeverWritten(t, openai.Config{BaseURL: "http://127.0.0.1:1/v1", Model: "m", Key: modeltest.Key})
}

func TestValidate(t *testing.T) {
	good := openai.Config{BaseURL: "https://api.example.com/v1", Model: "m"}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for _, change := range []func(*openai.Config){
		func(c *openai.Config) { c.BaseURL = "" },
		func(c *openai.Config) { c.BaseURL = "ftp://example.com" },
		func(c *openai.Config) { c.BaseURL = "https://user:pass@example.com/v1" },
		func(c *openai.Config) { c.BaseURL += "?key=1" },
		func(c *openai.Config) { c.Model = "" },
		func(c *openai.Config) { c.Key = "a b" },
		func(c *openai.Config) { c.IdleTimeout = -1 },
	} {
		c := good
		change(&c)
		if c.Validate() == nil {
			t.Errorf("%v is valid", c)
		}
	}
}
