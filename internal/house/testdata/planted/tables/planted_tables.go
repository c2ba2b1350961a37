// plant: delivery/planted_tables.go
// want: the table of event types: a map by .EventType, but the one place is event.go
// want: the table of message types: a map by .MessageType, but the one place is message.go

package delivery

import "github.com/netra-systems/switchboard"

var (
	loud  = map[switchboard.EventType]bool{}
	asked map[switchboard.MessageType]func()
)
