// plant: transport/planted_broadcaster.go
// want: the Broadcaster: type hub has a method Broadcast, but the one place is delivery.Broadcaster (delivery/broadcaster.go:

package transport

type hub struct{ devices []*device }

func (h hub) Broadcast(frame []byte) {}
