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
	"github.com/netra-systems/switchboard/config"
	"github.com/netra-systems/switchboard/node"
	"github.com/netra-systems/switchboard/terminal"
)

// cli is the command line: each field is a command.
type cli struct {
	Serve      serveCmd      `cmd:"" group:"use" help:"Run a server: log, agents, web page and API in one process."`
	Chat       chatCmd       `cmd:"" group:"use" help:"Chat at the terminal, or ask one thing from a script."`
	User       userCmd       `cmd:"" group:"run" help:"Add, list and remove who may log in."`
	Token      tokenCmd      `cmd:"" group:"run" help:"Make tokens for programs."`
	Store      storeCmd      `cmd:"" group:"run" help:"Check, back up and restore what is stored."`
	Config     configCmd     `cmd:"" group:"run" help:"Check a configuration file, or print one to begin with."`
	MCP        mcpCmd        `cmd:"" name:"mcp" group:"run" help:"List the tools of MCP servers, and allow changed ones."`
	Probe      probeCmd      `cmd:"" group:"run" help:"Walk the golden path of a running server and report how often and how fast it works."`
	Completion completionCmd `cmd:"" group:"know" help:"Print what completes commands and flags in a shell."`
	Man        manCmd        `cmd:"" group:"know" help:"Print the manual page."`
	Version    versionCmd    `cmd:"" group:"know" help:"Print the version."`
}

// groups are the headings of the help.
func groups() []kong.Group {
	return []kong.Group{
		{Key: "use", Title: "Start here:"},
		{Key: "run", Title: "Look after a server:"},
		{Key: "know", Title: "About the program:"},
		{Key: "ask", Title: "One question:"},
	}
}

// section is a part of the help of the program, below its commands.
type section struct{ title, text string }

var sections = []section{
	{"Examples", `    switchboard serve                        a server on http://127.0.0.1:8080
    switchboard chat                         chat with it; on its machine without a login
    switchboard chat -p "What is 12.5 * 8?"  one answer, for scripts
    switchboard user add ada                 somebody else may log in
    switchboard token create --user ada      a token for a program of hers
    switchboard config check my.yaml         what is wrong with a configuration file
    switchboard probe --data ./switchboard-data --runs 200 --users 10`},
	{"Environment", `Each flag of serve is a variable too, SWITCHBOARD_DATA and SWITCHBOARD_LISTEN among them; a flag wins. The help of a command
names them. Besides:

    SWITCHBOARD_ADMIN_PASSWORD  password of the first user, at the first start; without it one is made and told
    OPENAI_API_KEY              key of the model's server; also SWITCHBOARD_OPENAI_API_KEY
    OPENAI_BASE_URL             an OpenAI-compatible server; also SWITCHBOARD_OPENAI_BASE_URL
    SWITCHBOARD_URL             server of chat and probe
    SWITCHBOARD_USERNAME        who speaks in chat and probe, with SWITCHBOARD_PASSWORD, or instead
    SWITCHBOARD_TOKEN           a token
    NO_COLOR                    chat without styles`},
	{"Exit codes", `    0  it worked
    1  what was asked for did not work: a run without an answer, a probe below its objective, a server that cannot be reached
    2  a flag, a setting, a login or the machine has to be changed first`},
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

Start with "switchboard serve" and open the page it names, or run "switchboard chat".`

func main() { os.Exit(run(os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr})) }

// newParser makes the parser of the command line.
func newParser(c *cli, options ...kong.Option) (*kong.Kong, error) {
	return kong.New(c, append([]kong.Option{
		kong.Name("switchboard"), kong.Description(description), kong.UsageOnError(), kong.ExplicitGroups(groups()),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.Help(help),
	}, options...)...)
}

// help prints the help of a command, and below that of the program what else is to be known.
func help(o kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(o, ctx); err != nil || ctx.Selected() != nil {
		return err
	}
	for _, s := range sections {
		if _, err := fmt.Fprintf(ctx.Stdout, "\n%s:\n%s\n", s.title, s.text); err != nil {
			return err
		}
	}
	return nil
}

// run runs a command line and returns the exit code.
func run(args []string, s streams) int {
	var c cli
	exited := -1
	parser, err := newParser(&c, kong.Writers(s.out, s.err), kong.Exit(func(code int) { exited = code }))
	if err != nil {
		fmt.Fprintln(s.err, "switchboard:", err)
		return exitUsage
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 { // help was asked for and given
		return exited
	}
	if errors.As(err, new(config.Problems)) { // serve has validated its settings
		return exitCode(err, s.err)
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

// exitCode says in one line what went wrong, or in one for each problem of a configuration file. A server may have worded it, so it is cleaned.
func exitCode(err error, w io.Writer) int {
	var e *switchboard.Error
	var problems config.Problems
	say := func(text string) { fmt.Fprintln(w, "switchboard:", terminal.Clean(text)) }
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errSLO), errors.Is(err, errDamaged):
		return exitFailed
	case errors.As(err, &problems):
		for _, p := range problems {
			say(p.String())
		}
		return exitUsage
	case errors.Is(err, node.ErrSetting), errors.As(err, new(usageError)):
		say(err.Error())
		return exitUsage
	case errors.As(err, &e):
		message := e.Message
		if e.Field != "" {
			message = e.Field + ": " + message
		}
		if cause := e.Unwrap(); cause != nil {
			message += ": " + cause.Error()
		}
		say(message)
	default:
		say(err.Error())
	}
	return exitFailed
}

type serveCmd struct {
	node.Settings `embed:""`
}

// Help implements kong.HelpProvider.
func (serveCmd) Help() string {
	return `It runs until SIGTERM or Ctrl-C, and then hands over what it works on. It tells where it is and how to log in on stdout, and
nothing else; the log goes to stderr.

Agents, models and tools of your own are in a file that --config names; "switchboard config print-default" prints one to begin
with. A flag comes before its variable, a variable before the file. A file with models of its own does not go together with
--model.

Examples:

    switchboard serve
    OPENAI_API_KEY=sk-... switchboard serve --model gpt-5-mini
    switchboard serve --model ollama/llama3.2
    switchboard serve --config switchboard.yaml
    switchboard serve --listen 0.0.0.0:443 --tls-cert cert.pem --tls-key key.pem --allow-host chat.example.com
    switchboard serve --journal-url nats://nats-1:4222 --journal-replicas 3 --listen 127.0.0.1:8081

Exit codes: 0 stopped as asked, 1 serving failed, 2 it cannot start with these settings.`
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
