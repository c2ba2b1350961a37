package agui_test

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/netra-systems/switchboard/internal/fakemodel/modeltest"
	"github.com/netra-systems/switchboard/model"
	"github.com/netra-systems/switchboard/model/agui"
	"github.com/netra-systems/switchboard/model/wire"
)

func newModel(t testing.TB, c agui.Config) *agui.Model {
	t.Helper()
	c.Name = "remote"
	m, err := agui.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

var adapter = modeltest.Adapter{Once: true, Open: func(url, key string, p wire.Policy) (modeltest.Model, error) {
	c := agui.Config{URL: url + "/agui", Name: "remote", Policy: p}
	if key != "" {
		c.Header = map[string]string{"Authorization": "Bearer " + key}
	}
	return agui.New(c)
}}

func TestConformance(t *testing.T) { modeltest.Test(t, adapter) }

// TestScripts are those that are not for every protocol: a call that did not end is not given.
func TestScripts(t *testing.T) {
	modeltest.RunCases(t, adapter, []modeltest.Case{
		{Script: `[[fake:cut after=2]] [[fake:tool clock {"zone":"UTC"}]]`, Kind: model.Truncated},
		{Script: `[[fake:whole]] [[fake:text b]]`, Kind: model.Unavailable},
	})
}

func TestConfigIsWrittenWithoutItsHeaders(t *testing.T) {
	modeltest.NeverWritten(t, agui.Config{URL: "http://127.0.0.1:1", Name: "m", Header: map[string]string{"Authorization": "Bearer " + modeltest.Key}})
}

func TestValidate(t *testing.T) {
	good := agui.Config{URL: "https://agent.example.com/run", Name: "m", Header: map[string]string{"X-Tenant": "a b"}, ForwardedProps: jsontext.Value(`{"a":1}`)}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for _, c := range []agui.Config{
		{URL: good.URL}, {Name: "m"}, {Name: "m", URL: "ftp://x"}, {Name: "m", URL: "https://u:p@example.com"},
		{Name: "m", URL: good.URL, Header: map[string]string{"a b": "c"}},
		{Name: "m", URL: good.URL, Header: map[string]string{"A": "secret\r\nB: c"}},
		{Name: "m", URL: good.URL, ForwardedProps: jsontext.Value(`[]`)},
		{Name: "m", URL: good.URL, Policy: wire.Policy{Timeout: -1}},
	} {
		if err := c.Validate(); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v: %v", c, err)
		}
	}
}
