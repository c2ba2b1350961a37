package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/client"
	"github.com/netra-systems/switchboard/terminal"
)

// usageError says what of the command line or the login has to be changed first.
type usageError string

// Error implements error.
func (e usageError) Error() string { return string(e) }

func usage(format string, args ...any) error { return usageError(fmt.Sprintf(format, args...)) }

const (
	longestPrompt = 256 << 10       // bytes of a message on the standard input: the server's limit for a frame
	stopWait      = 5 * time.Second // for a run to stop after Ctrl-C
)

type chatCmd struct {
	login   `embed:""`
	Prompt  *string `help:"Ask this and print the answer, for scripts; - reads it from the input." short:"p" placeholder:"TEXT" group:"ask"`
	JSON    bool    `help:"With -p: print each event of the run as a line of JSON instead." name:"json" group:"ask"`
	Final   bool    `help:"With -p: print the answer when it is complete, not while it is written." group:"ask"`
	Verbose bool    `help:"With -p: tell thoughts and tool calls on stderr." short:"v" group:"ask"`
	Thread  string  `help:"Go on in this conversation." env:"SWITCHBOARD_THREAD" placeholder:"ID"`
	Agent   string  `help:"Agent that answers. Default: the server's first." env:"SWITCHBOARD_AGENT" placeholder:"NAME"`
}

// Help implements kong.HelpProvider.
func (chatCmd) Help() string {
	return `At a terminal this is a chat: /help lists its commands, Ctrl-C stops an answer, and once more leaves. A restart of the
server does not end it.

Who you are: --token, --user (the password is asked for, or comes from --password-stdin or SWITCHBOARD_PASSWORD), or the login
that was remembered for this server. On the machine of a server whose data folder is yours nothing is needed: you are admin, by
its control socket.

With -p the answer goes to stdout as it is written, and nothing else does. If the server is lost while it writes, and another
try words it differently, stderr says so and the answer begins anew on a line of its own; --final never prints what becomes void.

Examples:

    switchboard chat
    switchboard chat --url https://chat.example.com --user ada
    switchboard chat -p "What is 12.5 * 8?"
    git diff | switchboard chat -p - --final > review.txt
    switchboard chat -p "What is 6 * 7?" --json | jq -r .type

Exit codes: 0 answered (or left), 1 the run failed or was stopped, or the server cannot be reached, 2 usage or login.`
}

// Run implements the command.
func (c *chatCmd) Run(ctx context.Context, s streams) error {
	question, err := c.question(s)
	if err != nil {
		return err
	}
	interactive := c.Prompt == nil
	in, out, err := terminals(s)
	if interactive && err != nil {
		return err
	}
	opened, how, err := c.open(ctx, s)
	if err != nil {
		return err
	}
	defer opened.Close()
	if !interactive {
		if how != "" && c.Verbose {
			fmt.Fprintln(s.err, how)
		}
		return parted(terminal.Once(ctx, opened, question, lastWord))
	}
	return parted(c.chat(ctx, opened, in, out, how))
}

// question returns what -p asks.
func (c *chatCmd) question(s streams) (terminal.Question, error) {
	q := terminal.Question{Agent: c.Agent, JSON: c.JSON, Final: c.Final, Verbose: c.Verbose, Out: s.out, Notes: s.err}
	if c.Thread != "" {
		id, err := switchboard.ParseThreadID(c.Thread)
		if err != nil {
			return q, usage("--thread: not the id of a conversation")
		}
		q.Thread = id
	}
	if c.Prompt == nil {
		if c.JSON || c.Final || c.Verbose {
			return q, usage("--json, --final and --verbose belong to -p")
		}
		return q, nil
	}
	q.Text = *c.Prompt
	if q.Text == "-" {
		if c.PasswordStdin {
			return q, usage("-p - and --password-stdin both read the input")
		}
		b, err := io.ReadAll(io.LimitReader(s.in, longestPrompt+1))
		if err != nil {
			return q, err
		}
		if len(b) > longestPrompt {
			return q, usage("-p -: at most %d bytes", longestPrompt)
		}
		q.Text = strings.ToValidUTF8(string(b), "\uFFFD")
	}
	if strings.TrimSpace(q.Text) == "" {
		return q, usage("-p: a text is needed")
	}
	return q, nil
}

// terminals returns the files of the terminal.
func terminals(s streams) (in, out *os.File, err error) {
	in, isIn := s.in.(*os.File)
	out, isOut := s.out.(*os.File)
	if !isIn || !isOut || !term.IsTerminal(int(in.Fd())) || !term.IsTerminal(int(out.Fd())) {
		return nil, nil, usage("no terminal to chat at; ask with -p")
	}
	return in, out, nil
}

// lastWord bounds the time for a run to stop; Ctrl-C once more ends the process.
func lastWord() (context.Context, context.CancelFunc) {
	signal.Reset()
	return context.WithTimeout(context.Background(), stopWait)
}

// chat is the chat at a terminal.
func (c *chatCmd) chat(ctx context.Context, opened *client.Client, in, out *os.File, how string) error {
	first := opened.Established()
	welcome := fmt.Sprintf("Switchboard %s, as %s. /help lists what there is.", first.Server.Version, first.User.Name)
	if how != "" {
		welcome = how + "\n" + welcome
	}
	thread, _ := switchboard.ParseThreadID(c.Thread) // question has checked it
	cfg := terminal.Config{
		Client: opened, Thread: thread, Agent: c.Agent, Welcome: welcome,
		Plain: os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb",
	}
	if dir, err := os.UserConfigDir(); err == nil {
		cfg.History = filepath.Join(dir, "switchboard", "history")
	}
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return err
	}
	defer term.Restore(int(in.Fd()), before)
	resized, stop := resizes()
	defer stop()
	return terminal.Run(ctx, terminal.Terminal{In: in, Out: out, Resized: resized, Size: func() (int, int) {
		w, h, err := term.GetSize(int(out.Fd()))
		if err != nil {
			return 0, 0
		}
		return w, h
	}}, cfg)
}

// parted says what a client's end means to a person.
func parted(err error) error {
	var ce *client.CloseError
	switch {
	case errors.As(err, &ce) && ce.Meaning() == switchboard.Replaced:
		return errors.New("too many devices are connected, and this one was the oldest")
	case errors.As(err, &ce) && ce.Meaning() == switchboard.Unauthenticated, switchboard.CodeOf(err) == switchboard.Unauthenticated:
		return usage("the login has ended; start again")
	}
	return err
}
