//go:build unix && !linux

package lambda

import (
	"os"
	"os/exec"
	"syscall"
)

// ownGroup makes the process the leader of a group. Without Linux's help, the children of a killed simulator end by
// themselves: their next Runtime API call fails.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// peakMemory is unknown for a live process here.
func peakMemory(int) int64 { return 0 }

// endPeak is the peak memory of a process that has ended.
func endPeak(s *os.ProcessState) int64 { return s.SysUsage().(*syscall.Rusage).Maxrss }
