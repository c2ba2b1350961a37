package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/netra-systems/switchboard/auth/control"
	"github.com/netra-systems/switchboard/node"
)

type storeCmd struct {
	Check   storeCheckCmd   `cmd:"" help:"Read everything that is stored, and tell what is damaged."`
	Backup  storeBackupCmd  `cmd:"" help:"Back the store up, while the server runs or not."`
	Restore storeRestoreCmd `cmd:"" help:"Make a store from a backup, in a new data folder."`
}

// errDamaged says that a check has found damage; it has been printed.
var errDamaged = errors.New("the store is damaged")

type storeCheckCmd struct {
	store  `embed:""`
	Accept bool `help:"Go on without what is lost: the server is ready again."`
}

// Help implements kong.HelpProvider.
func (storeCheckCmd) Help() string {
	return "Each conversation must be numbered without gaps and chained, nothing may be missing but what was deleted, and every record must " +
		"be readable. Exit code 1 if something is damaged; docs/RUNBOOK.md says what to do then."
}

// Run implements the command.
func (c *storeCheckCmd) Run(ctx context.Context, s streams) error {
	return c.local(ctx, func(l control.Local) error {
		r, err := l.CheckStore(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "read %d entries of %d conversations and %d records; %d entries went with deleted conversations\n", r.Entries, r.Threads, r.Records, r.Erased)
		return damaged(s.out, r, func() error {
			if !c.Accept {
				return errDamaged
			}
			if err := l.AcceptLoss(ctx, r.Findings); err != nil {
				return err
			}
			_, err := fmt.Fprintln(s.out, "accepted: the server goes on without what is lost")
			return err
		})
	})
}

// damaged prints what is damaged, and then does what there is to do; if nothing is, it says so.
func damaged(w io.Writer, r control.StoreReport, then func() error) error {
	for _, f := range r.Lost {
		fmt.Fprintln(w, "lost:", f)
	}
	for _, f := range r.Findings {
		fmt.Fprintln(w, "damaged:", f)
	}
	if len(r.Lost)+len(r.Findings) > 0 {
		return then()
	}
	_, err := fmt.Fprintln(w, "nothing is damaged")
	return err
}

type storeBackupCmd struct {
	store `embed:""`
	Dir   string `arg:"" help:"Folder for the backup: empty, or not there yet. It will hold password hashes and keys." type:"path"`
}

// Run implements the command.
func (c *storeBackupCmd) Run(ctx context.Context, s streams) error {
	return c.local(ctx, func(l control.Local) error {
		r, err := l.BackUp(ctx, c.Dir)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(s.out, "backed up %d entries and %d records, %.1f MB, in %s\n", r.Entries, r.Records, float64(r.Bytes)/1e6, c.Dir)
		return err
	})
}

type storeRestoreCmd struct {
	Data string `help:"Data folder to make; it must have no store." default:"switchboard-data" env:"SWITCHBOARD_DATA" type:"path" placeholder:"DIR"`
	Dir  string `arg:"" help:"Folder of the backup." type:"path"`
}

// Help implements kong.HelpProvider.
func (storeRestoreCmd) Help() string {
	return "What happened after the backup is not there. Devices that saw it are told to reload: the store begins a new epoch."
}

// Run implements the command.
func (c *storeRestoreCmd) Run(ctx context.Context, s streams) error {
	r, err := node.RestoreStore(ctx, c.Data, c.Dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "restored %d entries of %d conversations and %d records to %s\n", r.Entries, r.Threads, r.Records, c.Data)
	return damaged(s.out, r, func() error { return errDamaged })
}
