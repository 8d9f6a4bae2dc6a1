package lambda

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestLeftovers proves that a simulator removes the leftovers of a killed one from its folder, but nothing that belongs
// to a running simulator or to another program.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	ended := exec.Command(os.Args[0], "-test.run=^$")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	dead, alive := ended.Process.Pid, os.Getpid()
	folders := map[string]bool{ // whether each stays
		fmt.Sprintf("environments-%d-1", dead): false, fmt.Sprintf("environments-%d-2/token", dead): false,
		fmt.Sprintf("code/half-%d-1", dead): false, fmt.Sprintf("environments-%d-1", alive): true,
		fmt.Sprintf("code/half-%d-1", alive): true, "code/0123": true, "environments-of-mine": true, "environments-x-1": true,
	}
	dir := filepath.Join(t.TempDir(), "a [folder]")
	for folder := range folders {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p, err := New(Options{Region: "eu-west-1", Account: "1", WorkDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for folder, stays := range folders {
		if _, err := os.Stat(filepath.Join(dir, folder)); (err == nil) != stays {
			t.Errorf("%s: stays %t, want %t", folder, err == nil, stays)
		}
	}
}
