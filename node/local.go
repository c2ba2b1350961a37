package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/auth"
	"github.com/netra-systems/switchboard/auth/control"
	"github.com/netra-systems/switchboard/journal"
)

// local is what the machine itself may do with a store.
type local struct {
	*auth.Authority
	pinned
	j *journal.Journal
}

// Local returns what the machine itself may do.
func (n *Node) Local() control.Local { return local{n.auth, pinned{n.journal, n.mcp}, n.journal} }

// CheckStore reads everything that is stored and tells what is damaged.
func (l local) CheckStore(ctx context.Context) (control.StoreReport, error) {
	r, err := l.j.Check(ctx, 0)
	if err != nil {
		return control.StoreReport{}, err
	}
	lost, err := l.j.Damage(ctx)
	return control.StoreReport{Entries: r.Entries, Threads: r.Threads, Erased: r.Erased, Records: r.Records, Findings: r.Findings, Lost: lost}, err
}

// AcceptLoss lets the node be ready again without what is lost, and without what a check has found.
func (l local) AcceptLoss(ctx context.Context, findings []string) error {
	return l.j.Accept(ctx, findings)
}

// BackUp writes a backup.
func (l local) BackUp(ctx context.Context, dir string) (control.StoreReport, error) {
	m, err := l.j.Backup(ctx, dir)
	if err != nil {
		return control.StoreReport{}, err
	}
	return savedIn(m), nil
}

// savedIn sums a backup up.
func savedIn(m journal.Manifest) (r control.StoreReport) {
	for _, s := range m.Streams {
		if r.Bytes += s.Bytes; s.Records() {
			r.Records += s.Messages
		} else {
			r.Entries += s.Messages
		}
	}
	return r
}

// OpenLocal opens a data folder: through the server that runs on it, or, when none does, the store itself. Call done in
// the end. Errors: ErrSetting.
func OpenLocal(ctx context.Context, data string) (l control.Local, done func(), err error) {
	if client, err := control.Dial(data); err == nil {
		return client, client.Close, nil
	}
	if !hasStore(data) {
		return nil, nil, setting("--data %s: no server has kept anything there", data)
	}
	store, stop, err := Settings{Data: data}.store()
	if err != nil {
		return nil, nil, err
	}
	j, err := journal.Open(ctx, store)
	if err != nil {
		stop()
		return nil, nil, err
	}
	done = func() { j.Close(); stop() }
	records, err := j.Records(ctx, "auth")
	if err != nil {
		done()
		return nil, nil, err
	}
	a, err := auth.Open(ctx, auth.Config{}, records)
	if err != nil {
		done()
		return nil, nil, err
	}
	return local{a, pinned{j: j}, j}, done, nil
}

func hasStore(data string) bool {
	_, err := os.Stat(filepath.Join(data, "journal"))
	return err == nil
}

// RestoreStore makes the store of a data folder that has none from a backup, and reads it once. Errors: ErrSetting.
func RestoreStore(ctx context.Context, data, backup string) (control.StoreReport, error) {
	if hasStore(data) {
		return control.StoreReport{}, setting("--data %s: there is a store already; restore into a new folder, or move the old one away", data)
	}
	if _, err := os.Stat(backup); err != nil {
		return control.StoreReport{}, setting("%s: no backup: %v", backup, err)
	}
	store, stop, err := Settings{Data: data}.store()
	if err != nil {
		return control.StoreReport{}, err
	}
	_, r, err := journal.Restore(ctx, store, backup)
	stop()
	if err != nil && switchboard.CodeOf(err) != switchboard.Conflict { // half a store must not be taken for a whole one
		err = errors.Join(err, os.RemoveAll(filepath.Join(data, "journal")))
	}
	return control.StoreReport{Entries: r.Entries, Threads: r.Threads, Erased: r.Erased, Records: r.Records, Findings: r.Findings}, err
}
