package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/netra-systems/switchboard/auth"
	"github.com/netra-systems/switchboard/auth/control"
	"github.com/netra-systems/switchboard/probe"
)

// errSLO says that the server worked less often than asked; the report has been printed.
var errSLO = errors.New("under the objective")

type probeCmd struct {
	URL         string        `help:"Server to probe." default:"http://127.0.0.1:8080" env:"SWITCHBOARD_URL" name:"url"`
	Runs        int           `help:"Messages to send." default:"100"`
	Users       int           `help:"Users (or, with one login, devices) that send at the same time." default:"5"`
	Devices     int           `help:"Devices of each user, which must all see the same." default:"1"`
	Data        string        `help:"Data folder of the server, on this machine: users are made for the probe and removed afterwards." type:"path" placeholder:"DIR" xor:"who"`
	Credentials string        `help:"File of lines NAME:PASSWORD, or one token a line." type:"existingfile" placeholder:"FILE" xor:"who"`
	Username    string        `help:"The one login to use." env:"SWITCHBOARD_USERNAME" hidden:""`
	Password    string        `help:"Its password." env:"SWITCHBOARD_PASSWORD" hidden:""`
	Token       string        `help:"Or its token." env:"SWITCHBOARD_TOKEN" hidden:""`
	SLO         float64       `help:"Least share of messages that must work; below it the exit code is 1." default:"0.995" name:"slo"`
	Timeout     time.Duration `help:"Longest time for one message." default:"60s"`
	Seed        uint64        `help:"Of the random questions; 0 picks one." default:"0"`
	JSON        bool          `help:"Print the report as JSON."`
}

// Help implements kong.HelpProvider.
func (probeCmd) Help() string {
	return `Who sends: users made for the probe with --data, those of --credentials, or the one login in SWITCHBOARD_USERNAME and
SWITCHBOARD_PASSWORD (or SWITCHBOARD_TOKEN).

Examples:

    switchboard probe --data ./switchboard-data --runs 200 --users 10
    SWITCHBOARD_TOKEN=... switchboard probe --url https://chat.example.com --runs 20 --json

Exit codes: 0 the objective was met, 1 it was not, or the server cannot be reached, 2 usage.`
}

// Run implements the command.
func (c *probeCmd) Run(ctx context.Context, s streams) (err error) {
	credentials, remove, err := c.credentials(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	report, err := probe.Run(ctx, probe.Config{
		URL: c.URL, Runs: c.Runs, Users: c.Users, Devices: c.Devices, Credentials: credentials, SLO: c.SLO, Timeout: c.Timeout, Seed: c.Seed,
	}, s.err)
	if err != nil {
		return err
	}
	if c.JSON {
		out := json.NewEncoder(s.out)
		out.SetIndent("", "  ")
		err = out.Encode(report)
	} else {
		_, err = fmt.Fprint(s.out, report)
	}
	if err == nil && !report.OK() {
		err = errSLO
	}
	return err
}

// credentials returns who sends, and what to do afterwards.
func (c *probeCmd) credentials(ctx context.Context) ([]probe.Credential, func() error, error) {
	nothing := func() error { return nil }
	switch {
	case c.Data != "":
		return c.makeUsers(ctx)
	case c.Credentials != "":
		list, err := readCredentials(c.Credentials)
		return list, nothing, err
	case c.Token != "":
		return []probe.Credential{{Token: c.Token}}, nothing, nil
	case c.Username != "":
		return []probe.Credential{{Username: c.Username, Password: c.Password}}, nothing, nil
	}
	return nil, nil, errors.New("who sends? Use --data, --credentials, or SWITCHBOARD_USERNAME and SWITCHBOARD_PASSWORD")
}

// makeUsers makes users for the probe; the function returned removes them.
func (c *probeCmd) makeUsers(ctx context.Context) ([]probe.Credential, func() error, error) {
	admin, err := control.Dial(c.Data)
	if err != nil {
		return nil, nil, fmt.Errorf("no server runs on %s: %w", c.Data, err)
	}
	stem := "probe-" + strings.ToLower(rand.Text()[:6])
	var list []probe.Credential
	remove := func() error {
		var errs []error
		for _, x := range list {
			errs = append(errs, admin.RemoveAccount(context.WithoutCancel(ctx), x.Username))
		}
		return errors.Join(errs...)
	}
	for i := range c.Users {
		x := probe.Credential{Username: fmt.Sprintf("%s-%d", stem, i+1), Password: rand.Text()}
		if _, err := admin.AddAccount(ctx, x.Username, auth.Member, x.Password); err != nil {
			return nil, nil, errors.Join(err, remove())
		}
		list = append(list, x)
	}
	return list, remove, nil
}

func readCredentials(file string) ([]probe.Credential, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []probe.Credential
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		name, password, ok := strings.Cut(line, ":")
		switch {
		case line == "" || line[0] == '#':
		case ok:
			list = append(list, probe.Credential{Username: name, Password: password})
		default:
			list = append(list, probe.Credential{Token: line})
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s holds no credentials", file)
	}
	return list, nil
}
