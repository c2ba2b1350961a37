package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/netra-systems/switchboard"
)

// Config says where the server is and who speaks. URL and, for connections, Token are needed; the rest may be zero.
type Config struct {
	URL    string             // of the server: "http://host:port" or "https://host", a base path may follow
	Token  string             // from Login, or from `switchboard token create`
	Cursor switchboard.Cursor // the place to go on from; none: only what happens from now on

	HTTPClient   *http.Client  // nil: http.DefaultClient; its Transport may dial anything, such as a net.Pipe
	PingInterval time.Duration // between pings, a connection is dead after two without an answer; 0: 25 s
	ReplyTimeout time.Duration // how long a Client waits for a reply before it reconnects and repeats; 0: 10 s
	MinBackoff   time.Duration // upper bound of the first wait before a Client reconnects; 0: 200 ms
	MaxBackoff   time.Duration // upper bound of every wait; 0: 5 s

	// Received, if set, is given each frame as it came, before it is decoded. It is called from one goroutine at a time,
	// must not keep the slice, and delays the connection while it runs.
	Received func(frame []byte)
}

// Validate returns an Invalid error whose field names the setting that is wrong.
func (c Config) Validate() error {
	u, err := url.Parse(c.URL)
	switch {
	case c.URL == "":
		return switchboard.Errorf(switchboard.Invalid, "url is needed").At("url")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return switchboard.Errorf(switchboard.Invalid, "must be http://host:port or https://host").At("url")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return switchboard.Errorf(switchboard.Invalid, "must hold no name, password, query or fragment").At("url")
	case c.PingInterval < 0 || c.ReplyTimeout < 0 || c.MinBackoff < 0 || c.MaxBackoff < 0:
		return switchboard.Errorf(switchboard.Invalid, "durations must not be negative").At("config")
	}
	return nil
}

// withDefaults returns c with its zero values filled in.
func (c Config) withDefaults() Config {
	or := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	or(&c.PingInterval, 25*time.Second)
	or(&c.ReplyTimeout, 10*time.Second)
	or(&c.MinBackoff, 200*time.Millisecond)
	or(&c.MaxBackoff, 5*time.Second)
	if c.HTTPClient == nil {
		c.HTTPClient = http.DefaultClient
	}
	return c
}

// endpoint returns the URL of a path below the server's.
func (c Config) endpoint(path string) (*url.URL, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, err
	}
	return u.JoinPath(path), nil
}

// Session is what a login gives.
type Session struct {
	Token     string           `json:"token"`
	ExpiresAt switchboard.Time `json:"expires_at"`
	User      switchboard.User `json:"user"`
}

// Login exchanges a name and a password for a token (POST /api/v1/auth/login). Errors of the server are
// *switchboard.Error: Unauthenticated for a wrong name or password, RateLimited with RetryAfter after too many tries.
func Login(ctx context.Context, cfg Config, username, password string) (Session, error) {
	u, err := cfg.endpoint("api/v1/auth/login")
	if err != nil {
		return Session{}, err
	}
	body, err := json.Marshal(map[string]string{"username": username, "password": password})
	if err != nil {
		return Session{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return Session{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	var s Session
	if err := cfg.fetch(req, &s); err != nil {
		return Session{}, fmt.Errorf("login: %w", err)
	}
	if s.Token == "" {
		return Session{}, errors.New("login: the answer has no token")
	}
	return s, nil
}

// fetch sends a request to the JSON API and decodes its answer. A refusal is a *switchboard.Error.
func (c Config) fetch(req *http.Request, into any) error {
	req.Header.Set("Accept", "application/json, application/problem+json")
	resp, err := c.withDefaults().HTTPClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return refusal(resp)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(into); err != nil {
		return fmt.Errorf("the answer cannot be read: %w", err)
	}
	return nil
}

// refusal reads an HTTP error: a problem document (RFC 9457) with a code of ours, or else the bare status.
func refusal(resp *http.Response) *switchboard.Error {
	var p struct {
		Code         switchboard.Code `json:"code"`
		Detail       string           `json:"detail"`
		Title        string           `json:"title"`
		Field        string           `json:"field"`
		RetryAfterMS int64            `json:"retry_after_ms"`
	}
	if resp.Body != nil {
		// What is no problem document comes from something in between and only its status counts.
		_ = json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&p)
	}
	if _, known := switchboard.Codes[p.Code]; !known {
		p.Code = codeOfStatus(resp.StatusCode)
	}
	message := p.Detail
	if message == "" {
		message = p.Title
	}
	if message == "" {
		message = "the server answered " + resp.Status
	}
	e := switchboard.Errorf(p.Code, "%s", message).At(p.Field)
	if p.RetryAfterMS > 0 {
		return e.After(time.Duration(p.RetryAfterMS) * time.Millisecond)
	}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		return e.After(time.Duration(s) * time.Second)
	}
	return e
}

// codeOfStatus returns the code that an HTTP status stands for when no problem document says it.
func codeOfStatus(status int) switchboard.Code {
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return switchboard.Unavailable
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusGone,
		http.StatusRequestEntityTooLarge, http.StatusTooManyRequests:
		for code, info := range switchboard.Codes {
			if info.HTTP == status {
				return code
			}
		}
	}
	if status < 500 {
		return switchboard.Invalid
	}
	return switchboard.Internal
}
