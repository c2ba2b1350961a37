//go:build unix

package mcp

import "syscall"

// ownGroup has a program started as the leader of a new process group.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func termGroup(leader int) { _ = syscall.Kill(-leader, syscall.SIGTERM) }

// killGroup kills all of a group; it is no error if none of it is left.
func killGroup(leader int) { _ = syscall.Kill(-leader, syscall.SIGKILL) }
