package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func shellOrSkip(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skip(name + " is not installed")
	}
	return path
}

// shell runs a script.
func shell(t *testing.T, script string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

func TestE2ECompletion(t *testing.T) {
	t.Parallel()
	for name, check := range map[string][]string{"bash": {"bash", "-n"}, "zsh": {"zsh", "-n"}, "fish": {"fish", "--no-execute"}} {
		t.Run(name, func(t *testing.T) {
			script, errs, code := switchboardCLI(t, nil, "", "completion", name)
			if code != 0 || errs != "" {
				t.Fatalf("exit code %d: %s", code, errs)
			}
			for _, want := range []string{"chat", "user", "passwd", "--journal-sync", "admin"} {
				if name == "fish" {
					want = strings.TrimPrefix(want, "--")
				}
				if !strings.Contains(script, want) {
					t.Errorf("nothing of %s", want)
				}
			}
			if strings.Contains(script, "admin-password") {
				t.Error("a hidden flag is offered")
			}
			shellOrSkip(t, check[0])
			shell(t, script, check...)
		})
	}
	t.Run("completes", func(t *testing.T) {
		bash := shellOrSkip(t, "bash")
		script, _, _ := switchboardCLI(t, nil, "", "completion", "bash")
		for line, want := range map[string]string{
			"switchboard cha":                         "chat",
			"switchboard us":                          "user",
			"switchboard user pa":                     "passwd",
			"switchboard user add --ro":               "--role",
			"switchboard user add --role op":          "operator",
			"switchboard user add --role = op":        "operator",
			"switchboard serve --log-level w":         "warn",
			"switchboard serve --data x --log-fo":     "--log-format",
			"switchboard chat --thr":                  "--thread",
			"switchboard completion z":                "zsh",
			"switchboard serve --con":                 "--config",
			"switchboard config pr":                   "print-default",
			"switchboard config check completion_t":   "completion_test.go",
			"switchboard config check --he":           "--help",
			"switchboard config schema completion_t":  "",
			"switchboard token create --user ann --t": "--ttl",
			"switchboard token c":                     "create",
			"switchboard user list --ro":              "",
		} {
			got := shell(t, script+"\nCOMP_WORDS=("+line+"); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _switchboard; echo \"${COMPREPLY[*]}\"\n", bash)
			if strings.TrimSpace(got) != want {
				t.Errorf("%q is completed to %q, want %q", line, strings.TrimSpace(got), want)
			}
		}
	})
}

// TestManual: docs/switchboard.1 is the manual of this command line.
func TestManual(t *testing.T) {
	parser, err := newParser(new(cli))
	if err != nil {
		t.Fatal(err)
	}
	got := manual(parser.Model)
	want, err := os.ReadFile(filepath.Join("..", "..", "docs", "switchboard.1"))
	if err != nil || string(want) != got {
		t.Errorf("docs/switchboard.1 is out of date (%v); go run ./cmd/switchboard man > docs/switchboard.1", err)
	}
	for _, c := range pages(parser.Model) {
		for _, f := range c.flags {
			if f.Name != "help" && !strings.Contains(got, roff(flagName(f))) {
				t.Errorf("the manual lacks --%s of %s", f.Name, c.path)
			}
		}
	}
	if man, err := exec.LookPath("man"); err == nil {
		if out := shell(t, got, man, "--warnings", "-l", "-"); strings.Contains(out, "warning") {
			t.Errorf("the manual is not good:\n%s", out)
		}
	}
}

// TestHelpIsWorthReading: each command says how it is used, each flag what it does.
func TestHelpIsWorthReading(t *testing.T) {
	parser, err := newParser(new(cli))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range pages(parser.Model) {
		if c.path != "" && (c.help == "" || !strings.HasSuffix(c.help, ".")) {
			t.Errorf("%s: %q is no sentence", c.path, c.help)
		}
		for _, f := range c.flags {
			if f.Help == "" || !strings.HasSuffix(f.Help, ".") {
				t.Errorf("%s --%s: %q is no sentence", c.path, f.Name, f.Help)
			}
		}
	}
	for _, name := range []string{"serve", "chat", "user", "config", "probe", "completion", "man"} {
		if n := commandNode(t, name); !strings.Contains(n.Detail, "Examples:") {
			t.Errorf("the help of %s has no examples", name)
		}
	}
}
