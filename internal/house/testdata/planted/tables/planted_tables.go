// plant: delivery/planted_tables.go
// want: there is one table of event types, at event.go:
// want: there is one table of message types, at message.go:

package delivery

import "github.com/netra-systems/switchboard"

var (
	loud  = map[switchboard.EventType]bool{}
	asked map[switchboard.MessageType]func()
)
