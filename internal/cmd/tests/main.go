// Command tests runs the tests of a category and sums up what came of them: how many, how long, which failed, and which
// were skipped and why.
//
//	go run ./internal/cmd/tests [-k NAME] [-v] [--race] [--url URL] [CATEGORY …]
//
// No services and no containers are needed: the tests start what they use, and end it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

type options struct {
	Category []string      `arg:"" optional:"" help:"mission, unit, integration, e2e, detection; all but mission, which is a part of them, if none is given."`
	Name     string        `short:"k" help:"Only tests whose name, or whose package, holds this; case and underscores do not matter." placeholder:"NAME"`
	Verbose  bool          `short:"v" help:"Print what the tests print, also of those that pass."`
	Race     bool          `help:"Under the race detector (needs a C compiler)."`
	URL      string        `help:"With e2e: the address of a server that is deployed. SWITCHBOARD_E2E_USERNAME and SWITCHBOARD_E2E_PASSWORD log in; what is added there is deleted again." placeholder:"URL"`
	List     bool          `help:"Print the categories and what is in them, and run nothing."`
	Timeout  time.Duration `help:"For each package." default:"10m"`
}

func main() {
	var o options
	kong.Parse(&o, kong.Name("tests"), kong.Description("Runs the tests of a category and sums up what came of them."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := o.run(ctx, os.Stdout)
	switch {
	case errors.Is(err, errFailed):
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "tests:", err)
		os.Exit(2)
	}
}
