package mcp

import (
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// Config is one MCP server: a program to be run here (Command) or one that is reached by HTTP (URL).
type Config struct {
	// Name is 1 to 24 of [A-Za-z0-9_-]. The names of the server's tools begin with it and an underscore.
	Name string

	// Command is a program that speaks MCP on its standard input and output. It is started with the node and again when
	// it ends. Its arguments can be seen by everybody on the machine: secrets belong into Env.
	Command string
	Args    []string
	// Env is all that the program finds in its environment, besides PATH and HOME. Values may hold {{secret "name"}}.
	Env map[string]string
	// Dir is the absolute path of the folder that the program runs in; empty: the node's own.
	Dir string

	// URL is where a server speaks MCP by streamable HTTP. Nothing is sent to any other host, also if it says so.
	URL string
	// Headers are sent with every request. Values are templates: {{secret "name"}} is a secret of the node, and
	// {{.User.ID}} the id of the user on whose behalf a tool is called, who then has a session of their own.
	Headers map[string]string
	// ListHeaders are sent when the server is asked for its tools, which is on nobody's behalf, in place of those Headers
	// that name the user.
	ListHeaders map[string]string
	// Sessions bounds how many users have a session at once; 0: 100. Only for Headers that name the user.
	Sessions int

	// Timeout bounds a call; 0: the node's limit for tools.
	Timeout time.Duration
	// StartTimeout bounds how long the server may take until it has told its tools; 0: 30 s.
	StartTimeout time.Duration
	// IgnoreHints takes every tool for one that writes, destroys, and must not be run twice, whatever the server says.
	IgnoreHints bool
}

const (
	maxServerName   = 24
	defaultSessions = 100
	defaultStart    = 30 * time.Second
)

// Validate returns an error that names the first bad setting.
func (c Config) Validate() error {
	if n := len(c.Name); n < 1 || n > maxServerName || cleanName(c.Name) != c.Name {
		return fmt.Errorf("name must be 1 to %d of [A-Za-z0-9_-]", maxServerName)
	}
	if (c.Command == "") == (c.URL == "") {
		return fmt.Errorf("either command or url is needed")
	}
	switch {
	case c.Timeout < 0:
		return fmt.Errorf("timeout must not be negative")
	case c.StartTimeout < 0:
		return fmt.Errorf("start_timeout must not be negative")
	case c.Sessions < 0:
		return fmt.Errorf("sessions must not be negative")
	}
	if c.Command != "" {
		return c.validateCommand()
	}
	return c.validateURL()
}

func (c Config) validateCommand() error {
	if len(c.Headers)+len(c.ListHeaders) > 0 {
		return fmt.Errorf("headers belong to a url")
	}
	if c.Dir != "" && !filepath.IsAbs(c.Dir) {
		return fmt.Errorf("dir must be an absolute path")
	}
	for _, name := range sortedKeys(c.Env) {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return fmt.Errorf("env: not a name of a variable")
		}
		if v, err := parseValue(c.Env[name]); err != nil || v.user {
			return fmt.Errorf("env %s: must be text and {{secret \"name\"}}", name)
		}
	}
	return nil
}

func (c Config) validateURL() error {
	if len(c.Args)+len(c.Env) > 0 || c.Dir != "" {
		return fmt.Errorf("args, env and dir belong to a command")
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return fmt.Errorf("url must be http:// or https:// and a host, without a name and password")
	}
	for field, headers := range map[string]map[string]string{"headers": c.Headers, "list_headers": c.ListHeaders} {
		for _, name := range sortedKeys(headers) {
			if !httpguts.ValidHeaderFieldName(name) || reserved(name) {
				return fmt.Errorf("%s: %q is not a header that can be set", field, name)
			}
			v, err := parseValue(headers[name])
			if err != nil {
				return fmt.Errorf("%s %s: must be text, {{secret \"name\"}} and {{.User.ID}}", field, name)
			}
			if v.user && field == "list_headers" {
				return fmt.Errorf("%s %s: there is no user when tools are listed", field, name)
			}
		}
	}
	return nil
}

// reserved reports whether a header is the protocol's own.
func reserved(name string) bool {
	name = http.CanonicalHeaderKey(name)
	return strings.HasPrefix(name, "Mcp-") || strings.HasPrefix(name, "Content-") ||
		slices.Contains([]string{"Accept", "Connection", "Host", "Last-Event-Id", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}, name)
}

// validateAll checks servers together.
func validateAll(servers []Config) error {
	names := map[string]string{}
	for i, c := range servers {
		if err := c.Validate(); err != nil {
			return fmt.Errorf("mcp server %d: %w", i+1, err)
		}
		same := strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(c.Name))
		if other, taken := names[same]; taken {
			return fmt.Errorf("mcp server %d: the name %s can be taken for %s", i+1, c.Name, other)
		}
		names[same] = c.Name
	}
	return nil
}
