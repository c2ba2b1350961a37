package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"github.com/netra-systems/switchboard/auth"
	"github.com/netra-systems/switchboard/auth/control"
	"github.com/netra-systems/switchboard/node"
)

// store says whose accounts are meant: those of the server that runs on a data folder, or of the folder itself.
type store struct {
	Data string `help:"Data folder of the server, running or not." default:"switchboard-data" env:"SWITCHBOARD_DATA" type:"path" placeholder:"DIR"`
}

// admin calls fn with the accounts.
func (c store) admin(ctx context.Context, fn func(control.Admin) error) error {
	return c.local(ctx, func(a control.Local) error { return fn(a) })
}

// local calls fn with all that can be done from the machine itself.
func (c store) local(ctx context.Context, fn func(control.Local) error) error {
	a, done, err := node.OpenLocal(ctx, c.Data)
	if err != nil {
		return err
	}
	defer done()
	return fn(a)
}

type userCmd struct {
	Add    userAddCmd    `cmd:"" help:"Add a user."`
	List   userListCmd   `cmd:"" help:"List all users."`
	Passwd userPasswdCmd `cmd:"" help:"Set a user's password."`
	Remove userRemoveCmd `cmd:"" help:"Remove a user; what they are connected with is closed."`
}

// Help implements kong.HelpProvider.
func (userCmd) Help() string {
	return `The server of the data folder may run or not; what is changed counts at once.

Examples:

    switchboard user add ada
    switchboard user add ops --role operator --password-stdin < password.txt
    switchboard user passwd admin`
}

// password is how a password is given: asked for at a terminal, or the first line of the input.
type password struct {
	PasswordStdin bool `help:"Read the password from the first line of the input instead of asking."`
}

func (p password) read(s streams) (string, error) {
	if f, ok := s.in.(*os.File); ok && !p.PasswordStdin {
		if !term.IsTerminal(int(f.Fd())) {
			return "", errors.New("no terminal to ask for the password at; use --password-stdin")
		}
		return askPassword(f, s.err)
	}
	line, err := bufio.NewReader(s.in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// askPassword asks at a terminal. Nothing is shown of what is typed, from before the question on.
func askPassword(in *os.File, out io.Writer) (string, error) {
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return "", err
	}
	defer term.Restore(int(in.Fd()), before)
	password, err := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{in, out}, "").ReadPassword("Password: ")
	if errors.Is(err, io.EOF) { // Ctrl-C or Ctrl-D
		fmt.Fprint(out, "\r\n")
		return "", usage("no password was given")
	}
	return password, err
}

type userAddCmd struct {
	store    `embed:""`
	password `embed:""`
	Name     string    `arg:"" help:"Name to log in with."`
	Role     auth.Role `help:"admin, operator or user." default:"user" enum:"admin,operator,user"`
}

// Run implements the command.
func (c *userAddCmd) Run(ctx context.Context, s streams) error {
	return c.admin(ctx, func(a control.Admin) error {
		p, err := c.read(s)
		if err != nil {
			return err
		}
		account, err := a.AddAccount(ctx, c.Name, c.Role, p)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(s.out, "added %s (%s)\n", account.Name, account.Role)
		return err
	})
}

type userListCmd struct {
	store `embed:""`
}

// Run implements the command.
func (c *userListCmd) Run(ctx context.Context, s streams) error {
	return c.admin(ctx, func(a control.Admin) error {
		accounts, err := a.Accounts(ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tROLE\tCREATED")
		for _, x := range accounts {
			fmt.Fprintf(w, "%s\t%s\t%s\n", x.Name, x.Role, x.Created.Format(time.DateTime))
		}
		return w.Flush()
	})
}

type userPasswdCmd struct {
	store    `embed:""`
	password `embed:""`
	Name     string `arg:"" help:"Name of the user."`
}

// Run implements the command.
func (c *userPasswdCmd) Run(ctx context.Context, s streams) error {
	return c.admin(ctx, func(a control.Admin) error {
		p, err := c.read(s)
		if err != nil {
			return err
		}
		if err := a.SetPassword(ctx, c.Name, p); err != nil {
			return err
		}
		_, err = fmt.Fprintf(s.out, "changed the password of %s\n", c.Name)
		return err
	})
}

type userRemoveCmd struct {
	store `embed:""`
	Name  string `arg:"" help:"Name of the user."`
}

// Run implements the command.
func (c *userRemoveCmd) Run(ctx context.Context, s streams) error {
	return c.admin(ctx, func(a control.Admin) error {
		if err := a.RemoveAccount(ctx, c.Name); err != nil {
			return err
		}
		_, err := fmt.Fprintf(s.out, "removed %s\n", c.Name)
		return err
	})
}

type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Make a token for a program; it is printed."`
}

type tokenCreateCmd struct {
	store `embed:""`
	User  string        `help:"Name of the user the program speaks for." required:"" placeholder:"NAME"`
	TTL   time.Duration `help:"How long the token is good for." default:"24h" name:"ttl"`
}

// Help implements kong.HelpProvider.
func (tokenCreateCmd) Help() string {
	return `The token speaks for the user until it ends, or the user is removed or gets another password.

Examples:

    SWITCHBOARD_TOKEN=$(switchboard token create --user ada --ttl 720h) switchboard chat -p "Good morning"`
}

// Run implements the command.
func (c *tokenCreateCmd) Run(ctx context.Context, s streams) error {
	return c.admin(ctx, func(a control.Admin) error {
		t, err := a.CreateToken(ctx, c.User, c.TTL)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(s.out, t)
		return err
	})
}
