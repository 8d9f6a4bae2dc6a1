//go:build unix && !linux

package lambda

import (
	"os"
	"os/exec"
	"syscall"
)

// ownGroup makes the process the leader of a group. Without Linux's help a killed simulator's children end by
// themselves: their next call of the Runtime API fails.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// peakMemory can't be told of a live process here.
func peakMemory(int) int64 { return 0 }

// endPeak is the same of a process that has ended.
func endPeak(s *os.ProcessState) int64 { return s.SysUsage().(*syscall.Rusage).Maxrss }
