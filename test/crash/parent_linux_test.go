package crash

import (
	"os/exec"
	"syscall"
)

// endWithParent lets the kernel end a process when the test's does, however that ends.
func endWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
