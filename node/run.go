package node

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/netra-systems/switchboard/agent"
)

// Run is `switchboard serve` with agents in Go, for programs that have Switchboard as a library: settings come from the
// variables of its flags, and are as usual without them. The first agent answers messages that name none; those of a
// configuration file (SWITCHBOARD_CONFIG), or else the usual assistant, come after. It runs until ctx ends or the process is
// told to stop. Errors: those of Serve.
func Run(ctx context.Context, agents ...agent.Agent) error {
	s := Settings{Agents: agents}
	parser, err := kong.New(&s)
	if err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	if _, err := parser.Parse(nil); err != nil {
		return setting("%v", err)
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	return Serve(ctx, s, os.Stdout, os.Stderr)
}
