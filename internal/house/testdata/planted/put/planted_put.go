// plant: router/planted_put.go
// want: appending what a person said: uses thread.State.Put, but the one place is router.(*Router).decide (router/accept.go:

package router

import (
	"context"

	"github.com/netra-systems/switchboard/thread"
)

func (r *Router) also(ctx context.Context, s *thread.State, d thread.Draft) {
	_, _ = s.Put(ctx, r.cfg.Journal, d)
}
