//go:build linux

package lambda

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// processAlive reports whether a process exists and is not a zombie.
func processAlive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}

// TestNoChildOutlivesAKilledSimulator proves that the kernel kills a killed simulator's children, even one that hangs:
// the simulator itself can't clean up.
func TestNoChildOutlivesAKilledSimulator(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "LAMBDA_TEST_DOOMED="+t.TempDir(), "LAMBDA_TEST_ARCHIVE="+archive)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || !processAlive(pid) {
		t.Fatalf("the simulator said %q; its child is not there", line)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	awaitNoProcess(t, pid)
}

// doomed is a simulator with a function that hangs. It prints the function's process id and waits to be killed.
func doomed(dir string) {
	archive = os.Getenv("LAMBDA_TEST_ARCHIVE")
	hanging := make(chan struct{})
	p, err := New(Options{Region: "eu-west-1", Account: "1", WorkDir: dir, Log: func(l LogLine) {
		if l.Text == "about to hang" {
			close(hanging)
		}
	}})
	if err != nil {
		panic(err)
	}
	f, err := p.Create(Config{
		Name: "hang", Archive: archive, Timeout: time.Minute, Environment: map[string]string{"BEHAVIOUR": "hang"},
	})
	if err != nil {
		panic(err)
	}
	go func() { _, _ = p.Invoke(context.Background(), Request{Function: f.ARN}) }()
	<-hanging
	fmt.Println(p.all(nil)[0].child.cmd.Process.Pid)
	select {}
}
