// plant: router/planted_append.go
// want: appends go through the fold, at thread/log.go:

package router

import (
	"context"

	"github.com/netra-systems/switchboard"
	"github.com/netra-systems/switchboard/thread"
)

func (r *Router) blind(ctx context.Context, u switchboard.UserID, d thread.Draft) {
	_, _ = r.cfg.Journal.Append(ctx, u, d, thread.Position{})
}
