//go:build unix

package simulator

import (
	"errors"
	"os"
	"syscall"
)

// tryLock locks a file for as long as the process lives, so that a simulator that was killed leaves no stale
// lock behind.
func tryLock(file *os.File) error {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errors.New("its lock is held")
	}
	return err
}
