// plant: delivery/planted_keeps.go
// want: whose data it is: the package variable lastUser is shared by all, but the one place is transport.(*Server).identify (transport/identity.go:
// want: whose data it is: the field user is set on something shared, but the one place is transport.(*Server).identify (transport/identity.go:

package delivery

import "github.com/netra-systems/switchboard"

var lastUser switchboard.UserID

func (b *Broadcaster) remember(u switchboard.UserID, o *Outbox) {
	o.user = u
	mine := struct{ user switchboard.UserID }{}
	mine.user = u
}
