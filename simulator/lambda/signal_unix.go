//go:build unix

package lambda

import (
	"os"
	"syscall"
)

// canFreeze reports whether processes can be stopped.
const canFreeze = true

func killGroup(p *os.Process)   { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }
func freezeGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGSTOP) }
func thawGroup(p *os.Process)   { _ = syscall.Kill(-p.Pid, syscall.SIGCONT) }
