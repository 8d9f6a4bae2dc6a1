package local

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"heliograph"
	"heliograph/simulator/private"
)

// TestFind proves that a running stack is found, and that everything a stack may leave behind is told apart from one,
// at once and in one line.
func TestFind(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() }) // after the subtests
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	ended := exec.Command(os.Args[0], "-test.run=^$")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	here, nowhere := "http://"+listener.Addr().String(), "http://"+closed.Addr().String()
	for name, tt := range map[string]struct {
		url  string
		pid  int
		says string // "" if the stack is found
	}{
		"runs":                   {here, os.Getpid(), ""},
		"runs, pid not known":    {here, 0, ""},
		"on AWS":                 {"", 0, ""},
		"killed":                 {nowhere, ended.Process.Pid, "has ended"},
		"killed, port is taken":  {here, ended.Process.Pid, "has ended"},
		"killed, pid is taken":   {nowhere, os.Getpid(), "nothing answers at 127.0.0.1"},
		"removed its file":       {"-", 0, "does not exist"},
		"no stack, no such host": {"http://127.0.0.1:0", 0, "nothing answers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "local.json")
			e := Endpoints{
				Outputs: heliograph.Outputs{WebSocketURL: "ws://x/local", HTTPURL: "http://x", SendQueueURL: "http://x/q", Region: "us-east-1", ParameterPrefix: "/p"},
				PID:     tt.pid, AWSEndpointURL: tt.url,
			}
			if tt.url != "-" {
				if err := e.write(path); err != nil {
					t.Fatal(err)
				}
			}
			began := time.Now()
			_, err := Find(t.Context(), path)
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("it took %v", took)
			}
			if tt.says == "" {
				if err != nil {
					t.Error(err)
				}
			} else if !errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v; want %q", err, tt.says)
			}
		})
	}
}

// TestAKilledStackLeavesNothing proves that a new stack takes over the folder of a killed one and removes its endpoints
// file first: the addresses in it may belong to other programs by now.
func TestAKilledStackLeavesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "local.json")
	if err := (Endpoints{PID: 1 << 30}).write(path); err != nil {
		t.Fatal(err)
	}
	s := new(Stack)
	if err := s.acquire(Options{EndpointsFile: path}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.locks[0].Close() })
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the endpoints file is still there: %v", err)
	}
}

// TestReadOnlyFolder proves that a folder that can't be written to is an error that names the remedy. A file in the
// folder's place stands for it, since root may write everywhere.
func TestReadOnlyFolder(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := new(Stack).acquire(Options{EndpointsFile: filepath.Join(file, "local.json")}); err == nil || !strings.Contains(err.Error(), "--target") {
		t.Errorf("got %v", err)
	}
}

// TestEndpointsArePrivate proves that only the owner can read an endpoints file, even if it replaces one that others can
// read, that the file is never written through a link, and that a folder that others can write to is refused.
func TestEndpointsArePrivate(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes of files")
	}
	folder := t.TempDir()
	path, elsewhere := filepath.Join(folder, "local.json"), filepath.Join(t.TempDir(), "elsewhere")
	for name, plant := range map[string]func() error{
		"a readable file": func() error { return os.WriteFile(path, nil, 0o644) },
		"a link":          func() error { return os.Symlink(elsewhere, path) },
		"an old link":     func() error { return os.Symlink(elsewhere, path+".new") },
	} {
		if err := errors.Join(removeFile(path), plant(), Endpoints{PID: 1}.write(path)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if info, err := os.Lstat(path); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: the file has the mode %v, error %v", name, info.Mode(), err)
		}
		if _, err := os.Stat(elsewhere); err == nil {
			t.Errorf("%s: it was followed", name)
		}
	}
	if err := os.Chmod(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := new(Stack).acquire(Options{EndpointsFile: path}); !errors.As(err, new(*private.Refusal)) || !strings.Contains(err.Error(), "--target") {
		t.Errorf("a folder that all can write to: %v", err)
	}
}
