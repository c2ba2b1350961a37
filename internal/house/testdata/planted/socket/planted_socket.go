// plant: transport/planted_socket.go
// want: writing to a socket: uses github.com/coder/websocket.Conn.Write, but the one place is transport.(*socket).Write (transport/websocket.go:
// want: writing to a socket: uses github.com/coder/websocket.Conn.Writer, but the one place is transport.(*socket).Write (transport/websocket.go:

package transport

import (
	"context"

	"github.com/coder/websocket"
)

func (c *socket) side(ctx context.Context, frame []byte) {
	_ = c.conn.Write(ctx, websocket.MessageText, frame)
	w, err := c.conn.Writer(ctx, websocket.MessageText)
	if err == nil {
		_ = w.Close()
	}
}
