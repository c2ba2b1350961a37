// plant: delivery/planted_engine.go
// want: delivery may not import github.com/nats-io/nats.go: only [journal/...] may

package delivery

import "github.com/nats-io/nats.go"

var _ nats.Msg
