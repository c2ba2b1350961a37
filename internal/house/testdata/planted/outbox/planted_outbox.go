// plant: transport/planted_outbox.go
// want: taking frames from an outbox: uses delivery.Outbox.Next, by an interface, but the one place is transport.(*device).write (transport/device.go:

package transport

import "context"

func (d *device) steal(ctx context.Context) ([]byte, error) { return d.out.Next(ctx) }
