//go:build !linux

package differential_test

import "os/exec"

// dieTogether does nothing: outside Linux, the emulator outlives a test that is killed.
func dieTogether(*exec.Cmd) {}
