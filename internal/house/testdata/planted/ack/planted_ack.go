// plant: router/planted_ack.go
// want: acks: makes a .Ack, but the one place is thread.(*State).Accept (thread/accept.go:

package router

import "github.com/netra-systems/switchboard"

func pretend(t switchboard.ThreadID) any { return switchboard.Ack{ThreadID: t} }
