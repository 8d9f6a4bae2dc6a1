package process

import (
	"os"
	"os/exec"
	"testing"
)

// TestAlive proves that this process and one of another user are alive, and one that has ended is not.
func TestAlive(t *testing.T) {
	t.Parallel()
	ended := exec.Command(os.Args[0], "-test.run=^$")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	for pid, want := range map[int]bool{os.Getpid(): true, 1: true, ended.Process.Pid: false} {
		if got := Alive(pid); got != want {
			t.Errorf("process %d: alive %t, want %t", pid, got, want)
		}
	}
}
