// plant: router/planted_handler.go
// want: the handler of each message type: registers "ping" in router.(*Router).late; so does router.New (router/router.go:

package router

import "github.com/netra-systems/switchboard"

func (r *Router) late() {
	r.queries[switchboard.TypePing] = ping
}
