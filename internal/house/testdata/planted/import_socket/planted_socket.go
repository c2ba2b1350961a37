// plant: router/planted_socket.go
// want: WebSocket: imports github.com/coder/websocket, but the one place is transport

package router

import "github.com/coder/websocket"

var _ websocket.MessageType
