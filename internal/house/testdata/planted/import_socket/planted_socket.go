// plant: router/planted_socket.go
// want: router may not import github.com/coder/websocket: only [transport client] may

package router

import "github.com/coder/websocket"

var _ websocket.MessageType
