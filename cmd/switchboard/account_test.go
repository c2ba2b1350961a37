package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
)

// TestE2EAccounts removes a user who is connected, and gives the name to another, on a data folder whose path no socket
// address can hold.
func TestE2EAccounts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for len(dir) < 195 {
		dir = filepath.Join(dir, strings.Repeat("d", min(40, 195-len(dir))))
	}
	s := serve(t, dir)
	if len(s.data) < 200 {
		t.Fatalf("the path has %d bytes only", len(s.data))
	}
	token, kept := s.user(t, "ann"), s.user(t, "bob")
	ann, bob := newHistory(), newHistory()
	conn, other := ann.connect(t, s, token), bob.connect(t, s, kept)
	ack := say(t, conn, "What is 6 * 7?")
	untilEnd(t, conn, ack.RunID)
	if got := s.stored(t, token, ack.ThreadID); len(got) < 5 {
		t.Errorf("%d events over the JSON API", len(got))
	}
	fromLogin, err := s.tryLogin("ann", "the-password-of-ann")
	if err != nil {
		t.Fatal(err)
	}
	again := newHistory().connect(t, s, fromLogin)

	if out, errs, code := switchboardCLI(t, nil, "", "user", "remove", "ann", "--data", s.data); code != 0 || out != "removed ann\n" {
		t.Fatalf("%d %s%s", code, out, errs)
	}
	for _, c := range []*client.Conn{conn, again} {
		_, err := untilClosed(t, c)
		var ce *client.CloseError
		if !asClose(err, &ce) || ce.Code != switchboard.Codes[switchboard.Unauthenticated].Close || ce.Reconnect() {
			t.Errorf("closed with %v, want 4501", err)
		}
	}
	settled(t, other)
	refusedToken(t, s, token)
	refusedToken(t, s, fromLogin)
	if _, err := s.tryLogin("ann", "the-password-of-ann"); switchboard.CodeOf(err) != switchboard.Unauthenticated {
		t.Errorf("login: %v", err)
	}

	// The same name is another person.
	remade := s.user(t, "ann")
	refusedToken(t, s, token)
	fresh := newHistory()
	conn = fresh.connect(t, s, remade)
	untilType(t, conn, switchboard.TypeCaughtUp)
	if a := s.do(t, "GET", "/api/v1/threads", "", "Authorization", "Bearer "+remade); !strings.Contains(string(a.body), `"threads":[]`) {
		t.Errorf("the new ann has threads: %s", a.body)
	}
	if a := s.do(t, "GET", "/api/v1/threads/"+string(ack.ThreadID), "", "Authorization", "Bearer "+remade); a.status != 404 {
		t.Errorf("the new ann reads the old one's thread: %d", a.status)
	}
	stale := newHistory()
	stale.cursor = ann.cursor
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := client.Dial(ctx, client.Config{URL: s.url, Token: remade, Cursor: ann.cursor, Received: stale.take})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	untilType(t, c, switchboard.TypeCaughtUp)
	if len(stale.events) > 0 {
		t.Errorf("the old cursor gave %s", lines(stale.raw))
	}

	// A new password ends what the old one began.
	if _, errs, code := switchboardCLI(t, nil, "a-new-password\n", "user", "passwd", "bob", "--password-stdin", "--data", s.data); code != 0 {
		t.Fatal(errs)
	}
	if _, err := untilClosed(t, other); !strings.Contains(err.Error(), "4501") {
		t.Errorf("closed with %v", err)
	}
	refusedToken(t, s, kept)
	s.end(t, "TERM")

	// Without a server.
	offline := s.token(t, "ann")
	s.restart(t)
	var me struct{ User switchboard.User }
	a := s.do(t, "GET", "/api/v1/me", "", "Authorization", "Bearer "+offline)
	if err := json.Unmarshal(a.body, &me); err != nil || a.status != 200 || me.User.Name != "ann" {
		t.Errorf("%d %s %v", a.status, a.body, err)
	}
	newHistory().connect(t, s, offline)
	refusedToken(t, s, token)
}

// refusedToken checks that a token is good for nothing.
func refusedToken(t tb, s *server, token string) {
	t.Helper()
	if a := s.do(t, "GET", "/api/v1/me", "", "Authorization", "Bearer "+token); a.status != 401 {
		t.Errorf("JSON API: %d", a.status)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := client.Dial(ctx, client.Config{URL: s.url, Token: token})
	if err == nil {
		conn.Close()
	}
	if switchboard.CodeOf(err) != switchboard.Unauthenticated {
		t.Errorf("WebSocket: %v", err)
	}
}

// TestSecretsAreFound checks the check: a server that prints a secret fails its test.
func TestSecretsAreFound(t *testing.T) {
	for _, c := range []struct {
		out, err string
		found    bool
	}{
		{"log in  admin / first-password\n", "all is well", false},
		{"log in  admin / first-password\nfirst-password", "", true},
		{"", "token=tok.tok.tok", true},
		{"", "level=DEBUG msg=first-password", true},
		{"", "WARNING: DATA RACE", true},
	} {
		s := &server{password: "first-password", secrets: []string{"tok.tok.tok"}, out: new(output), err: new(output)}
		s.out.b.WriteString(c.out)
		s.err.b.WriteString(c.err)
		var f fake
		s.check(&f)
		if f.failed != c.found {
			t.Errorf("%+v: found %v", c, f.failed)
		}
	}
}

// fake is a test that may fail.
type fake struct {
	testing.TB
	failed bool
}

func (f *fake) Helper()               {}
func (f *fake) Errorf(string, ...any) { f.failed = true }
