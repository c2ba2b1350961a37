// plant: router/planted_put.go
// want: one function appends a message, one what agents do, at router/accept.go:

package router

import (
	"context"

	"github.com/netra-systems/switchboard/thread"
)

func (r *Router) also(ctx context.Context, s *thread.State, d thread.Draft) {
	_, _ = s.Put(ctx, r.cfg.Journal, d)
}
