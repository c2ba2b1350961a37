// plant: transport/planted_socket.go
// want: one function writes to a socket, at transport/websocket.go:
// want: one function writes to a socket, at transport/websocket.go:

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
