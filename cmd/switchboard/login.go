package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	neturl "net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/auth"
	"github.com/netra-systems/switchboard/auth/control"
	"github.com/netra-systems/switchboard/client"
)

const (
	usualURL   = "http://127.0.0.1:8080"
	openTime   = 15 * time.Second // to connect
	localToken = 24 * time.Hour   // how long a token from the control socket is good for
)

// login says where the server is and who speaks.
type login struct {
	URL           string `help:"Server. Default: the one that runs on --data, else http://127.0.0.1:8080." env:"SWITCHBOARD_URL" name:"url" placeholder:"URL"`
	Data          string `help:"Data folder of a server on this machine, which lets its owner in." default:"switchboard-data" env:"SWITCHBOARD_DATA" type:"path" placeholder:"DIR"`
	User          string `help:"Name to log in with." env:"SWITCHBOARD_USERNAME" placeholder:"NAME"`
	PasswordStdin bool   `help:"Read the password from the first line of the input instead of asking."`
	Token         string `help:"Token of \"token create\" instead of a login; better given as a variable, which other users do not see." env:"SWITCHBOARD_TOKEN" placeholder:"TOKEN"`
	Forget        bool   `help:"Forget what was remembered for this server first."`
	Password      string `env:"SWITCHBOARD_PASSWORD" hidden:"" help:"Password."`
}

// remembered is a login that is kept.
type remembered struct {
	User    string           `json:"user"`
	Token   string           `json:"token"`
	Expires switchboard.Time `json:"expires_at"`
}

// open connects; how says in a line by what right, if nobody said it.
func (l *login) open(ctx context.Context, s streams) (c *client.Client, how string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	local, localURL := l.local(ctx)
	if local != nil {
		defer local.Close()
	}
	url := strings.TrimRight(cmp.Or(l.URL, localURL, usualURL), "/")
	if err := (client.Config{URL: url}).Validate(); err != nil {
		return nil, "", usage("--url: %s", switchboard.AsError(err).Message)
	}
	keep := openKeep()
	if l.Forget {
		keep.set(url, remembered{})
	}
	if l.Token != "" {
		c, err = connect(ctx, url, l.Token)
		return c, "", err
	}
	if r := keep.get(url); r.Token != "" && (l.User == "" || l.User == r.User && l.Password == "" && !l.PasswordStdin) {
		c, err = connect(ctx, url, r.Token)
		if !errors.As(err, new(usageError)) {
			return c, "", err
		}
		keep.set(url, remembered{}) // it has expired, or the server is another one
	}
	var r remembered
	switch {
	case l.User == "" && local != nil && localURL == url:
		if r, err = localLogin(ctx, local); err != nil {
			return nil, "", err
		}
		how = "You are " + r.User + ": the server of " + l.Data + " is yours."
	default:
		if r, err = l.byPassword(ctx, url, s); err != nil {
			return nil, "", err
		}
	}
	if c, err = connect(ctx, url, r.Token); err == nil {
		keep.set(url, r)
	}
	return c, how, err
}

// local finds the server of the data folder, and where devices reach it: nil if there is none.
func (l *login) local(ctx context.Context) (*control.Client, string) {
	c, err := control.Dial(l.Data)
	if err != nil {
		return nil, ""
	}
	url, err := c.URL(ctx)
	if err != nil {
		c.Close()
		return nil, ""
	}
	return c, url
}

// localLogin makes a token for admin, or whoever administers in its place.
func localLogin(ctx context.Context, c *control.Client) (remembered, error) {
	accounts, err := c.Accounts(ctx)
	if err != nil {
		return remembered{}, err
	}
	name := ""
	for _, a := range accounts {
		if a.Role == auth.Admin && (name == "" || a.Name == "admin") {
			name = a.Name
		}
	}
	if name == "" {
		return remembered{}, usage("nobody administers this server; log in with --user")
	}
	token, err := c.CreateToken(ctx, name, localToken)
	return remembered{name, token, switchboard.At(time.Now().Add(localToken))}, err
}

// byPassword logs in with a name and a password, which are asked for if need be.
func (l *login) byPassword(ctx context.Context, url string, s streams) (remembered, error) {
	name, secret := l.User, l.Password
	in, isFile := s.in.(*os.File)
	atTerminal := isFile && term.IsTerminal(int(in.Fd()))
	if name == "" {
		if !atTerminal {
			return remembered{}, usage("who are you? Use --user, --token or SWITCHBOARD_TOKEN; or --data, for a server of yours on this machine")
		}
		fmt.Fprintf(s.err, "Log in to %s\nName: ", url)
		var err error
		if name, err = readLine(in); err != nil {
			return remembered{}, err
		}
	}
	if secret == "" {
		if !atTerminal && !l.PasswordStdin {
			return remembered{}, usage("no terminal to ask for the password at; use --password-stdin or SWITCHBOARD_PASSWORD")
		}
		var err error
		if secret, err = (password{l.PasswordStdin}).read(s); err != nil {
			return remembered{}, err
		}
	}
	if readable(url) {
		fmt.Fprintf(s.err, "switchboard: the password crosses the network to %s in the clear; https does not let it be read\n", url)
	}
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	session, err := client.Login(ctx, client.Config{URL: url}, strings.TrimSpace(name), secret)
	if err != nil {
		return remembered{}, notOpened(url, err)
	}
	return remembered{session.User.Name, session.Token, session.ExpiresAt}, nil
}

// readable reports whether what is sent to a server can be read on the way.
func readable(server string) bool {
	u, err := neturl.Parse(server)
	if err != nil || u.Scheme != "http" {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() != "localhost" && (err != nil || !ip.IsLoopback())
}

// readLine reads a line and nothing after it.
func readLine(r io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); ; {
		if n, err := r.Read(b); err != nil {
			return "", err
		} else if n == 1 && b[0] == '\n' {
			return strings.TrimSpace(string(line)), nil
		} else {
			line = append(line, b[:n]...)
		}
	}
}

func connect(ctx context.Context, url, token string) (*client.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	c, err := client.Open(ctx, client.Config{URL: url, Token: token})
	if switchboard.CodeOf(err) == switchboard.Unauthenticated {
		return nil, usage("the server does not accept this token")
	}
	return c, notOpened(url, err)
}

// notOpened says for people why there is no connection.
func notOpened(url string, err error) error {
	var e *switchboard.Error
	var op *net.OpError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e) && e.Code == switchboard.Unauthenticated:
		return usage("log in: %s", e.Message)
	case errors.As(err, &e) && e.Code == switchboard.RateLimited && e.RetryAfter > 0:
		return usage("log in: %s; again in %v", e.Message, e.RetryAfter.Round(time.Second))
	case errors.As(err, &op) && op.Op == "dial":
		return fmt.Errorf("no server answers at %s (%w); \"switchboard serve\" starts one", url, op.Err)
	}
	return fmt.Errorf("%s: %w", url, err)
}

// keep is a file of logins by URL, which only its owner reads.
type keep string

func openKeep() keep {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "" // nothing is remembered
	}
	return keep(filepath.Join(dir, "switchboard", "logins.json"))
}

func (k keep) all() map[string]remembered {
	all := map[string]remembered{}
	if b, err := os.ReadFile(string(k)); err == nil {
		_ = json.Unmarshal(b, &all) // a broken file remembers nothing
	}
	return all
}

// get returns what is remembered for a server; a login that is about to expire is not.
func (k keep) get(url string) remembered {
	r := k.all()[url]
	if time.Until(r.Expires.Time) < time.Minute {
		return remembered{}
	}
	return r
}

// set remembers a login, or forgets it if it is empty. It is no fault if that does not work: one logs in again.
func (k keep) set(url string, r remembered) {
	all := k.all()
	if all[url] == r || k == "" {
		return
	}
	if all[url] = r; r.Token == "" {
		delete(all, url)
	}
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil || os.MkdirAll(filepath.Dir(string(k)), 0o700) != nil {
		return
	}
	temp, err := os.CreateTemp(filepath.Dir(string(k)), ".logins-") // with mode 0600
	if err != nil {
		return
	}
	defer os.Remove(temp.Name()) // unless it was moved
	_, err = temp.Write(append(b, '\n'))
	if err = errors.Join(err, temp.Close()); err == nil {
		_ = os.Rename(temp.Name(), string(k))
	}
}
