package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"heliograph/infra/build"
	"heliograph/local"
)

// binary is the command line, built once.
var binary = sync.OnceValues(func() (string, error) {
	directory, err := os.MkdirTemp("", "heliograph-bin")
	if err != nil {
		return "", err
	}
	path := filepath.Join(directory, "heliograph")
	out, err := exec.Command("go", "build", "-o", path, "../cmd/heliograph").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the command line: %w\n%s", err, out)
	}
	return path, nil
})

// program is one run of the command line in the background.
type program struct {
	*exec.Cmd
	stdout io.Reader
	stderr *safeBuffer
}

// start runs the command line in the project's folder.
func start(t *testing.T, arguments ...string) program {
	t.Helper()
	return startIn(t, projectRoot(t), arguments...)
}

func projectRoot(t *testing.T) string {
	t.Helper()
	root, err := build.FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func startIn(t *testing.T, directory string, arguments ...string) program {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	p := program{Cmd: exec.Command(path, arguments...), stderr: new(safeBuffer)}
	p.Dir, p.Stderr = directory, p.stderr
	if p.stdout, err = p.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Process.Kill() })
	return p
}

// exit waits for the end of the program and returns its exit code.
func (p program) exit(t *testing.T, limit time.Duration) int {
	t.Helper()
	timer := time.AfterFunc(limit, func() { p.Process.Kill() })
	defer timer.Stop()
	go io.Copy(io.Discard, p.stdout)
	p.Wait()
	if !timer.Stop() {
		t.Fatalf("did not end within %v; stderr:\n%s", limit, p.stderr)
	}
	return p.ProcessState.ExitCode()
}

// waitFor reads standard output until a line contains a text.
func (p program) waitFor(t *testing.T, text string) {
	t.Helper()
	lines := bufio.NewScanner(p.stdout)
	for lines.Scan() {
		if strings.Contains(lines.Text(), text) {
			go io.Copy(io.Discard, p.stdout)
			return
		}
	}
	t.Fatalf("ended without printing %q; stderr:\n%s", text, p.stderr)
}

// startStack runs `heliograph local` on free ports, with further arguments, and waits until it is ready.
func startStack(t *testing.T, arguments ...string) (program, local.Endpoints) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "local.json")
	p := start(t, append([]string{"--target", file, "local", "--port", "0"}, arguments...)...)
	p.waitFor(t, "Ctrl-C stops it")
	endpoints, err := local.ReadEndpoints(file)
	if err != nil {
		t.Fatal(err)
	}
	if endpoints.PID != p.Process.Pid {
		t.Errorf("%s says process %d, it is %d", file, endpoints.PID, p.Process.Pid)
	}
	return p, endpoints
}

// children lists the processes that run programs of this stack; the environment of each names its endpoint.
func children(t *testing.T, endpoints local.Endpoints) (found []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		environment, err := os.ReadFile(file)
		if err == nil && bytes.Contains(environment, []byte("AWS_ENDPOINT_URL="+endpoints.AWSEndpointURL)) {
			found = append(found, filepath.Dir(file))
		}
	}
	return found
}

func needLinux(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("looks for child processes in /proc, which only Linux has")
	}
}

// hostOf returns host:port of a URL such as ws://127.0.0.1:4701/local.
func hostOf(address string) string {
	_, rest, _ := strings.Cut(address, "://")
	host, _, _ := strings.Cut(rest, "/")
	return host
}

// TestSignalsStopEverything proves that SIGINT (Ctrl-C) and SIGTERM (a service manager) end the stack with exit code
// 0 and leave no child process, no open port and no endpoints file; and that even a killed simulator leaves no child
// process.
func TestSignalsStopEverything(t *testing.T) {
	needLinux(t)
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			p, endpoints := startStack(t)
			socket, _, err := websocket.Dial(within(t), endpoints.WebSocketURL+"?Authorization="+seedToken, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer socket.CloseNow()
			if len(children(t, endpoints)) == 0 {
				t.Fatal("no function runs although a connection was made: the test looks in the wrong place")
			}
			if err := p.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			code := p.exit(t, patience)
			eventually(t, "all child processes have ended", func(context.Context) (bool, error) {
				return len(children(t, endpoints)) == 0, nil
			})
			for _, address := range []string{endpoints.WebSocketURL, endpoints.HTTPURL, endpoints.AWSEndpointURL} {
				if c, err := net.Dial("tcp", hostOf(address)); err == nil {
					c.Close()
					t.Errorf("%s still accepts connections", address)
				}
			}
			if signal == syscall.SIGKILL {
				return // a killed process has no exit code and can't clean up
			}
			if code != 0 {
				t.Errorf("exit code %d; stderr:\n%s", code, p.stderr)
			}
			if _, err := os.Stat(p.Args[2]); !os.IsNotExist(err) {
				t.Errorf("the endpoints file is still there (%v)", err)
			}
		})
	}
}

// TestSecondLocal proves that a second stack beside the first is refused with a message that names the first.
func TestSecondLocal(t *testing.T) {
	t.Parallel()
	first, endpoints := startStack(t)
	second := start(t, "--target", first.Args[2], "local", "--port", "0")
	code := second.exit(t, patience)
	want := fmt.Sprintf("already running here (process %d", endpoints.PID)
	if code != 1 || !strings.Contains(second.stderr.String(), want) {
		t.Errorf("exit code %d, stderr %q; want 1 and %q", code, second.stderr, want)
	}
}

// TestPortInUse proves that a port in use leads to one clear message at once.
func TestPortInUse(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	p := start(t, "--target", filepath.Join(t.TempDir(), "local.json"), "local", "--port", port)
	if code := p.exit(t, patience); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if message := p.stderr.String(); !strings.Contains(message, port) || !strings.Contains(message, "--port") || strings.Contains(message, "goroutine") {
		t.Errorf("the message does not name port %s and the flag:\n%s", port, message)
	}
}

// TestWrongConfig proves that a bad value leads to a message with the key, the value and the allowed values.
func TestWrongConfig(t *testing.T) {
	t.Parallel()
	for _, wrong := range []struct{ setting, want string }{
		{"presenceGrace=banana", "presenceGrace"},
		{"expiredTokens=perhaps", "expiredTokens"},
		{"jwtSecret=short", "jwtSecret"},
		{"noSuchKey=1", "noSuchKey"},
	} {
		t.Run(wrong.setting, func(t *testing.T) {
			t.Parallel()
			p := start(t, "--target", filepath.Join(t.TempDir(), "local.json"), "local", "--port", "0", "--config", wrong.setting)
			if code := p.exit(t, time.Minute); code != 1 {
				t.Errorf("exit code %d, want 1", code)
			}
			message := p.stderr.String()
			if !strings.Contains(message, wrong.want) || strings.Contains(message, "goroutine") || strings.Contains(message, "=short") {
				t.Errorf("the message:\n%s", message)
			}
		})
	}
}

// TestHandlerThatDoesNotCompile proves that the compiler's message is shown and nothing is started.
func TestHandlerThatDoesNotCompile(t *testing.T) {
	t.Parallel()
	project := copyProject(t)
	broken := filepath.Join(project, "handlers", "send", "broken.go")
	if err := os.WriteFile(broken, []byte("package main\n\nvar broken int = \"no number\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := startIn(t, project, "local", "--port", "0")
	if code := p.exit(t, 2*time.Minute); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if message := p.stderr.String(); !strings.Contains(message, "broken.go:3") {
		t.Errorf("the message does not name the line:\n%s", message)
	}
}

// copyProject copies what a build of the functions needs: go.mod, go.sum and the packages that they import.
func copyProject(t *testing.T) string {
	t.Helper()
	root, to := projectRoot(t), t.TempDir()
	list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if .Main}}{{$.Dir}}{{end}}{{end}}", "./handlers/...")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for _, folder := range strings.Fields(string(out)) {
		copyFiles(t, root, to, folder, "*.go")
	}
	copyFiles(t, root, to, root, "go.*")
	return to
}

// copyFiles copies the files of a folder below root to the same place below to.
func copyFiles(t *testing.T, root, to, folder, pattern string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		target := filepath.Join(to, strings.TrimPrefix(file, root))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(target, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCommandLine proves the README's tour: connect, send, online, token and metrics, against the stack under test.
func TestCommandLine(t *testing.T) {
	if own == nil {
		t.Skip("talks to the stack that the tests started; a deployed one is reached with --stack")
	}
	t.Parallel()
	file := filepath.Join(t.TempDir(), "target.json")
	data, err := json.Marshal(target)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	user := newUser()
	listener := start(t, "--target", file, "connect", "--user", user)
	waitForConnections(t, user, 1)
	if out := runCommand(t, file, "send", "--user", user, "Hello from the command line"); !strings.HasPrefix(out, "queued as ") {
		t.Errorf("send printed %q", out)
	}
	listener.waitFor(t, "Hello from the command line")
	if out := runCommand(t, file, "online", user); !strings.Contains(out, user+"  true") {
		t.Errorf("online printed\n%s", out)
	}
	if out := runCommand(t, file, "online"); !strings.Contains(out, user) {
		t.Errorf("online without users printed\n%s", out)
	}
	token := strings.TrimSpace(runCommand(t, file, "token", "--user", user))
	connectWith(t, token)
	eventually(t, "metrics list a delivery", func(context.Context) (bool, error) {
		return strings.Contains(runCommand(t, file, "metrics"), "PostsDelivered"), nil
	})
	if err := listener.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := listener.exit(t, patience); code != 0 {
		t.Errorf("connect ended with %d after Ctrl-C:\n%s", code, listener.stderr)
	}
}

func runCommand(t *testing.T, file string, arguments ...string) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	command := exec.CommandContext(within(t), path, append([]string{"--target", file}, arguments...)...)
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("heliograph %v: %v\n%s", arguments, err, &stderr)
	}
	return string(out)
}

// TestNothingRunning proves that a command without a stack explains how to start one.
func TestNothingRunning(t *testing.T) {
	t.Parallel()
	p := start(t, "--target", filepath.Join(t.TempDir(), "none.json"), "online")
	if code := p.exit(t, patience); code != 1 || !strings.Contains(p.stderr.String(), "heliograph local") {
		t.Errorf("exit code %d, stderr %q", code, p.stderr)
	}
}

// TestHello proves that `hello` takes a message through a running stack, and that `local --hello` starts one and does
// the same.
func TestHello(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "local.json")
	p := start(t, "--target", file, "local", "--port", "0", "--hello")
	p.waitFor(t, `"Hello, world" arrived`)
	out := runCommand(t, file, "hello")
	for _, want := range []string{"connected as the user heliograph-hello", `"Hello, world" arrived`, `"IsOnline":true`} {
		if !strings.Contains(out, want) {
			t.Errorf("hello did not print %q:\n%s", want, out)
		}
	}
}
