// plant: delivery/planted_push.go
// want: delivery gives frames to outboxes in one place, at delivery/tail.go:

package delivery

func (o *Outbox) unstored(frame []byte) { o.push(item{user: o.user, frame: frame}) }
