package differential_test

import (
	"os/exec"
	"syscall"
)

// dieTogether makes the kernel end the emulator if this process dies before it can do so itself.
func dieTogether(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
