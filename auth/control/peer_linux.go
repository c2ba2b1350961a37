package control

import (
	"net"
	"syscall"
)

const errRefused = syscall.ECONNREFUSED

// checkPeer asks the kernel who is at the other end.
func checkPeer(conn net.Conn, may func(uid int) bool) error {
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return errStranger
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return err
	}
	var cred *syscall.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); err != nil {
		return err
	}
	if credErr != nil {
		return credErr
	}
	if !may(int(cred.Uid)) {
		return errStranger
	}
	return nil
}
