// plant: transport/planted_outbox.go
// want: one loop takes frames from an outbox, at transport/device.go:

package transport

import "context"

func (d *device) steal(ctx context.Context) ([]byte, error) { return d.out.Next(ctx) }
