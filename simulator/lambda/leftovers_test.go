package lambda

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"heliograph/simulator/private"
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
		fmt.Sprintf("code-%d-1", dead): false, fmt.Sprintf("environments-%d-1", alive): true,
		fmt.Sprintf("code-%d-1", alive): true, "code-of-mine": true, "code/0123": false, "environments-of-mine": true, "environments-x-1": true,
	}
	dir := filepath.Join(t.TempDir(), "a [folder]")
	for folder := range folders {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
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

// TestNoForeignCode proves that a function never runs what somebody put into the work folder, and that a work folder that
// somebody else can write to is refused.
func TestNoForeignCode(t *testing.T) {
	t.Parallel()
	p, _ := newPlatform(t, Options{})
	first := p.functions[create(t, p, "echo").Name].code
	if err := os.WriteFile(filepath.Join(first, "bootstrap"), []byte("#!/bin/sh\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	again, err := New(Options{Region: "eu-west-1", Account: "000000000000", WorkDir: p.options.WorkDir})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if result := invoke(t, again, create(t, again, "echo"), "{}"); result.FunctionError != "" {
		t.Errorf("the planted program ran: %s", result.Payload)
	}

	if err := os.Chmod(p.options.WorkDir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{Region: "eu-west-1", Account: "000000000000", WorkDir: p.options.WorkDir}); !errors.As(err, new(*private.Refusal)) {
		t.Errorf("a folder that all can write to: %v", err)
	}
}
