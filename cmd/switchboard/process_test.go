package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/netra-systems/switchboard/client"
)

// tb is what tests and scripts have in common.
type tb interface {
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
}

const (
	startTime = 30 * time.Second // for a server to start on a busy machine
	stopTime  = 5 * time.Second  // for a server to stop, as promised
)

// scriptServers holds the server of each script, by its folder.
var scriptServers sync.Map

// output collects what a process prints.
type output struct {
	mu      sync.Mutex // guards all below
	b       bytes.Buffer
	changed chan struct{}
}

// Write appends.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.changed != nil {
		close(o.changed)
		o.changed = nil
	}
	return o.b.Write(p)
}

func (o *output) bytes() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.b.Bytes())
}

// next is closed when more is printed.
func (o *output) next() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.changed == nil {
		o.changed = make(chan struct{})
	}
	return o.changed
}

// await waits until the output matches, or the process ends.
func (o *output) await(re *regexp.Regexp, ended <-chan struct{}) []string {
	late := time.NewTimer(startTime)
	defer late.Stop()
	for {
		changed := o.next()
		if m := re.FindStringSubmatch(string(o.bytes())); m != nil {
			return m
		}
		select {
		case <-changed:
		case <-ended:
			return nil
		case <-late.C:
			return nil
		}
	}
}

// briskly takes the race detector's last second from processes that end.
const briskly = "GORACE=atexit_sleep_ms=10"

// command is switchboard as a process, with none of the surrounding settings.
func command(ctx context.Context, env []string, args ...string) *exec.Cmd {
	path, err := exec.LookPath("switchboard") // put there by testscript.Main
	if err != nil {
		panic(err)
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Args[0] = "switchboard"
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SWITCHBOARD_") && !strings.HasPrefix(v, "OPENAI_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(append(cmd.Env, briskly), env...)
	endWithParent(cmd)
	return cmd
}

// switchboardCLI runs a command to its end.
func switchboardCLI(t tb, env []string, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := command(ctx, env, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("switchboard %s: %v", strings.Join(args, " "), err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// server is a running `switchboard serve`. It logs everything, and what it prints is searched for its secrets.
type server struct {
	url, data string
	password  string // of admin, if it was told
	args, env []string
	out, err  *output

	cmd   *exec.Cmd
	ended chan struct{}

	mu      sync.Mutex // guards secrets
	secrets []string
}

// serve starts a server on a new folder with a known password of admin.
func serve(t tb, dir string, args ...string) *server {
	t.Helper()
	const password = "the-admin's-own-password"
	s := serveWith(t, []string{"SWITCHBOARD_ADMIN_PASSWORD=" + password}, dir, args...)
	s.password = password
	s.secret(password)
	return s
}

func serveWith(t tb, env []string, dir string, args ...string) *server {
	t.Helper()
	s := &server{data: filepath.Join(dir, "data"), args: args, env: env}
	s.start(t, "127.0.0.1:0")
	return s
}

var announced = regexp.MustCompile(`(?s)  page    (\S+)\n.*  log in  (?:admin / ([a-z0-9]{20,})\n|.*\n)`)

// start starts the process and waits until it has said where it is.
func (s *server) start(t tb, listen string) {
	t.Helper()
	s.out, s.err, s.ended = new(output), new(output), make(chan struct{})
	args := append([]string{"serve", "--log-level", "debug", "--listen", listen, "--data", s.data}, s.args...)
	cmd := command(context.Background(), s.env, args...)
	cmd.Stdout, cmd.Stderr = s.out, s.err
	s.cmd = cmd
	if err := cmd.Start(); err != nil {
		t.Fatalf("start: %v", err)
	}
	ended := s.ended
	go func() {
		_ = cmd.Wait() // its state says it too
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		s.check(t)
	})
	m := s.out.await(announced, ended)
	if m == nil {
		t.Fatalf("the server did not start:\n%s%s", s.out.bytes(), s.err.bytes())
	}
	s.url = m[1]
	if m[2] != "" {
		s.password = m[2]
	}
}

// restart starts the server again: the same folder, the same port.
func (s *server) restart(t tb) {
	t.Helper()
	s.check(t)
	s.start(t, strings.TrimPrefix(s.url, "http://"))
}

var signals = map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL}

// end ends the process by a signal. Asked kindly it must leave with exit code 0, in time.
func (s *server) end(t tb, signal string) {
	t.Helper()
	began := time.Now()
	if err := s.cmd.Process.Signal(signals[signal]); err != nil {
		t.Fatalf("signal: %v", err)
	}
	late := time.NewTimer(startTime)
	defer late.Stop()
	select {
	case <-s.ended:
	case <-late.C:
		_ = s.cmd.Process.Signal(syscall.SIGQUIT)
		<-s.ended
		t.Fatalf("the server does not end:\n%s", s.err.bytes())
	}
	s.check(t)
	if signal == "KILL" {
		return
	}
	if took := time.Since(began); took > stopTime {
		t.Errorf("it took %v to stop", took)
	}
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d after SIG%s:\n%s", code, signal, s.err.bytes())
	}
}

// secret adds texts that must not be printed.
func (s *server) secret(texts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets = append(s.secrets, texts...)
}

// check searches what the server printed: for secrets, the first password told once excepted, and for signs of trouble.
func (s *server) check(t tb) {
	t.Helper()
	out, errs := s.out.bytes(), s.err.bytes()
	told := []byte("admin / " + s.password + "\n")
	if s.password != "" && bytes.Count(out, told) == 1 {
		out = bytes.Replace(out, told, nil, 1)
	}
	s.mu.Lock()
	secrets := append([]string{s.password}, s.secrets...)
	s.mu.Unlock()
	for _, x := range secrets {
		if x != "" && (bytes.Contains(out, []byte(x)) || bytes.Contains(errs, []byte(x))) {
			t.Errorf("a secret was printed:\n%s%s", out, errs)
		}
	}
	for _, sign := range []string{"DATA RACE", "panic", "goroutine ", "crossed"} {
		if bytes.Contains(errs, []byte(sign)) {
			t.Errorf("the log holds %q:\n%s", sign, errs)
		}
	}
}

// tryLogin logs in; the token is a secret.
func (s *server) tryLogin(name, password string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	session, err := client.Login(ctx, client.Config{URL: s.url}, name, password)
	if err == nil {
		s.secret(session.Token)
	}
	return session.Token, err
}

// user adds a user and returns a token for it.
func (s *server) user(t tb, name string) string {
	t.Helper()
	password := "the-password-of-" + name
	s.secret(password)
	if out, errs, code := switchboardCLI(t, nil, password+"\n", "user", "add", name, "--password-stdin", "--data", s.data); code != 0 {
		t.Fatalf("user add: %d %s%s", code, out, errs)
	}
	return s.token(t, name)
}

// token makes a token on the command line.
func (s *server) token(t tb, name string) string {
	t.Helper()
	out, errs, code := switchboardCLI(t, nil, "", "token", "create", "--user", name, "--data", s.data)
	if code != 0 || strings.Count(out, "\n") != 1 || errs != "" {
		t.Fatalf("token create: %d %s%s", code, out, errs)
	}
	token := strings.TrimSpace(out)
	s.secret(token)
	return token
}

// answer is an answer over HTTP.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request; header holds pairs of names and values. "Host" is the host.
func (s *server) do(t tb, method, path, body string, header ...string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatalf("%v", err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		} else if header[i+1] == "" {
			req.Header.Del(header[i])
		} else {
			req.Header.Set(header[i], header[i+1])
		}
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusSwitchingProtocols {
		return answer{res.StatusCode, res.Header, nil}
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer{res.StatusCode, res.Header, b}
}
