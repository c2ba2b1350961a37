//go:build !unix

package mcp

import (
	"os"
	"syscall"
)

// ownGroup does nothing where there are no process groups: what a program starts is its own business there.
func ownGroup() *syscall.SysProcAttr { return nil }

func termGroup(leader int) { killGroup(leader) }

func killGroup(leader int) {
	if p, err := os.FindProcess(leader); err == nil {
		_ = p.Kill()
	}
}
