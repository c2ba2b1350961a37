package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/auth/control"
)

type mcpCmd struct {
	List  mcpListCmd  `cmd:"" help:"List the tools that MCP servers have offered, and which of them have changed."`
	Show  mcpShowCmd  `cmd:"" help:"Show the definition of a tool, and what its server has made of it."`
	Allow mcpAllowCmd `cmd:"" help:"Let a tool be used with the definition that was shown."`
}

// Help implements kong.HelpProvider.
func (mcpCmd) Help() string {
	return `A tool of an MCP server is remembered as it was when it was first seen. If its server changes it, agents do not get it until
somebody has looked at the change and allowed it. The server of the data folder may run or not.

Examples:

    switchboard mcp list
    switchboard mcp show github github_create_issue
    switchboard mcp allow github github_create_issue 3f8c2a90d1b7`
}

type mcpListCmd struct {
	store `embed:""`
}

// Run implements the command.
func (c *mcpListCmd) Run(ctx context.Context, s streams) error {
	return c.local(ctx, func(l control.Local) error {
		tools, err := l.PinnedTools(ctx)
		if err != nil {
			return err
		}
		slices.SortFunc(tools, func(a, b control.PinnedTool) int { return strings.Compare(a.Server+" "+a.Tool, b.Server+" "+b.Tool) })
		w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "SERVER\tTOOL\tSTATE")
		for _, t := range tools {
			state := "as known"
			if t.Changed {
				state = "changed, withdrawn"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", t.Server, t.Tool, state)
		}
		return w.Flush()
	})
}

type mcpShowCmd struct {
	store  `embed:""`
	Server string `arg:"" help:"Name of the server."`
	Tool   string `arg:"" help:"Name of the tool, as the list tells it."`
}

// Run implements the command.
func (c *mcpShowCmd) Run(ctx context.Context, s streams) error {
	return c.local(ctx, func(l control.Local) error {
		tools, err := l.PinnedTools(ctx)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(tools, func(t control.PinnedTool) bool { return t.Server == c.Server && t.Tool == c.Tool })
		if i < 0 {
			return switchboard.Errorf(switchboard.NotFound, "no such tool has been seen").At("tool")
		}
		t := tools[i]
		fmt.Fprintf(s.out, "known:\n%s\n", laidOut(t.Known))
		if !t.Changed {
			_, err := fmt.Fprintln(s.out, "The server offers it as known.")
			return err
		}
		_, err = fmt.Fprintf(s.out, "offered now, and withdrawn:\n%s\nTo allow that: switchboard mcp allow %s %s %.12s\n", laidOut(t.Offered), t.Server, t.Tool, t.Hash)
		return err
	})
}

// laidOut lays a definition out; what a terminal could take for a command is escaped.
func laidOut(definition string) string {
	v := jsontext.Value(definition)
	if len(v) == 0 {
		return "(too long to be kept)"
	}
	if err := v.Format(jsontext.Multiline(true), jsontext.WithIndent("  ")); err != nil {
		return strconv.QuoteToASCII(definition)
	}
	var out strings.Builder
	for _, r := range string(v) {
		if r == '\n' || unicode.IsPrint(r) {
			out.WriteRune(r)
		} else {
			fmt.Fprintf(&out, "\\u%04x", r)
		}
	}
	return out.String()
}

type mcpAllowCmd struct {
	store  `embed:""`
	Server string `arg:"" help:"Name of the server."`
	Tool   string `arg:"" help:"Name of the tool, as the list tells it."`
	Hash   string `arg:"" help:"The beginning of the definition's hash, as 'mcp show' tells it."`
}

// Run implements the command.
func (c *mcpAllowCmd) Run(ctx context.Context, s streams) error {
	return c.local(ctx, func(l control.Local) error {
		if err := l.AllowTool(ctx, c.Server, c.Tool, c.Hash); err != nil {
			return err
		}
		_, err := fmt.Fprintf(s.out, "allowed %s as it was shown\n", c.Tool)
		return err
	})
}
