package mcp

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"text/template"

	"golang.org/x/net/http/httpguts"

	"github.com/netra-systems/switchboard"
)

// Secret returns a secret of the node by its name.
type Secret func(name string) (string, error)

// value is a setting that may hold a secret, and the user's id.
type value struct {
	template *template.Template
	user     bool // it names the user
}

// errNoSecret stands for a secret while settings are checked, and where a node has none.
var errNoSecret = errors.New("there is no such secret")

func parseValue(text string) (value, error) {
	none := func(string) (string, error) { return "", errNoSecret }
	t, err := template.New("").Funcs(template.FuncMap{"secret": none}).Parse(text)
	if err != nil {
		return value{}, err
	}
	v := value{template: t, user: t.Tree != nil && strings.Contains(t.Tree.Root.String(), ".User")}
	if _, err := v.eval("user", func(string) (string, error) { return "secret", nil }); err != nil {
		return value{}, err
	}
	return v, nil
}

// errValue says that a setting could not be made up. What it was to hold is secret, so there is no more to say.
var errValue = errors.New("a secret of the server's settings cannot be had")

// eval returns the value for a user. Only one that names the user is told who it is.
func (v value) eval(u switchboard.UserID, secret Secret) (string, error) {
	if secret == nil {
		secret = func(string) (string, error) { return "", errNoSecret }
	}
	t, err := v.template.Clone()
	if err != nil {
		return "", errValue
	}
	var data any
	if v.user {
		data = map[string]any{"User": map[string]any{"ID": string(u)}}
	}
	var out strings.Builder
	err = t.Funcs(template.FuncMap{"secret": secret}).Option("missingkey=error").Execute(&out, data)
	if err != nil || !httpguts.ValidHeaderFieldValue(out.String()) {
		return "", errValue
	}
	return out.String(), nil
}

// headers are header templates by name.
type headers map[string]value

func parseHeaders(in map[string]string) headers {
	out := headers{}
	for name, text := range in {
		if v, err := parseValue(text); err == nil { // Validate has parsed it
			out[name] = v
		}
	}
	return out
}

// perUser reports whether any of them names the user.
func (hs headers) perUser() bool {
	return slices.ContainsFunc(slices.Collect(maps.Values(hs)), func(v value) bool { return v.user })
}

// eval returns the headers for a user.
func (hs headers) eval(u switchboard.UserID, secret Secret) (http.Header, error) {
	out := http.Header{}
	for name, v := range hs {
		text, err := v.eval(u, secret)
		if err != nil {
			return nil, err
		}
		out.Set(name, text)
	}
	return out, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
