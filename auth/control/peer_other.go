//go:build !linux

package control

import (
	"net"
	"syscall"
)

const errRefused = syscall.ECONNREFUSED

// checkPeer leaves the decision to the mode of the socket.
func checkPeer(net.Conn, func(uid int) bool) error { return nil }
