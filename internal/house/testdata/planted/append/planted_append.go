// plant: router/planted_append.go
// want: appending by the fold: uses thread.Log.Append, but the one place is thread.(*State).Put (thread/log.go:

package router

import (
	"context"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

func (r *Router) blind(ctx context.Context, u switchboard.UserID, d thread.Draft) {
	_, _ = r.cfg.Journal.Append(ctx, u, d, thread.Position{})
}
