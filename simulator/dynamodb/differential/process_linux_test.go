package differential_test

import (
	"os/exec"
	"syscall"
)

// dieTogether has the kernel end the emulator when this process dies before it could.
func dieTogether(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
