package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/netra-systems/switchboard/auth/control"
)

type mcpCmd struct {
	List  mcpListCmd  `cmd:"" help:"List the tools that MCP servers have offered, and which of them have changed."`
	Allow mcpAllowCmd `cmd:"" help:"Let a tool be used as its server offers it now."`
}

// Help implements kong.HelpProvider.
func (mcpCmd) Help() string {
	return `A tool of an MCP server is remembered as it was when it was first seen. If its server changes it, agents do not get it until
somebody has looked at the change and allowed it. The server of the data folder may run or not.

Examples:

    switchboard mcp list
    switchboard mcp allow github github_create_issue`
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

type mcpAllowCmd struct {
	store  `embed:""`
	Server string `arg:"" help:"Name of the server."`
	Tool   string `arg:"" help:"Name of the tool, as the list tells it."`
}

// Run implements the command.
func (c *mcpAllowCmd) Run(ctx context.Context, s streams) error {
	return c.local(ctx, func(l control.Local) error {
		if err := l.AllowTool(ctx, c.Server, c.Tool); err != nil {
			return err
		}
		_, err := fmt.Fprintf(s.out, "allowed %s as it is now\n", c.Tool)
		return err
	})
}
