package node

import (
	"context"

	"github.com/netra-systems/switchboard/auth/control"
	"github.com/netra-systems/switchboard/journal"
	"github.com/netra-systems/switchboard/tool/mcp"
)

// pinBucket is where the definitions of servers' tools are remembered.
const pinBucket = "pins"

// serversOfTools makes the MCP servers; they are connected by Run.
func (n *Node) serversOfTools(ctx context.Context) (err error) {
	o := mcp.Options{
		Servers: n.cfg.MCP, Offer: n.tools.Replace, Secret: n.cfg.Secret, Version: n.cfg.Version, Log: n.log, Metrics: n.cfg.Registry,
	}
	if len(o.Servers) > 0 {
		if o.Pins, err = n.journal.Records(ctx, pinBucket); err != nil {
			return err
		}
	}
	n.mcp, err = mcp.New(o)
	return err
}

// pinned is what the machine itself may do with the tools of MCP servers.
type pinned struct {
	j       *journal.Journal
	servers *mcp.Servers // nil: none run here
}

// PinnedTools returns the tools that MCP servers have offered.
func (p pinned) PinnedTools(ctx context.Context) ([]control.PinnedTool, error) {
	records, err := p.j.Records(ctx, pinBucket)
	if err != nil {
		return nil, err
	}
	pins, err := mcp.List(ctx, records)
	out := []control.PinnedTool{}
	for _, x := range pins {
		out = append(out, control.PinnedTool(x))
	}
	return out, err
}

// AllowTool lets a tool be used as its server offers it, with a definition whose hash begins so.
func (p pinned) AllowTool(ctx context.Context, server, tool, hash string) error {
	records, err := p.j.Records(ctx, pinBucket)
	if err != nil {
		return err
	}
	if err := mcp.Allow(ctx, records, server, tool, hash); err != nil {
		return err
	}
	if p.servers != nil {
		p.servers.Recheck()
	}
	return nil
}
