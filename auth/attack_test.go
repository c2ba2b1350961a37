package auth

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"

	"github.com/netra-systems/switchboard"
)

// forge is a token in the making: a true one in which an attacker changes something.
type forge struct {
	header map[string]any
	claims jwt.MapClaims
	method jwt.SigningMethod
	key    any
}

// attacker is what an attacker has at hand; only ours is more than could be had.
type attacker struct {
	ours   signingKey
	theirs ed25519.PrivateKey
	rsa    *rsa.PrivateKey
	web    string // answers with keys
	id     Identity
	sid    string
	bob    switchboard.UserID
}

type forgery struct {
	name   string
	change func(*forge)
	good   bool
}

func forgeries(x attacker) []forgery {
	public := x.ours.private.Public().(ed25519.PublicKey)
	encoded, _ := x509.MarshalPKIXPublicKey(public)
	return []forgery{
		{"nothing changed", func(*forge) {}, true},
		{"another key", func(f *forge) { f.key = x.theirs }, false},
		{"alg none", func(f *forge) { f.method, f.key = jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType }, false},
		{"alg HS256, public key as secret", func(f *forge) {
			f.method, f.key = jwt.SigningMethodHS256, []byte(public)
		}, false},
		{"alg HS256, encoded public key as secret", func(f *forge) { f.method, f.key = jwt.SigningMethodHS512, encoded }, false},
		{"alg RS256", func(f *forge) { f.method, f.key = jwt.SigningMethodRS256, x.rsa }, false},
		{"alg written otherwise", func(f *forge) { f.header["alg"] = "eddsa" }, false},
		{"alg no string", func(f *forge) { f.header["alg"] = []string{"EdDSA"} }, false},
		{"no alg", func(f *forge) { delete(f.header, "alg") }, false},
		{"no kid", func(f *forge) { delete(f.header, "kid") }, false},
		{"kid unknown", func(f *forge) { f.header["kid"] = "another" }, false},
		{"kid empty", func(f *forge) { f.header["kid"], f.key = "", ed25519.NewKeyFromSeed(make([]byte, 32)) }, false},
		{"kid is a path", func(f *forge) { f.header["kid"] = "../../../../dev/null" }, false},
		{"kid is the record", func(f *forge) { f.header["kid"] = firstKey }, false},
		{"kid is a wildcard", func(f *forge) { f.header["kid"] = ">" }, false},
		{"kid is a query", func(f *forge) { f.header["kid"] = "x' UNION SELECT 'key" }, false},
		{"kid no string", func(f *forge) { f.header["kid"] = 1 }, false},
		{"jku", func(f *forge) { f.header["jku"], f.header["kid"], f.key = x.web+"/jku", "evil", x.theirs }, false},
		{"x5u", func(f *forge) { f.header["x5u"], f.header["kid"], f.key = x.web+"/x5u", "evil", x.theirs }, false},
		{"jwk", func(f *forge) {
			point := base64.RawURLEncoding.EncodeToString(x.theirs.Public().(ed25519.PublicKey))
			f.header["jwk"], f.key = map[string]string{"kty": "OKP", "crv": "Ed25519", "x": point}, x.theirs
		}, false},
		{"no exp", func(f *forge) { delete(f.claims, "exp") }, false},
		{"exp null", func(f *forge) { f.claims["exp"] = nil }, false},
		{"exp in the past", func(f *forge) { f.claims["exp"] = time.Now().Add(-time.Second).Unix() }, false},
		{"exp after the session's", func(f *forge) { f.claims["exp"] = x.id.Expires.Unix() + 1000 }, true}, // the session's counts
		{"not before tomorrow", func(f *forge) { f.claims["nbf"] = time.Now().Add(24 * time.Hour).Unix() }, false},
		{"wrong iss", func(f *forge) { f.claims["iss"] = "evil" }, false},
		{"no iss", func(f *forge) { delete(f.claims, "iss") }, false},
		{"wrong aud", func(f *forge) { f.claims["aud"] = "another service" }, false},
		{"no aud", func(f *forge) { delete(f.claims, "aud") }, false},
		{"no session", func(f *forge) { delete(f.claims, "sid") }, false},
		{"unknown session", func(f *forge) { f.claims["sid"] = rand.Text() }, false},
		{"session is a wildcard", func(f *forge) { f.claims["sid"] = ">" }, false},
		{"session is enormous", func(f *forge) { f.claims["sid"] = strings.Repeat("*", 2000) }, false},
		{"another user", func(f *forge) { f.claims["sub"] = string(x.bob) }, false},
		{"no user", func(f *forge) { delete(f.claims, "sub") }, false},
		{"user is a name", func(f *forge) { f.claims["sub"] = "bob" }, false},
		{"user and session shifted", func(f *forge) { f.claims["sub"], f.claims["sid"] = "", string(x.id.User.ID)+"."+x.sid }, false},
	}
}

func TestForgedTokens(t *testing.T) {
	asked := make(chan string, 8)
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.Path }))
	defer web.Close()
	a := open(t, Config{}, newMemory())
	add(t, a, "ann", Member)
	bob := add(t, a, "bob", Admin)
	run(t, a)
	_, id := login(t, a, "ann")
	x := attacker{web: web.URL, id: id, bob: bob.ID}
	x.ours, _ = a.known.signer()
	_, x.theirs, _ = ed25519.GenerateKey(nil)
	_, x.sid, _ = strings.Cut(id.Session, ".")
	var err error
	if x.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	for _, c := range forgeries(x) {
		f := forge{
			header: map[string]any{"alg": "EdDSA", "typ": "JWT", "kid": x.ours.id}, method: jwt.SigningMethodEdDSA, key: x.ours.private,
			claims: jwt.MapClaims{
				"iss": "switchboard", "aud": audience, "sub": string(id.User.ID), "sid": x.sid,
				"exp": id.Expires.Unix(), "iat": time.Now().Unix(), "jti": rand.Text(),
			},
		}
		c.change(&f)
		if f.header["alg"] == any("EdDSA") {
			f.header["alg"] = f.method.Alg()
		}
		token := &jwt.Token{Header: f.header, Claims: f.claims, Method: f.method}
		s, err := token.SignedString(f.key)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		got, err := a.Verify(t.Context(), s)
		if c.good {
			if err != nil || got.User.ID != id.User.ID || !got.Expires.Equal(id.Expires) {
				t.Errorf("%s: %+v, %v", c.name, got, err)
			}
			continue
		}
		wantRefused(t, c.name, got, err)
	}
	select {
	case path := <-asked:
		t.Errorf("a header made us fetch %s", path)
	default:
	}
}

// wantRefused checks for the one answer, without any detail.
func wantRefused(t *testing.T, what string, id Identity, err error) {
	t.Helper()
	if err == nil || err.Error() != unauthenticated().Error() || id.User.ID != "" || id.Session != "" {
		t.Errorf("%s: %+v, %v", what, id, err)
	}
}

func TestMisshapenTokens(t *testing.T) {
	a := open(t, Config{}, newMemory())
	add(t, a, "ann", Member)
	token, _ := login(t, a, "ann")
	head, rest, _ := strings.Cut(token, ".")
	body, sig, _ := strings.Cut(rest, ".")
	for name, s := range map[string]string{
		"empty": "", "one dot": "a.b", "dots": "..", "10⁶ dots": strings.Repeat(".", 1e6), "1 MB": strings.Repeat("a", 1<<20),
		"1 MB of claims": head + "." + strings.Repeat("A", 1<<20) + "." + sig, "four parts": token + ".x", "JWE": token + ".x.y",
		"no signature": head + "." + body + ".", "cut": token[:len(token)-1], "padded": token + "==", "space": token + " ",
		"newline": head + ".\n" + body + "." + sig, "swapped": body + "." + head + "." + sig, "Bearer": "Bearer " + token,
		"NUL": token + "\x00", "not base64": head + ".%%%." + sig, "not UTF-8": "\xff\xfe." + body + "." + sig,
	} {
		id, err := a.Verify(t.Context(), s)
		wantRefused(t, name, id, err)
	}
	// The size is looked at before anything is made of the token.
	for _, s := range []string{strings.Repeat(".", 1e6), strings.Repeat("a", 1<<20)} {
		if n := testing.AllocsPerRun(10, func() { a.parse(s) }); n > 0 {
			t.Errorf("%v allocations for %d bytes", n, len(s))
		}
	}
}

func TestKeyRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		a, b, ctx := open(t, Config{}, m), open(t, Config{}, m), t.Context()
		stopA, stopB := run(t, a), run(t, b)
		add(t, a, "ann", Member)
		first, _ := login(t, a, "ann")
		r := keyRecord{ID: "next", Seed: make([]byte, ed25519.SeedSize), Created: switchboard.At(time.Now())}
		rand.Read(r.Seed)
		v, _ := json.Marshal(r)
		if _, err := m.Create(ctx, keyKey+"2", v); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		second, _ := login(t, a, "ann")
		if header, _ := base64.RawURLEncoding.DecodeString(strings.Split(second, ".")[0]); !strings.Contains(string(header), `"next"`) {
			t.Errorf("the new key does not sign: %s", header)
		}
		for _, token := range []string{first, second} {
			if _, err := b.Verify(ctx, token); err != nil {
				t.Error(err)
			}
		}
		if err := m.Drop(ctx, keyKey+firstKey); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		id, err := b.Verify(ctx, first)
		wantRefused(t, "a token of a removed key", id, err)
		if _, err := b.Verify(ctx, second); err != nil {
			t.Error(err)
		}
		stopA()
		stopB()
	})
}

// TestFirstStartTogether: nodes that make the first key at the same time agree on one.
func TestFirstStartTogether(t *testing.T) {
	m := newMemory()
	nodes := make([]*Authority, 8)
	var wg sync.WaitGroup
	for i := range nodes {
		wg.Go(func() { nodes[i], _ = Open(context.Background(), Config{}, m) })
	}
	wg.Wait()
	add(t, nodes[0], "ann", Member)
	token, _ := login(t, nodes[0], "ann")
	for _, n := range nodes {
		if _, err := n.Verify(t.Context(), token); err != nil {
			t.Error(err)
		}
	}
}

// TestNoUserEnumeration: a name that does not exist costs the work, the reads and the answer of a wrong password.
func TestNoUserEnumeration(t *testing.T) {
	a, ctx := open(t, Config{}, newMemory()), t.Context()
	add(t, a, "ann", Member)
	var answers []string
	for _, name := range []string{"ann", "nobody", "no such name!"} {
		before := a.hashes.work.Load()
		_, _, err := a.Login(ctx, name, "wrong password", "192.0.2.1")
		answers = append(answers, fmt.Sprint(a.hashes.work.Load()-before, err))
	}
	for _, s := range answers {
		if s != answers[0] || !strings.HasPrefix(s, "1 ") {
			t.Errorf("answers differ: %q", answers)
		}
	}
	// The limit does not tell either.
	for _, name := range []string{"ann", "nobody"} {
		tries := 0
		for ; tries < 100; tries++ {
			if _, _, err := a.Login(ctx, name, "wrong password", ""); switchboard.CodeOf(err) == switchboard.RateLimited {
				break
			}
		}
		if tries != 9 {
			t.Errorf("%s: limited after %d more tries, want 9", name, tries)
		}
	}
	// What is refused for its form is refused before any work.
	before := a.hashes.work.Load()
	for _, c := range []struct{ name, password, field string }{
		{strings.Repeat("a", 65), password, "username"}, {"a\x00", password, "username"},
		{"ann", strings.Repeat("p", MaxPassword+1), "password"}, {"ann", "nul\x00nul\x00", "password"}, {"ann", "\xff", "password"},
	} {
		_, _, err := a.Login(ctx, c.name, c.password, "")
		wantCode(t, "Login", err, switchboard.Invalid, c.field)
	}
	if n := a.hashes.work.Load() - before; n != 0 {
		t.Errorf("%d hashes for logins without form", n)
	}
}

func TestBruteForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, ctx := open(t, Config{FailuresPerName: 5, FailuresPerOrigin: 12}, newMemory()), t.Context()
		for _, n := range []string{"ann", "bob", "carol"} {
			add(t, a, n, Member)
		}
		fail := func(name, from string) *switchboard.Error {
			_, _, err := a.Login(ctx, name, "wrong password", from)
			return switchboard.AsError(err)
		}
		for range 8 { // right passwords are free
			login(t, a, "ann")
		}
		for i := range 5 {
			if e := fail("ann", fmt.Sprintf("198.51.100.%d", i)); e.Code != switchboard.Unauthenticated {
				t.Fatalf("try %d: %v", i, e)
			}
		}
		e := fail("Ann", "198.51.100.99:7") // from elsewhere, in another case
		if e.Code != switchboard.RateLimited || e.RetryAfter <= 0 || e.RetryAfter > 12*time.Second {
			t.Fatalf("the sixth try: %v, retry after %v", e, e.RetryAfter)
		}
		if _, _, err := a.Login(ctx, "ann", password, ""); switchboard.CodeOf(err) != switchboard.RateLimited {
			t.Errorf("the right password told itself under the limit: %v", err)
		}
		login(t, a, "bob")
		time.Sleep(e.RetryAfter)
		login(t, a, "ann")

		// One attacker, many names, many addresses of one IPv6 network.
		limited := 0
		for i := range 20 {
			if fail(fmt.Sprintf("name%d", i), fmt.Sprintf("[2001:db8::%d]:1", i)).Code == switchboard.RateLimited {
				limited++
			}
		}
		if limited != 8 {
			t.Errorf("%d of 20 tries were limited, want 8", limited)
		}
		if e := fail("carol", "2001:db8:0:1::1"); e.Code != switchboard.Unauthenticated {
			t.Errorf("the neighbour network: %v", e)
		}
		// Guesses in parallel gain nothing.
		var tried atomic.Int64
		var wg sync.WaitGroup
		for range 40 {
			wg.Go(func() {
				if fail("parallel", "").Code == switchboard.Unauthenticated {
					tried.Add(1)
				}
			})
		}
		wg.Wait()
		if tried.Load() > 5 {
			t.Errorf("%d guesses in parallel", tried.Load())
		}
	})
}

func TestGuessTablesAreBounded(t *testing.T) {
	g := newGuesses(5, 5)
	for i := range maxGuessers + 1000 {
		end, err := g.begin(fmt.Sprint(i), fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255))
		if err != nil {
			t.Fatal(err)
		}
		end(true)
	}
	if n, m := g.names.buckets.Len(), g.addresses.buckets.Len(); n != maxGuessers || m != maxGuessers {
		t.Errorf("%d names, %d addresses", n, m)
	}
}

// TestEndedDoesNotLeak: asking for the end of sessions, of which there are none or many, holds nothing afterwards.
func TestEndedDoesNotLeak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := open(t, Config{}, newMemory())
		stop := run(t, a)
		add(t, a, "ann", Member)
		for range 100 {
			a.Ended(rand.Text())
			a.Ended("x." + rand.Text())
			token, err := a.CreateToken(t.Context(), "ann", 0)
			if err != nil {
				t.Fatal(err)
			}
			id, err := a.Verify(t.Context(), token)
			if err != nil || !isOpen(a.Ended(id.Session)) {
				t.Fatal(err)
			}
			if err := a.Logout(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if len(a.known.people) != 1 || len(a.known.names) != 1 {
			t.Errorf("%d people, %d names", len(a.known.people), len(a.known.names))
		}
		for _, p := range a.known.people {
			if len(p.sessions) != 0 {
				t.Errorf("%d sessions", len(p.sessions))
			}
		}
		stop()
	})
}

func FuzzVerify(f *testing.F) {
	a, err := Open(f.Context(), Config{}, newMemory())
	if err != nil {
		f.Fatal(err)
	}
	if _, err := a.AddAccount(f.Context(), "ann", Member, password); err != nil {
		f.Fatal(err)
	}
	token, err := a.CreateToken(f.Context(), "ann", time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"", "..", "e30.e30.", token[:len(token)-2] + "xx", strings.Replace(token, ".", "..", 1)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if s == token {
			return
		}
		id, err := a.Verify(t.Context(), s)
		wantRefused(t, s, id, err)
	})
}

func BenchmarkVerify(b *testing.B) {
	a, err := Open(b.Context(), Config{}, newMemory())
	if err != nil {
		b.Fatal(err)
	}
	if _, err := a.AddAccount(b.Context(), "ann", Member, password); err != nil {
		b.Fatal(err)
	}
	token, err := a.CreateToken(b.Context(), "ann", time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() { defer close(done); a.Run(ctx) }()
	for b.Loop() {
		if _, err := a.Verify(ctx, token); err != nil {
			b.Fatal(err)
		}
	}
	cancel()
	<-done
}
