package main

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard"
)

var route = regexp.MustCompile("`(GET|POST|PATCH|DELETE) ([a-z/{}]+)[^`]*`")

// routes reads a part of the protocol's document.
func routes(t *testing.T, from, to string) []string {
	t.Helper()
	b, err := os.ReadFile("../../docs/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, ok := strings.Cut(string(b), from)
	part, _, found := strings.Cut(part, to)
	if !ok || !found {
		t.Fatalf("docs/PROTOCOL.md has no part between %q and %q", from, to)
	}
	var out []string
	for _, m := range route.FindAllStringSubmatch(part, -1) {
		out = append(out, m[1]+" "+m[2])
	}
	slices.Sort(out)
	return out
}

// TestE2EOpenAPI compares the document that a server serves with the one that people read, and both with what is served.
func TestE2EOpenAPI(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	a := s.do(t, "GET", "/openapi.json", "")
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string
			Security    []map[string][]string
			Responses   map[string]any
		}
	}
	if err := json.Unmarshal(a.body, &doc); err != nil || a.status != 200 || doc.OpenAPI != "3.1.0" || a.header.Get("Content-Type") != "application/openapi+json" {
		t.Fatalf("%d %v %v", a.status, a.header, err)
	}
	var served []string
	for path, methods := range doc.Paths {
		for method, op := range methods {
			name := strings.ToUpper(method) + " " + strings.TrimPrefix(path, "/api/v1/")
			served = append(served, name)
			if op.OperationID == "" || len(op.Responses) < 2 || (len(op.Security) == 0) != (name == "POST auth/login") {
				t.Errorf("%s: %+v", name, op)
			}
		}
	}
	slices.Sort(served)
	if want := routes(t, "\n## HTTP\n", "\nOutside of it:"); len(want) < 15 || !slices.Equal(served, want) {
		t.Errorf("/openapi.json has\n%s\nand docs/PROTOCOL.md\n%s", strings.Join(served, "\n"), strings.Join(want, "\n"))
	}
	token := []string{"Authorization", "Bearer " + s.user(t, "ann")}
	for _, name := range served {
		method, path, _ := strings.Cut(name, " ")
		path = "/api/v1/" + strings.ReplaceAll(path, "{id}", "abcdefghijklmnopqrstuvwxyz.1")
		if name != "POST auth/login" {
			s.do(t, method, path, "").refused(t, name, switchboard.Unauthenticated, "")
		}
		if a := s.do(t, "PUT", path, "{}", token...); name != "GET events" && (a.status != 405 || a.header.Get("Allow") == "") {
			t.Errorf("PUT %s: %d, Allow %q", path, a.status, a.header.Get("Allow"))
		}
	}
	for _, path := range []string{"nothing", "auth/refresh", "auth/oidc/start", "tickets", "export"} {
		for _, method := range []string{"GET", "POST"} {
			s.do(t, method, "/api/v1/"+path, "", token...).refused(t, method+" "+path, switchboard.NotFound, "")
		}
	}
	if a := s.do(t, "DELETE", "/api/v1/me", "", token...); a.status != 405 {
		t.Errorf("DELETE me: %d", a.status)
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 404, "/debug/pprof/": 404, "/": 200} {
		if a := s.do(t, "GET", path, ""); a.status != want {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	s.end(t, "TERM")
}
