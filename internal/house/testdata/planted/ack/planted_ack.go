// plant: router/planted_ack.go
// want: an ack comes from the fold alone, at thread/accept.go:

package router

import "github.com/netra-systems/switchboard"

func pretend(t switchboard.ThreadID) any { return switchboard.Ack{ThreadID: t} }
