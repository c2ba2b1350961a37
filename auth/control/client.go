package control

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/auth"
)

// Client administers a running server. Its methods return the errors of the server's Authority, and Unavailable when
// the server has gone.
type Client struct {
	http http.Client
}

// Dial finds the server that runs on a data folder. Close the Client. Errors: ErrNotServing, what the system says.
func Dial(dataDir string) (*Client, error) {
	conn, err := dial(context.Background(), dataDir)
	if err != nil {
		return nil, err
	}
	conn.Close()
	return &Client{http.Client{Timeout: longest, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, dataDir) },
	}}}, nil
}

// Close ends the client's connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// AddAccount makes an account: see auth.Authority.
func (c *Client) AddAccount(ctx context.Context, name string, role auth.Role, password string) (auth.Account, error) {
	var out auth.Account
	err := c.call(ctx, addAccountPath, addAccount{name, role, password}, &out)
	return out, err
}

// Accounts returns all accounts, by name.
func (c *Client) Accounts(ctx context.Context) ([]auth.Account, error) {
	var out []auth.Account
	err := c.call(ctx, accountsPath, accounts{}, &out)
	return out, err
}

// SetPassword replaces a password and ends the account's sessions.
func (c *Client) SetPassword(ctx context.Context, name, password string) error {
	return c.call(ctx, setPasswordPath, setPassword{name, password}, &switchboard.Empty{})
}

// RemoveAccount removes an account and ends its sessions.
func (c *Client) RemoveAccount(ctx context.Context, name string) error {
	return c.call(ctx, removeAccountPath, removeAccount{name}, &switchboard.Empty{})
}

// CreateToken returns a token for scripts.
func (c *Client) CreateToken(ctx context.Context, name string, ttl time.Duration) (string, error) {
	var out tokenCreated
	err := c.call(ctx, createTokenPath, createToken{name, int64(ttl)}, &out)
	return out.Token, err
}

// CheckStore reads everything that is stored and tells what is damaged.
func (c *Client) CheckStore(ctx context.Context) (StoreReport, error) {
	var out StoreReport
	err := c.call(ctx, checkStorePath, checkStore{}, &out)
	return out, err
}

// AcceptLoss lets the server be ready again without what is lost, and without what a check has found.
func (c *Client) AcceptLoss(ctx context.Context, findings []string) error {
	return c.call(ctx, acceptLossPath, acceptLoss{findings}, &switchboard.Empty{})
}

// BackUp has the server write a backup into a folder, named by an absolute path.
func (c *Client) BackUp(ctx context.Context, dir string) (StoreReport, error) {
	var out StoreReport
	err := c.call(ctx, backUpPath, backUp{dir}, &out)
	return out, err
}

// PinnedTools returns the tools that MCP servers have offered.
func (c *Client) PinnedTools(ctx context.Context) ([]PinnedTool, error) {
	var out []PinnedTool
	err := c.call(ctx, pinnedToolsPath, pinnedTools{}, &out)
	return out, err
}

// AllowTool lets a tool be used as its server offers it, with a definition whose hash begins so.
func (c *Client) AllowTool(ctx context.Context, server, tool, hash string) error {
	return c.call(ctx, allowToolPath, allowTool{server, tool, hash}, &switchboard.Empty{})
}

// URL returns where devices reach the server that runs on the data folder. A token of CreateToken belongs there and
// nowhere else: whoever listens at another address is somebody else.
func (c *Client) URL(ctx context.Context) (string, error) {
	var out served
	err := c.call(ctx, whereServedPath, whereServed{}, &out)
	return out.URL, err
}

func (c *Client) call(ctx context.Context, path string, in, out any) error {
	b, err := json.Marshal(in)
	if err != nil {
		return switchboard.Wrap(switchboard.Invalid, "not text", err)
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://control"+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	q.Header.Set("Content-Type", "application/json")
	r, err := c.http.Do(q)
	if err != nil {
		return switchboard.Wrap(switchboard.Unavailable, "the server does not answer", err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		var p switchboard.Problem
		if err := json.UnmarshalRead(r.Body, &p); err != nil || p.Code == "" {
			return switchboard.Wrap(switchboard.Internal, "the server's answer cannot be read", errors.New(r.Status))
		}
		return (&switchboard.Error{Code: p.Code, Message: p.Message, Field: p.Field}).After(switchboard.Milliseconds(int(p.RetryAfterMS)))
	}
	if err := json.UnmarshalRead(r.Body, out); err != nil {
		return switchboard.Wrap(switchboard.Internal, "the server's answer cannot be read", err)
	}
	return nil
}
