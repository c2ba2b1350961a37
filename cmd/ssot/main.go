// Command ssot finds second implementations of what has one owner, in any Go module, by the ssot.yaml beside its go.mod.
//
// It is a program of its own, which looks at a whole module, and a tool of go vet, which looks at each package:
//
//	ssot
//	go vet -vettool=$(which ssot) ./...
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"
	"golang.org/x/tools/go/analysis/unitchecker"

	"github.com/netra-systems/switchboard/internal/ssot"
)

// The exit codes.
const (
	clean    = 0
	found    = 1
	unusable = 2
)

// cli is the command line when a person runs it.
type cli struct {
	Config    string   `name:"config" short:"c" placeholder:"FILE" help:"The file to follow instead of the ssot.yaml beside go.mod. Not below go vet, whose cache would not see that it has changed."`
	Report    bool     `help:"Print the inventory too: each concept, its owner, and where its rules found something."`
	JSON      bool     `name:"json" help:"Print everything as one JSON object."`
	Reference bool     `help:"Print what a ssot.yaml may hold, as Markdown, and do nothing else."`
	Packages  []string `arg:"" optional:"" help:"Packages, as for go build. Without any, the whole module: only then what is missing is found too."`
}

const description = `Finds second implementations of what has one owner.

A file ssot.yaml beside go.mod names concepts (one router, one codec, one table of codes), the one owner of each, and rules that
say by what a second one is known. Findings name both places and say what to do. So are parts of the file that stand for nothing
any more. Tests are never looked at.

    ssot                                     the whole module
    ssot --report                            with the inventory
    ssot ./router                            one package
    go vet -vettool=$(which ssot) ./...      below go vet, with its cache

Exit codes: 0 nothing found, 1 findings, 2 the file or the code cannot be used.`

func main() {
	if vetted(os.Args[1:]) {
		unitchecker.Main(ssot.Analyzer(nil))
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// vetted reports whether go vet is asking, and answers it at once if it asks for the version.
func vetted(args []string) bool {
	for _, a := range args {
		if a == "-V=full" {
			os.Exit(version(os.Stdout, os.Stderr))
		}
		if a == "-flags" || strings.HasSuffix(a, ".cfg") {
			return true
		}
	}
	return false
}

// run does what the command line says, and returns the exit code.
func run(args []string, out, errs io.Writer) int {
	var c cli
	code := -1
	parser, err := kong.New(&c, kong.Name("ssot"), kong.Description(description), kong.Writers(out, errs),
		kong.Exit(func(i int) { code = i }), kong.ConfigureHelp(kong.HelpOptions{WrapUpperBound: 120}))
	if err != nil {
		fmt.Fprintln(errs, "ssot:", err)
		return unusable
	}
	_, err = parser.Parse(args)
	if code >= 0 { // help
		return code
	}
	if err != nil {
		fmt.Fprintln(errs, "ssot:", err, "(ssot --help tells more)")
		return unusable
	}
	if c.Reference {
		fmt.Fprint(out, ssot.Reference())
		return clean
	}
	report, err := ssot.Whole(ssot.Options{File: c.Config, Patterns: c.Packages})
	if err != nil {
		var bad *ssot.ConfigError
		if errors.As(err, &bad) {
			fmt.Fprintln(errs, bad)
		} else {
			fmt.Fprintln(errs, "ssot:", err)
		}
		return unusable
	}
	return c.print(report, out, errs)
}

// print writes what was found, and returns the exit code.
func (c cli) print(r *ssot.Report, out, errs io.Writer) int {
	code := clean
	if len(r.Findings) > 0 {
		code = found
	}
	if c.JSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(r); err != nil {
			fmt.Fprintln(errs, "ssot:", err)
			return unusable
		}
		return code
	}
	if c.Report {
		r.WriteInventory(out)
	}
	for _, f := range r.Findings {
		if !filepath.IsAbs(f.File) {
			f.File = path.Join(filepath.ToSlash(up()), f.File)
		}
		fmt.Fprintln(out, f)
	}
	fmt.Fprintln(errs, r.Summary())
	return code
}

// up returns the way from the current folder to the module's, so that places can be opened from here.
func up() string {
	here, err := filepath.Abs(".")
	if err != nil {
		return "."
	}
	m, err := ssot.FindModule(here)
	if err != nil {
		return "."
	}
	rel, err := filepath.Rel(here, m.Dir)
	if err != nil {
		return "."
	}
	return rel
}
