package control

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/auth"
	"github.com/netra-systems/switchboard/journal/journaltest"
)

var (
	_ Admin = (*auth.Authority)(nil)
	_ Admin = (*Client)(nil)
)

// authority opens an Authority on a real engine.
func authority(t *testing.T) *auth.Authority {
	t.Helper()
	r, err := journaltest.Open(t).Records(t.Context(), "auth")
	if err != nil {
		t.Fatal(err)
	}
	a, err := auth.Open(t.Context(), auth.Config{}, r)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// accountsOnly is a server whose store nobody asks for.
type accountsOnly struct {
	Admin
	Store
	Pins
}

// serve serves until stop or the end of the test.
func serve(t *testing.T, dir string, a Admin) (stop func()) {
	t.Helper()
	s, err := Listen(dir, "http://127.0.0.1:8080", accountsOnly{Admin: a})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
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

func dialled(t *testing.T, dir string) *Client {
	t.Helper()
	c, err := Dial(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// longDir returns a folder whose path has more bytes than a socket address holds.
func longDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for len(dir) < 200 {
		dir = filepath.Join(dir, "a-folder-with-a-rather-long-name")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func wantCode(t *testing.T, what string, err error, code switchboard.Code, field string) {
	t.Helper()
	if switchboard.CodeOf(err) != code || err != nil && switchboard.AsError(err).Field != field {
		t.Errorf("%s: %v, want code %q, field %q", what, err, code, field)
	}
}

// A client learns where the server it administers is reached, for a token of it belongs nowhere else.
func TestURL(t *testing.T) {
	dir := t.TempDir()
	serve(t, dir, authority(t))
	if got, err := dialled(t, dir).URL(t.Context()); err != nil || got != "http://127.0.0.1:8080" {
		t.Errorf("%q, %v", got, err)
	}
}

// testAdmin is what every Admin must do; verify checks its tokens.
func testAdmin(t *testing.T, a Admin, verify func(context.Context, string) (auth.Identity, error)) {
	ctx := t.Context()
	acc, err := a.AddAccount(ctx, "Ann.B", auth.Operator, "correct horse")
	if err != nil || acc.Name != "ann.b" || acc.Role != auth.Operator || acc.ID == "" || acc.Created.IsZero() {
		t.Fatalf("AddAccount = %+v, %v", acc, err)
	}
	_, err = a.AddAccount(ctx, "ann.b", auth.Member, "correct horse")
	wantCode(t, "AddAccount of a twin", err, switchboard.Conflict, "name")
	_, err = a.AddAccount(ctx, "bob", auth.Member, "short")
	wantCode(t, "AddAccount with a short password", err, switchboard.Invalid, "password")
	_, err = a.AddAccount(ctx, "bob", auth.Member, "nul\x00 in <b>\"pass\"")
	wantCode(t, "AddAccount with a NUL", err, switchboard.Invalid, "password")
	_, err = a.AddAccount(ctx, "bob", "root", "correct horse")
	wantCode(t, "AddAccount with a bad role", err, switchboard.Invalid, "role")
	_, err = a.AddAccount(ctx, "..", auth.Member, strings.Repeat("\x01", auth.MaxPassword))
	wantCode(t, "AddAccount with the largest password", err, "", "")
	all, err := a.Accounts(ctx)
	if err != nil || len(all) != 2 || all[1] != acc {
		t.Errorf("Accounts = %+v, %v, want %+v", all, err, acc)
	}
	token, err := a.CreateToken(ctx, "ann.b", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if id, err := verify(ctx, token); err != nil || id.User.ID != acc.ID || time.Until(id.Expires) > time.Hour {
		t.Errorf("Verify = %+v, %v", id, err)
	}
	_, err = a.CreateToken(ctx, "ann.b", -1)
	wantCode(t, "CreateToken of the past", err, switchboard.Invalid, "ttl")
	_, err = a.CreateToken(ctx, "nobody", 0)
	wantCode(t, "CreateToken for nobody", err, switchboard.NotFound, "name")
	wantCode(t, "SetPassword", a.SetPassword(ctx, "ann.b", "another password"), "", "")
	_, err = verify(ctx, token)
	wantCode(t, "Verify after SetPassword", err, switchboard.Unauthenticated, "")
	for _, name := range []string{"ann.b", ".."} {
		wantCode(t, "RemoveAccount", a.RemoveAccount(ctx, name), "", "")
	}
	wantCode(t, "second RemoveAccount", a.RemoveAccount(ctx, ".."), switchboard.NotFound, "name")
	if all, err = a.Accounts(ctx); err != nil || len(all) != 0 {
		t.Errorf("Accounts = %+v, %v", all, err)
	}
}

func TestAdmin(t *testing.T) {
	a := authority(t)
	t.Run("authority", func(t *testing.T) { testAdmin(t, a, a.Verify) })
	for name, dir := range map[string]string{"client": t.TempDir(), "client of a long path": longDir(t)} {
		t.Run(name, func(t *testing.T) {
			stop := serve(t, dir, a)
			testAdmin(t, dialled(t, dir), a.Verify)
			stop()
			if left, _ := os.ReadDir(dir); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestNoServer(t *testing.T) {
	a := authority(t)
	for name, dir := range map[string]string{"short": t.TempDir(), "long": longDir(t), "missing": filepath.Join(t.TempDir(), "none")} {
		if _, err := Dial(dir); !errors.Is(err, ErrNotServing) {
			t.Errorf("Dial of a %s path: %v", name, err)
		}
		if name == "missing" {
			continue
		}
		// A server died and left its socket.
		l, err := listen(dir)
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		if _, err := os.Stat(filepath.Join(dir, socketName)); err != nil {
			t.Fatal(err)
		}
		if _, err := Dial(dir); !errors.Is(err, ErrNotServing) {
			t.Errorf("Dial of a dead server: %v", err)
		}
		stop := serve(t, dir, a)
		c := dialled(t, dir)
		if _, err := c.Accounts(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := Listen(dir, "http://127.0.0.1:8080", accountsOnly{Admin: a}); !errors.Is(err, ErrServing) {
			t.Errorf("a second server: %v", err)
		}
		stop()
		_, err = c.Accounts(t.Context())
		wantCode(t, "a call when the server has gone", err, switchboard.Unavailable, "")
	}
	if _, err := Listen(filepath.Join(t.TempDir(), "none"), "", accountsOnly{Admin: a}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Listen in a missing folder: %v", err)
	}
	short := t.TempDir()
	if err := os.WriteFile(filepath.Join(short, socketName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	serve(t, short, a) // a plain file in its place is no obstacle either
}

func TestOnlyTheOwner(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	serve(t, dir, authority(t))
	info, err := os.Stat(filepath.Join(dir, socketName))
	if err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("the socket's mode is %v, %v", info.Mode(), err)
	}
	me := os.Geteuid()
	for uid, want := range map[int]bool{0: true, me: true, me + 1: false, 65534: me == 65534} {
		if mayAdminister(uid) != want {
			t.Errorf("mayAdminister(%d) = %v", uid, !want)
		}
		if mayServe(uid) != (want || me == 0) {
			t.Errorf("mayServe(%d) = %v", uid, !(want || me == 0))
		}
	}
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere the mode decides")
	}
	// The listener sees who calls and turns a stranger away without a word.
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan int, 1)
	p := peerListener{l, func(uid int) bool { asked <- uid; return false }}
	done := make(chan struct{})
	go func() { defer close(done); p.Accept() }()
	conn, err := net.Dial("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("a stranger read %d bytes, %v", n, err)
	}
	if uid := <-asked; uid != me {
		t.Errorf("the caller is said to be user %d", uid)
	}
	l.Close()
	<-done
	if a, b := net.Pipe(); checkPeer(a, mayAdminister) == nil {
		t.Error("a connection without credentials passed")
	} else {
		a.Close()
		b.Close()
	}
}

func TestBadRequests(t *testing.T) {
	dir := t.TempDir()
	serve(t, dir, authority(t))
	c := dialled(t, dir)
	for _, r := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", addAccountPath, `{"name":"ann","role":"user","password":"correct horse","id":"x"}`, 400},
		{"POST", addAccountPath, `{"name":"ann","name":"bob","role":"user","password":"correct horse"}`, 400},
		{"POST", addAccountPath, `{"Name":"ann","role":"user","password":"correct horse"}`, 400},
		{"POST", addAccountPath, `{"name":"ann"`, 400},
		{"POST", addAccountPath, `{"name":"ann"}{}`, 400},
		{"POST", addAccountPath, `["ann"]`, 400},
		{"POST", addAccountPath, "{\"name\":\"\xff\"}", 400},
		{"POST", addAccountPath, ``, 400},
		{"POST", addAccountPath, `{"name":"` + strings.Repeat("a", maxBody) + `"}`, 413},
		{"POST", createTokenPath, `{"name":"ann","ttl_ns":1e300}`, 400},
		{"GET", accountsPath, ``, 405},
		{"POST", "/nothing", `{}`, 404},
	} {
		q, err := http.NewRequestWithContext(t.Context(), r.method, "http://control"+r.path, bytes.NewReader([]byte(r.body)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.http.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		got.Body.Close()
		if got.StatusCode != r.status {
			t.Errorf("%s %s %.40s: %d, want %d", r.method, r.path, r.body, got.StatusCode, r.status)
		}
	}
	if all, err := c.Accounts(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("Accounts = %v, %v", all, err)
	}
}
