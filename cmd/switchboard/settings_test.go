package main

import (
	"io"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

func commands(t *testing.T) *kong.Application {
	t.Helper()
	parser, err := kong.New(new(cli), kong.Writers(io.Discard, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model
}

func commandNode(t *testing.T, name string) *kong.Node {
	t.Helper()
	for _, n := range commands(t).Children {
		if n.Name == name {
			return n
		}
	}
	t.Fatalf("there is no command %s", name)
	return nil
}

// unset lists the flags of a command that no variable of ours sets, or that share one.
func unset(n *kong.Node) []string {
	var out []string
	flags := map[string]string{}
	for _, f := range n.Flags {
		ours := ""
		for _, env := range f.Envs {
			if strings.HasPrefix(env, "SWITCHBOARD_") {
				ours = env
			}
		}
		if ours == "" || flags[ours] != "" {
			out = append(out, f.Name)
		}
		flags[ours] = f.Name
	}
	return out
}

func TestEveryServeFlagHasItsVariable(t *testing.T) {
	serve := commandNode(t, "serve")
	if missing := unset(serve); len(missing) > 0 {
		t.Errorf("no SWITCHBOARD_ variable of its own: %v", missing)
	}
	if len(serve.Flags) < 15 {
		t.Errorf("only %d flags were seen", len(serve.Flags))
	}
	for _, f := range serve.Flags {
		if !f.Hidden && f.Help == "" {
			t.Errorf("--%s says nothing about itself", f.Name)
		}
	}
	// A flag without one is found.
	var planted struct {
		Serve struct {
			A string
			B string `env:"OPENAI_API_KEY"`
			C string `env:"SWITCHBOARD_C"`
			D string `env:"SWITCHBOARD_C"`
		} `cmd:""`
	}
	parser, err := kong.New(&planted)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(unset(parser.Model.Children[0]), " "); got != "a b d" {
		t.Errorf("found %q", got)
	}
}

// TestE2EVariables sets each flag of serve by its variable to what it refuses, or finds it in the help.
func TestE2EVariables(t *testing.T) {
	t.Parallel()
	help, _, _ := switchboardCLI(t, nil, "", "serve", "--help")
	for _, f := range commandNode(t, "serve").Flags {
		if !f.Hidden && !strings.Contains(help, "--"+f.Name) {
			t.Errorf("the help does not have --%s", f.Name)
		}
		for _, env := range f.Envs {
			if !f.Hidden && !strings.Contains(help, "$"+env) {
				t.Errorf("the help does not have $%s", env)
			}
		}
	}
	for env, want := range map[string]string{
		"SWITCHBOARD_LISTEN=x":           "--listen x",
		"SWITCHBOARD_ADMIN_LISTEN=x":     "--admin-listen x",
		"SWITCHBOARD_MODEL=x":            "--model x",
		"SWITCHBOARD_CONFIG=x":           "--config ",
		"SWITCHBOARD_OPENAI_BASE_URL=x":  "base URL",
		"OPENAI_BASE_URL=x":              "base URL",
		"SWITCHBOARD_FETCH_URL=x":        "--fetch-url",
		"SWITCHBOARD_JOURNAL_REPLICAS=x": "--journal-replicas",
		"SWITCHBOARD_JOURNAL_SYNC=x":     "--journal-sync",
		"SWITCHBOARD_ALLOW_ORIGIN=x":     "--allow-origin",
		"SWITCHBOARD_ALLOW_HOST=x/y":     "--allow-host",
		"SWITCHBOARD_TRUST_PROXY=x":      "--trust-proxy x",
		"SWITCHBOARD_TLS_CERT=x":         "--tls-cert",
		"SWITCHBOARD_TLS_KEY=x":          "--tls-key",
		"SWITCHBOARD_LOG_LEVEL=x":        "--log-level",
		"SWITCHBOARD_LOG_FORMAT=x":       "--log-format",
		"SWITCHBOARD_DATA=/dev/null/x":   "--data /dev/null/x",
		"SWITCHBOARD_JOURNAL_URL=nats://user:the-secret-word@127.0.0.1:1": "--journal-url",
	} {
		name, _, _ := strings.Cut(env, "=")
		vars := []string{"SWITCHBOARD_LISTEN=127.0.0.1:0", "SWITCHBOARD_DATA=" + t.TempDir(), env}
		out, errs, code := switchboardCLI(t, vars, "", "serve")
		if code != exitUsage || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, want) || strings.Contains(errs, "the-secret-word") {
			t.Errorf("%s: exit code %d, %s%s", name, code, out, errs)
		}
	}
}
