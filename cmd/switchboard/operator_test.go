package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/netra-systems/switchboard/client"
)

var operators = regexp.MustCompile(`operators are served" address=(\S+)`)

// TestE2EOperators reads the figures on the operators' listener, and nowhere else.
func TestE2EOperators(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), "--admin-listen", "127.0.0.1:0")
	at := s.err.await(operators, s.ended)
	if at == nil {
		t.Fatalf("the log does not say where:\n%s", s.err.bytes())
	}
	token := s.user(t, "ann")
	conn := newHistory().connect(t, s, token)
	untilEnd(t, conn, say(t, conn, "My secret is tangerine. What is 6 * 7?").RunID)
	admin := &server{url: "http://" + at[1]}
	metrics := admin.do(t, "GET", "/metrics", "")
	if metrics.status != 200 || !bytes.Contains(metrics.body, []byte("\nswitchboard_crossed_lines_total 0\n")) ||
		!bytes.Contains(metrics.body, []byte(`switchboard_messages_total{outcome="ok",type="user_message"} 1`)) {
		t.Errorf("%d %s", metrics.status, metrics.body)
	}
	for _, x := range []string{"tangerine", token, "ann\"", s.password} {
		if bytes.Contains(metrics.body, []byte(x)) {
			t.Errorf("the figures hold %q", x)
		}
	}
	if a := admin.do(t, "GET", "/debug/pprof/cmdline", ""); a.status != 200 || bytes.Contains(a.body, []byte(s.password)) {
		t.Errorf("cmdline: %d %s", a.status, a.body)
	}
	if a := admin.do(t, "GET", "/api/v1/me", "", "Authorization", "Bearer "+token); a.status != 404 {
		t.Errorf("the API is served to operators: %d", a.status)
	}
	if a := s.do(t, "GET", "/metrics", ""); a.status != 404 {
		t.Errorf("the figures are served to everybody: %d", a.status)
	}
	s.end(t, "TERM")
}

// TestE2ETLS serves with a certificate: the cookie is for this host and TLS alone.
func TestE2ETLS(t *testing.T) {
	t.Parallel()
	cert, key, roots := certificate(t)
	s := serve(t, t.TempDir(), "--tls-cert", cert, "--tls-key", key)
	if !strings.HasPrefix(s.url, "https://127.0.0.1:") {
		t.Fatalf("page %s", s.url)
	}
	s.user(t, "ann")
	https := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer https.CloseIdleConnections()
	cfg := client.Config{URL: s.url, HTTPClient: https}
	session, err := client.Login(t.Context(), cfg, "ann", "the-password-of-ann")
	if err != nil {
		t.Fatal(err)
	}
	s.secret(session.Token)
	cfg.Token = session.Token
	conn, err := client.Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	settled(t, conn)
	res, err := https.Post(s.url+"/api/v1/auth/login", "application/json", strings.NewReader(`{"username":"ann","password":"the-password-of-ann"}`))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	c := res.Cookies()
	if len(c) != 1 || c[0].Name != "__Host-switchboard" || !c[0].Secure || !c[0].HttpOnly || c[0].SameSite != http.SameSiteStrictMode || c[0].Path != "/" {
		t.Fatalf("cookie: %+v", c)
	}
	s.secret(c[0].Value)
	if res.Header.Get("Strict-Transport-Security") == "" {
		t.Error("no HSTS")
	}
	plain, err := http.Get("http://" + strings.TrimPrefix(s.url, "https://") + "/healthz")
	if err == nil {
		plain.Body.Close()
		if plain.StatusCode == 200 {
			t.Error("served in the clear")
		}
	}
	s.end(t, "TERM")
}

// certificate makes one for 127.0.0.1.
func certificate(t *testing.T) (cert, key string, roots *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AddCert(parsed)
	return cert, key, roots
}
