// plant: delivery/planted_engine.go
// want: the engine: imports github.com/nats-io/nats.go, but the one place is journal/...

package delivery

import "github.com/nats-io/nats.go"

var _ nats.Msg
