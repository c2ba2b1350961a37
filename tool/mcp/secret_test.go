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
