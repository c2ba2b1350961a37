package node

import (
	"context"
	"os"
	"path/filepath"

	"github.com/netra-systems/switchboard/auth"
	"github.com/netra-systems/switchboard/auth/control"
	"github.com/netra-systems/switchboard/journal"
)

// OpenAccounts opens the accounts of a data folder: through the server that runs on it, or, when none does, in the store
// itself. Call done in the end. Errors: ErrSetting.
func OpenAccounts(ctx context.Context, data string) (a control.Admin, done func(), err error) {
	if client, err := control.Dial(data); err == nil {
		return client, func() {}, nil
	}
	if _, err := os.Stat(filepath.Join(data, "journal")); err != nil {
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
	if err == nil {
		a, err = auth.Open(ctx, auth.Config{}, records)
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return a, done, nil
}
