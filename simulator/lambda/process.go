package lambda

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// child is a function's process. It has its own process group, so that anything it started dies with it.
type child struct {
	cmd *exec.Cmd

	mu    sync.Mutex
	ended bool
}

// startChild runs a program with output as its stdout and stderr.
//
// A freshly unpacked program may be busy for a moment: a process being forked elsewhere holds the file open for writing
// until it executes its own program. startChild retries until then.
func startChild(forks *forker, path, dir string, env []string, output *os.File) (*child, error) {
	for try := 1; ; try++ {
		cmd := exec.Command(path)
		cmd.Dir, cmd.Env = dir, env
		cmd.Stdout, cmd.Stderr = output, output
		ownGroup(cmd)
		err := forks.do(cmd.Start)
		if err == nil {
			return &child{cmd: cmd}, nil
		}
		if !errors.Is(err, syscall.ETXTBSY) || try == 100 {
			return nil, err
		}
		time.Sleep(time.Duration(try) * 100 * time.Microsecond)
	}
}

// wait waits for the process to end. Call it once.
func (c *child) wait() {
	_ = c.cmd.Wait() // ProcessState says how it ended
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	killGroup(c.cmd.Process) // anything it left behind
}

// kill ends the process and its group immediately, frozen or not.
func (c *child) kill() { c.signal(killGroup) }

// freeze stops the process and its group until thaw.
func (c *child) freeze() { c.signal(freezeGroup) }

func (c *child) thaw() { c.signal(thawGroup) }

// signal skips a process that has ended, because its id may have been reused.
func (c *child) signal(group func(*os.Process)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		group(c.cmd.Process)
	}
}

// exitReason describes how the process ended, in Lambda's words. It is valid after wait.
func (c *child) exitReason() string {
	if c.cmd.ProcessState.Success() {
		return "Runtime exited without providing a reason"
	}
	return "Runtime exited with error: " + c.cmd.ProcessState.String()
}

// forker starts processes on one thread that lives as long as the Platform. On Linux a process asks to be killed when
// the *thread* that started it ends, and Go may end any other thread at any time.
type forker struct {
	calls chan func()
	done  chan struct{}
}

func newForker() *forker {
	f := &forker{calls: make(chan func()), done: make(chan struct{})}
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(f.done)
		for call := range f.calls {
			call()
		}
	}()
	return f
}

func (f *forker) do(start func() error) error {
	result := make(chan error, 1)
	f.calls <- func() { result <- start() }
	return <-result
}

func (f *forker) close() {
	close(f.calls)
	<-f.done
}
