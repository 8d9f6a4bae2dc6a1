// Package process tells a process that runs from one that has ended and left its files behind.
package process

import (
	"errors"
	"os"
	"syscall"
)

// Alive reports whether a process with this id runs. Ids are used again, so true may be said of another process. Where the
// operating system can't be asked, as on Windows, it is true.
func Alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer func() { _ = p.Release() }()
	return !errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}
