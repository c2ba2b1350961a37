// Command switchboard is the durable, user-isolated message router for AI chat.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/node"
)

// cli is the command line: each field is a command.
type cli struct {
	Serve   serveCmd   `cmd:"" help:"Run a server: log, agents, web page and API in one process."`
	Chat    chatCmd    `cmd:"" help:"Chat at the terminal, or ask one thing from a script."`
	Probe   probeCmd   `cmd:"" help:"Walk the golden path of a running server and report how often and how fast it works."`
	User    userCmd    `cmd:"" help:"Add, list and remove who may log in."`
	Token   tokenCmd   `cmd:"" help:"Make tokens for programs."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// streams are where commands read and write.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// The exit codes.
const (
	exitFailed = 1 // what was asked for did not work
	exitUsage  = 2 // a flag, a setting or the machine has to be changed first
)

const description = `Switchboard: users log in, send messages, agents with tools answer, and every device sees the same ordered
stream of events, through crashes, reconnects and deploys.

Start with "switchboard serve" and open the page it names.`

func main() { os.Exit(run(os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr})) }

// run runs a command line and returns the exit code.
func run(args []string, s streams) int {
	var c cli
	exited := -1
	parser, err := kong.New(&c, kong.Name("switchboard"), kong.Description(description), kong.UsageOnError(),
		kong.Writers(s.out, s.err), kong.Exit(func(code int) { exited = code }), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		fmt.Fprintln(s.err, "switchboard:", err)
		return exitUsage
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 { // help was asked for and given
		return exited
	}
	if err != nil {
		fmt.Fprintln(s.err, "switchboard:", err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	parsed.BindTo(ctx, (*context.Context)(nil))
	parsed.Bind(s)
	return exitCode(parsed.Run(), s.err)
}

// exitCode says in one line what went wrong.
func exitCode(err error, w io.Writer) int {
	var e *switchboard.Error
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errSLO):
		return exitFailed
	case errors.Is(err, node.ErrSetting), errors.As(err, new(usageError)):
		fmt.Fprintln(w, "switchboard:", err)
		return exitUsage
	case errors.As(err, &e):
		message := e.Message
		if e.Field != "" {
			message = e.Field + ": " + message
		}
		if cause := e.Unwrap(); cause != nil {
			message += ": " + cause.Error()
		}
		fmt.Fprintln(w, "switchboard:", message)
	default:
		fmt.Fprintln(w, "switchboard:", err)
	}
	return exitFailed
}

type serveCmd struct {
	node.Settings `embed:""`
}

// Run implements the command.
func (c *serveCmd) Run(ctx context.Context, s streams) error {
	return node.Serve(ctx, c.Settings, s.out, s.err)
}

type versionCmd struct{}

// Run implements the command.
func (versionCmd) Run(s streams) error {
	_, err := fmt.Fprintln(s.out, "switchboard", node.Version())
	return err
}
