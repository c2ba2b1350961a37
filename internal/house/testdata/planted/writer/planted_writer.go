// plant: transport/planted_writer.go
// want: one loop writes to a device, at transport/device.go:
// want: one loop writes to a device, at transport/device.go:
// want: one loop writes to a device, at transport/device.go:

package transport

import "context"

func (d *device) shout(frame []byte) { _ = d.enc.Write(context.Background(), frame) }

func (c *stream) echo(frame []byte) { _ = c.Write(context.Background(), frame) }

type sender interface {
	Write(context.Context, []byte) error
}

func send(s sender, frame []byte) { _ = s.Write(context.Background(), frame) }
