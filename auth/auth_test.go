package auth

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netra-systems/switchboard"
)

const password = "correct horse"

func open(t *testing.T, cfg Config, r Records) *Authority {
	t.Helper()
	a, err := Open(t.Context(), cfg, r)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// run follows the records until stop, or until the test ends.
func run(t *testing.T, a *Authority) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stopped := false
	stop = func() {
		if cancel(); stopped {
			return
		}
		stopped = true
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func add(t *testing.T, a *Authority, name string, role Role) Account {
	t.Helper()
	acc, err := a.AddAccount(t.Context(), name, role, password)
	if err != nil {
		t.Fatal(err)
	}
	return acc
}

func login(t *testing.T, a *Authority, name string) (string, Identity) {
	t.Helper()
	token, id, err := a.Login(t.Context(), name, password, "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	return token, id
}

func wantCode(t *testing.T, what string, err error, code switchboard.Code, field string) {
	t.Helper()
	if switchboard.CodeOf(err) != code || err != nil && switchboard.AsError(err).Field != field {
		t.Errorf("%s: %v, want code %q, field %q", what, err, code, field)
	}
}

// wantEnd waits for the end of a session.
func wantEnd(t *testing.T, what string, ended <-chan struct{}) {
	t.Helper()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Fatalf("%s: the session did not end", what)
	}
}

func isOpen(ended <-chan struct{}) bool {
	select {
	case <-ended:
		return false
	default:
		return true
	}
}

func TestAccounts(t *testing.T) {
	a, ctx := open(t, Config{}, storedRecords(t)()), t.Context()
	for _, c := range []struct {
		name     string
		role     Role
		password string
		code     switchboard.Code
		field    string
	}{
		{"alice", Member, password, "", ""},
		{"Alice", Member, password, switchboard.Conflict, "name"},
		{"Bob.O-Ops_1@example.org", Operator, password, "", ""},
		{"..", Admin, "eight ch", "", ""},
		{strings.Repeat("a", 64), Member, strings.Repeat("p", MaxPassword), "", ""},
		{strings.Repeat("a", 65), Member, password, switchboard.Invalid, "name"},
		{"", Member, password, switchboard.Invalid, "name"},
		{"al ice", Member, password, switchboard.Invalid, "name"},
		{"al*", Member, password, switchboard.Invalid, "name"},
		{"\u212a", Member, password, switchboard.Invalid, "name"}, // the Kelvin sign folds to k
		{"аlice", Member, password, switchboard.Invalid, "name"},
		{"carol", "root", password, switchboard.Invalid, "role"},
		{"carol", "", password, switchboard.Invalid, "role"},
		{"carol", Member, "seven c", switchboard.Invalid, "password"},
		{"carol", Member, strings.Repeat("p", MaxPassword+1), switchboard.Invalid, "password"},
		{"carol", Member, "nul\x00inside", switchboard.Invalid, "password"},
		{"carol", Member, "latin \xe9\xe8", switchboard.Invalid, "password"},
	} {
		_, err := a.AddAccount(ctx, c.name, c.role, c.password)
		wantCode(t, "AddAccount "+c.name, err, c.code, c.field)
	}
	all, err := a.Accounts(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, acc := range all {
		names = append(names, acc.Name)
		if _, err := switchboard.ParseUserID(string(acc.ID)); err != nil || acc.Created.IsZero() {
			t.Errorf("account %+v", acc)
		}
	}
	if !slices.Equal(names, []string{"..", strings.Repeat("a", 64), "alice", "bob.o-ops_1@example.org"}) {
		t.Errorf("accounts %q", names)
	}
	for name, err := range map[string]error{
		"SetPassword":   a.SetPassword(ctx, "nobody", password),
		"RemoveAccount": a.RemoveAccount(ctx, "nobody"),
	} {
		wantCode(t, name, err, switchboard.NotFound, "name")
	}
	wantCode(t, "SetPassword", a.SetPassword(ctx, "alice", "short"), switchboard.Invalid, "password")
}

func TestLogin(t *testing.T) {
	a, ctx := open(t, Config{}, storedRecords(t)()), t.Context()
	acc := add(t, a, "Ann", Operator)
	run(t, a)
	token, id, err := a.Login(ctx, "ANN", password, "192.0.2.1:1234")
	if err != nil {
		t.Fatal(err)
	}
	if id.User.ID != acc.ID || id.User.Name != "ann" || !slices.Equal(id.User.Roles, []string{"operator", "user"}) {
		t.Errorf("identity %+v", id)
	}
	if d := time.Until(id.Expires); d < 23*time.Hour || d > 24*time.Hour {
		t.Errorf("expires in %v", d)
	}
	got, err := a.Verify(ctx, token)
	if err != nil || got.User.ID != id.User.ID || got.Session != id.Session || !got.Expires.Equal(id.Expires) {
		t.Errorf("Verify = %+v, %v, want %+v", got, err, id)
	}
	for _, c := range []struct{ name, password string }{
		{"ann", "wrong password"}, {"nobody", password}, {"ann", ""}, {"", password}, {"not a name", password},
	} {
		_, _, err := a.Login(ctx, c.name, c.password, "192.0.2.1")
		wantCode(t, "Login "+c.name, err, switchboard.Unauthenticated, "")
		if m := switchboard.AsError(err).Message; m != "wrong name or password" {
			t.Errorf("Login %q tells more: %q", c.name, m)
		}
	}
	ended := a.Ended(id.Session)
	if !isOpen(ended) {
		t.Fatal("the session ended before Logout")
	}
	if err := a.Logout(ctx, id); err != nil {
		t.Fatal(err)
	}
	wantEnd(t, "Logout", ended)
	wantEnd(t, "Ended after the end", a.Ended(id.Session))
	_, err = a.Verify(ctx, token)
	wantCode(t, "Verify after Logout", err, switchboard.Unauthenticated, "")
	if err := a.Logout(ctx, id); err != nil {
		t.Errorf("second Logout: %v", err)
	}
}

func TestTwoNodes(t *testing.T) {
	node, ctx := storedRecords(t), t.Context()
	a, b := open(t, Config{}, node()), open(t, Config{}, node())
	run(t, a)
	run(t, b)
	add(t, a, "ann", Member)
	token, id := login(t, a, "ann")
	other, id2 := login(t, b, "ann") // either node knows the account at once
	for _, tok := range []string{token, other} {
		for _, n := range []*Authority{a, b} {
			if _, err := n.Verify(ctx, tok); err != nil {
				t.Errorf("a token made a moment ago: %v", err)
			}
		}
	}
	ended, ended2 := b.Ended(id.Session), b.Ended(id2.Session)
	if err := a.Logout(ctx, id); err != nil {
		t.Fatal(err)
	}
	wantEnd(t, "Logout on another node", ended)
	if !isOpen(ended2) {
		t.Error("Logout ended another session")
	}
	if err := a.SetPassword(ctx, "ann", "another password"); err != nil {
		t.Fatal(err)
	}
	wantEnd(t, "SetPassword on another node", ended2)
	for _, n := range []*Authority{a, b} {
		for _, tok := range []string{token, other} {
			_, err := n.Verify(ctx, tok)
			wantCode(t, "Verify of the ended", err, switchboard.Unauthenticated, "")
		}
	}
	_, _, err := b.Login(ctx, "ann", password, "")
	wantCode(t, "Login with the old password", err, switchboard.Unauthenticated, "")
	third, id3, err := b.Login(ctx, "ann", "another password", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Verify(ctx, third); err != nil {
		t.Fatal(err)
	}
	ended3 := b.Ended(id3.Session)
	if err := a.RemoveAccount(ctx, "ann"); err != nil {
		t.Fatal(err)
	}
	wantEnd(t, "RemoveAccount on another node", ended3)
	_, err = b.Verify(ctx, third)
	wantCode(t, "Verify of a removed account", err, switchboard.Unauthenticated, "")

	// A new account of the same name is somebody else.
	add(t, a, "ann", Member)
	_, err = b.Verify(ctx, third)
	wantCode(t, "Verify under a reused name", err, switchboard.Unauthenticated, "")
	if _, again := login(t, b, "ann"); again.User.ID == id.User.ID {
		t.Error("the reused name inherited the user id")
	}
}

func TestRestart(t *testing.T) {
	node := storedRecords(t)
	a := open(t, Config{}, node())
	add(t, a, "ann", Admin)
	stop := run(t, a)
	token, id := login(t, a, "ann")
	stop()
	b := open(t, Config{}, node())
	if _, err := b.Verify(t.Context(), token); err != nil { // before the records are followed
		t.Fatal(err)
	}
	if !isOpen(b.Ended(id.Session)) {
		t.Error("the session is said to have ended")
	}
	run(t, b)
	if got, err := b.Verify(t.Context(), token); err != nil || !slices.Equal(got.User.Roles, []string{"admin", "operator", "user"}) {
		t.Errorf("Verify after a restart: %+v, %v", got, err)
	}
	if _, err := open(t, Config{Issuer: "elsewhere"}, node()).Verify(t.Context(), token); switchboard.CodeOf(err) != switchboard.Unauthenticated {
		t.Errorf("another issuer's Verify: %v", err)
	}
}

func TestEnsureAdmin(t *testing.T) {
	a, ctx := open(t, Config{}, newMemory()), t.Context()
	if _, _, err := a.EnsureAdmin(ctx, "short"); switchboard.CodeOf(err) != switchboard.Invalid {
		t.Errorf("a short password: %v", err)
	}
	generated, created, err := a.EnsureAdmin(ctx, "")
	if err != nil || !created || len(generated) < 20 {
		t.Fatalf("EnsureAdmin = %q, %v, %v", generated, created, err)
	}
	if _, id, err := a.Login(ctx, "admin", generated, ""); err != nil || id.User.Roles[0] != "admin" {
		t.Errorf("Login as admin: %+v, %v", id, err)
	}
	if err := a.RemoveAccount(ctx, "admin"); err != nil {
		t.Fatal(err)
	}
	if generated, created, err = a.EnsureAdmin(ctx, password); err != nil || created || generated != "" {
		t.Errorf("second EnsureAdmin = %q, %v, %v", generated, created, err)
	}
	b := open(t, Config{}, newMemory())
	if generated, created, err = b.EnsureAdmin(ctx, password); err != nil || !created || generated != "" {
		t.Errorf("EnsureAdmin with a password = %q, %v, %v", generated, created, err)
	}
	login(t, b, "admin")
}

func TestCreateToken(t *testing.T) {
	a, ctx := open(t, Config{}, newMemory()), t.Context()
	add(t, a, "ann", Member)
	token, err := a.CreateToken(ctx, "Ann", 30*24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	id, err := a.Verify(ctx, token)
	if d := time.Until(id.Expires); err != nil || d < 29*24*time.Hour {
		t.Errorf("Verify = %+v, %v", id, err)
	}
	for _, ttl := range []time.Duration{-1, time.Millisecond, maxTokenTTL + 1} {
		_, err = a.CreateToken(ctx, "ann", ttl)
		wantCode(t, "CreateToken for "+ttl.String(), err, switchboard.Invalid, "ttl")
	}
	_, err = a.CreateToken(ctx, "nobody", 0)
	wantCode(t, "CreateToken for nobody", err, switchboard.NotFound, "name")
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := open(t, Config{TokenTTL: time.Hour}, newMemory())
		stop := run(t, a)
		add(t, a, "ann", Member)
		token, id := login(t, a, "ann")
		synctest.Wait()
		ended := a.Ended(id.Session)
		time.Sleep(time.Until(id.Expires) - time.Nanosecond)
		if _, err := a.Verify(t.Context(), token); err != nil || !isOpen(ended) {
			t.Errorf("a nanosecond before the end: %v", err)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		_, err := a.Verify(t.Context(), token)
		wantCode(t, "Verify of the expired", err, switchboard.Unauthenticated, "")
		if isOpen(ended) {
			t.Error("the session did not end")
		}
		if len(a.known.people) != 1 || len(a.known.people[id.User.ID].sessions) != 0 {
			t.Error("the expired session is still held")
		}
		stop()
	})
}

// TestSessionsOfARemovedAccount: a login in progress while the account goes leaves a session that never counts.
func TestSessionsOfARemovedAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, ctx := open(t, Config{}, newMemory()), t.Context()
		stop := run(t, a)
		add(t, a, "ann", Member)
		r, _, err := a.account(ctx, "ann") // what Login holds while it hashes
		if err != nil {
			t.Fatal(err)
		}
		if err := a.SetPassword(ctx, "ann", "another password"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		token, _, err := a.begin(ctx, "ann", r, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			_, err = a.Verify(ctx, token)
			wantCode(t, "Verify under the old password", err, switchboard.Unauthenticated, "")
			synctest.Wait()
		}
		if err := a.RemoveAccount(ctx, "ann"); err != nil {
			t.Fatal(err)
		}
		token, _, err = a.begin(ctx, "ann", r, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			_, err = a.Verify(ctx, token)
			wantCode(t, "Verify of a removed account", err, switchboard.Unauthenticated, "")
			synctest.Wait()
		}
		stop()
	})
}

func TestOldestSessionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, ctx := open(t, Config{SessionsPerUser: 3}, newMemory()), t.Context()
		stop := run(t, a)
		add(t, a, "ann", Member)
		var tokens []string
		for range 5 {
			token, _ := login(t, a, "ann")
			tokens = append(tokens, token)
			time.Sleep(time.Second)
		}
		for i, token := range tokens {
			_, err := a.Verify(ctx, token)
			if want := i < 2; (err != nil) != want {
				t.Errorf("session %d: %v", i, err)
			}
		}
		stop()
	})
}

func TestStoreDown(t *testing.T) {
	m := newMemory()
	a, ctx := open(t, Config{}, m), t.Context()
	add(t, a, "ann", Member)
	token, id := login(t, a, "ann")
	m.down = true
	_, err := a.Verify(ctx, token)
	wantCode(t, "Verify", err, switchboard.Unavailable, "")
	_, _, err = a.Login(ctx, "ann", password, "")
	wantCode(t, "Login", err, switchboard.Unavailable, "")
	wantCode(t, "Logout", a.Logout(ctx, id), switchboard.Unavailable, "")
	_, err = Open(ctx, Config{}, m)
	wantCode(t, "Open", err, switchboard.Unavailable, "")
	if _, err := Open(ctx, Config{TokenTTL: -1}, newMemory()); err == nil {
		t.Error("a bad setting was taken")
	}
}
