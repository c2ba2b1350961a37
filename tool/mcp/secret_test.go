package mcp

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard"
)

// TestServersQuoteKeys: a server that quotes the key it was given, as many do, puts it into no log and no call's error.
func TestServersQuoteKeys(t *testing.T) {
	s := newSite(t)
	g := newRig(t, newPins(t), s.config())
	g.log.await(t, "is connected", 1)
	good := s.now
	quote := func(methods ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			var m struct {
				ID     json.RawMessage
				Method string
			}
			_ = json.Unmarshal(b, &m)
			for _, method := range methods {
				if m.Method == method {
					w.Header().Set("Content-Type", "application/json")
					fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32000,"message":"bad key %s"}}`, m.ID, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
					return
				}
			}
			r.Body = io.NopCloser(strings.NewReader(string(b)))
			good.ServeHTTP(w, r)
		}
	}
	s.become(quote("tools/call"))
	g.wants(g.call(ann, "a_echo", `{}`), switchboard.CallError, "", "the tool's server refused the call: bad key [key]")
	s.become(quote("tools/call", "initialize", "server/discover"))
	s.CloseClientConnections()
	x := newRig(t, newPins(t), s.config())
	x.log.await(t, "bad key", 1)
	if strings.Contains(x.log.String(), "s3cret") {
		t.Errorf("a secret is in the log: %s", x.log)
	}
}

// TestUsersKeysAreQuoted: a key of one user alone is in no log either.
func TestUsersKeysAreQuoted(t *testing.T) {
	s := newSite(t)
	c := s.config()
	c.Headers["Authorization"] = `Bearer {{secret (printf "of-%.4s" .User.ID)}}`
	g := newRig(t, newPins(t), c)
	g.log.await(t, "is connected", 1)
	s.become(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		var m struct{ ID json.RawMessage }
		_ = json.Unmarshal(b, &m)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32000,"message":"bad key %s"}}`, m.ID, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	}))
	g.wants(g.call(ann, "a_echo", `{}`), switchboard.CallError, "", "does not answer")
	g.log.await(t, `bad key [key]"`, 1) // nothing is left of it
	if strings.Contains(g.log.String(), "s3cret") {
		t.Errorf("a secret is in the log: %s", g.log)
	}
}

// TestProgramsQuoteKeys: what a program says of its secrets is in no log, be it short or long, and no half of it.
func TestProgramsQuoteKeys(t *testing.T) {
	g := newRig(t, newPins(t), program("a", "leaks", `TOKEN={{secret "of-the-program"}}`))
	g.log.await(t, "told all", 1)
	if log := g.log.String(); strings.Contains(log, "s3cret") || strings.Count(log, `text=[key]`) == 0 || strings.Count(log, "x… [cut]") == 0 {
		t.Errorf("log: %s", log)
	}
}

// TestKeysInURLs: a key in a server's URL is in no log, also if the server sends us to where it is written otherwise.
func TestKeysInURLs(t *testing.T) {
	thief := newSite(t)
	for query, other := range map[string]string{
		"key=s3cret-of-the-url":           "key=s3cret-of-the-url",
		"v=1&key=s3cret%2fof%20url":       "key=s3cret/of+url",
		"s3cret-of-the-url":               "q=s3cret-of-the-url",
		"key=s3cret%2fof-the-url&more=1;": "key=s3cret%2fof-the-url",
	} {
		s := newSite(t)
		s.become(http.RedirectHandler(thief.URL+"/elsewhere/?w=2&"+other, http.StatusTemporaryRedirect))
		c := s.config()
		c.URL += "/?" + query
		g := newRig(t, newPins(t), c)
		g.log.await(t, "is away", 1)
		if log := g.log.String(); strings.Contains(log, "s3cret") || !strings.Contains(log, "elsewhere") {
			t.Errorf("log: %s", log)
		}
		g.stop()
	}
}
