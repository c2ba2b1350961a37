// plant: transport/planted_writer.go
// want: writing to a device: uses transport.encoder.Write, but the one place is transport.(*device).write (transport/device.go:
// want: writing to a device: uses transport.encoder.Write, as transport.stream, but the one place is transport.(*device).write (transport/device.go:
// want: writing to a device: uses transport.encoder.Write, as transport.sender, but the one place is transport.(*device).write (transport/device.go:

package transport

import "context"

func (d *device) shout(frame []byte) { _ = d.enc.Write(context.Background(), frame) }

func (c *stream) echo(frame []byte) { _ = c.Write(context.Background(), frame) }

type sender interface {
	Write(context.Context, []byte) error
}

func send(s sender, frame []byte) { _ = s.Write(context.Background(), frame) }
