// plant: transport/planted_broadcaster.go
// want: there is one Broadcaster, at delivery/broadcaster.go:

package transport

type hub struct{ devices []*device }

func (h hub) Broadcast(frame []byte) {}
