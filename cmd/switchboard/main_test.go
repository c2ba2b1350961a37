package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the test binary the command too: called as switchboard it is switchboard.
func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){"switchboard": main})
}

// parallel is how many tests run at once: they mostly wait.
const parallel = "24"

type tests struct{ m *testing.M }

func (x tests) Run() int {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		if err := flag.Set("test.parallel", parallel); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return x.m.Run()
}

// TestE2EScripts runs the scripts of testdata. Besides testscript's own commands they have:
//
//	server up [ARG…]        start a server; sets $URL, $ADDR, $PASSWORD (if told) and writes server.out
//	server TERM|INT|KILL    end it by a signal; the first two must give exit code 0 in time; writes server.out and server.err
//	refused CODE RE ARG…    switchboard ARG… prints nothing but one line on stderr that matches RE, and exits with CODE
//	[!] login NAME PASSWORD log in (it must fail)
//	[!] ready [RE]          ask /readyz (it must say what matches RE)
func TestE2EScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			e.Vars = append(e.Vars, briskly)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"server": scriptServer, "refused": scriptRefused, "login": scriptLogin, "ready": scriptReady,
		},
	})
}

// script is a script as a test.
type script struct{ *testscript.TestScript }

func (script) Helper()             {}
func (s script) Cleanup(fn func()) { s.Defer(fn) }
func (s script) Errorf(format string, args ...any) {
	s.Fatalf(format, args...)
}

func scriptServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: server up [ARG…] | TERM | INT | KILL")
	}
	if args[0] == "up" {
		s := serveWith(script{ts}, scriptEnv(ts), ts.Getenv("WORK"), args[1:]...)
		ts.Setenv("URL", s.url)
		ts.Setenv("ADDR", strings.TrimPrefix(s.url, "http://"))
		ts.Setenv("PASSWORD", s.password)
		ts.Check(os.WriteFile(ts.MkAbs("server.out"), s.out.bytes(), 0o600))
		scriptServers.Store(ts.Getenv("WORK"), s)
		return
	}
	v, _ := scriptServers.LoadAndDelete(ts.Getenv("WORK"))
	s, ok := v.(*server)
	if !ok {
		ts.Fatalf("no server runs")
	}
	s.end(script{ts}, args[0])
	ts.Check(os.WriteFile(ts.MkAbs("server.out"), s.out.bytes(), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("server.err"), s.err.bytes(), 0o600))
}

// scriptEnv is the environment of a script without what it was not given.
func scriptEnv(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range []string{"SWITCHBOARD_ADMIN_PASSWORD", "SWITCHBOARD_LISTEN", "SWITCHBOARD_DATA", "SWITCHBOARD_MODEL"} {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

func scriptRefused(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: refused CODE RE ARG…")
	}
	err := ts.Exec("switchboard", args[2:]...)
	code := "0"
	if err != nil {
		code = strings.TrimPrefix(err.Error(), "exit status ")
	}
	stdout, stderr := ts.ReadFile("stdout"), ts.ReadFile("stderr")
	switch {
	case code != args[0]:
		ts.Fatalf("exit code %s, want %s\n%s%s", code, args[0], stdout, stderr)
	case stdout != "":
		ts.Fatalf("stdout: %s", stdout)
	case strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "switchboard: "):
		ts.Fatalf("want one line that begins with the program's name:\n%s", stderr)
	case !regexp.MustCompile(args[1]).MatchString(stderr):
		ts.Fatalf("%s does not match %s", strings.TrimSpace(stderr), args[1])
	}
}

func scriptLogin(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] login NAME PASSWORD")
	}
	v, _ := scriptServers.Load(ts.Getenv("WORK"))
	s, ok := v.(*server)
	if !ok {
		ts.Fatalf("no server runs")
	}
	s.secret(args[1])
	_, err := s.tryLogin(args[0], args[1])
	if (err != nil) != neg {
		ts.Fatalf("login: %v", err)
	}
}

func scriptReady(ts *testscript.TestScript, neg bool, args []string) {
	v, _ := scriptServers.Load(ts.Getenv("WORK"))
	s, ok := v.(*server)
	if !ok || len(args) > 1 {
		ts.Fatalf("usage: [!] ready [RE], while a server runs")
	}
	a := s.do(script{ts}, "GET", "/readyz", "")
	if (a.status != 200) != neg || neg && !regexp.MustCompile(args[0]).Match(a.body) {
		ts.Fatalf("readyz: %d %s", a.status, a.body)
	}
}
