// plant: delivery/planted_push.go
// want: giving frames to outboxes: uses delivery.Outbox.push, but the one place is delivery.(*tail).entry (delivery/tail.go:

package delivery

func (o *Outbox) unstored(frame []byte) { o.push(item{user: o.user, frame: frame}) }
