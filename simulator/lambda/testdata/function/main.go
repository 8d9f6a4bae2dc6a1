// Command function is the function that the tests of the simulated Lambda run. Its variable BEHAVIOUR selects what it
// does.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

var behaviours = map[string]any{
	"echo":  func(_ context.Context, in json.RawMessage) (json.RawMessage, error) { return in, nil },
	"pid":   func() (int, error) { return os.Getpid(), nil },
	"error": func() error { return errors.New("no luck") },
	"unauthorized": func() error {
		return errors.New("Unauthorized")
	},
	"panic": func() { panic("at the disco") },
	"exit":  func() { fmt.Println("about to exit"); os.Exit(3) },
	"quit":  func() { os.Exit(0) },
	"large": func() (string, error) { return strings.Repeat("x", 7<<20), nil },
	"hang": func(context.Context) {
		fmt.Println("about to hang")
		select {}
	},
	"grandchild": grandchild,
	"context":    describe,
	"environ":    func() ([]string, error) { return os.Environ(), nil },
	"log":        logLines,
	"levels":     levelLines,
	"memory":     memory,
	"sleep": func(_ context.Context, in struct{ Milliseconds int }) (int, error) {
		time.Sleep(time.Duration(in.Milliseconds) * time.Millisecond)
		return os.Getpid(), nil
	},
	"flaky":      flaky,
	"background": background,
}

func main() {
	switch os.Getenv("BEHAVIOUR") {
	case "init-exit":
		fmt.Fprintln(os.Stderr, "the environment variable TABLE_NAME is missing")
		os.Exit(1)
	case "init-hang":
		fmt.Println("starting for ever")
		select {}
	case "init-log":
		fmt.Println("starting")
	}
	handler, ok := behaviours[os.Getenv("BEHAVIOUR")]
	if !ok {
		handler = behaviours["echo"]
	}
	lambda.Start(handler)
}

func levelLines() {
	for _, line := range []string{`{"level":"DEBUG"}`, `{"level":"INFO"}`, `{"level":"ERROR"}`, `{"_aws":{}}`, "no JSON"} {
		fmt.Println(line)
	}
}

// background keeps counting after the event, and answers with the count so far.
func background() (int64, error) {
	counting.Do(func() {
		go func() {
			for range time.Tick(time.Millisecond) {
				count.Add(1)
			}
		}()
	})
	return count.Load(), nil
}

var (
	counting sync.Once
	count    atomic.Int64
)

// grandchild leaves a process behind that would outlive the function.
func grandchild() (int, error) {
	cmd := exec.Command("sleep", "600")
	err := cmd.Start()
	return cmd.Process.Pid, err
}

// describe answers with everything the function learns about its invocation.
func describe(ctx context.Context) (map[string]any, error) {
	lc, _ := lambdacontext.FromContext(ctx)
	deadline, _ := ctx.Deadline()
	return map[string]any{
		"requestId": lc.AwsRequestID, "arn": lc.InvokedFunctionArn, "trace": ctx.Value("x-amzn-trace-id"),
		"left": time.Until(deadline).Seconds(), "name": lambdacontext.FunctionName, "memory": lambdacontext.MemoryLimitInMB,
		"group": lambdacontext.LogGroupName, "stream": lambdacontext.LogStreamName,
	}, nil
}

func logLines() error {
	fmt.Println("one")
	fmt.Fprintln(os.Stderr, "two")
	fmt.Print("\n", strings.Repeat("long", 5000), "\nno end")
	return nil
}

func memory() (int, error) {
	b := make([]byte, 200<<20)
	for i := range b {
		b[i] = byte(i)
	}
	return len(b), nil
}

// flaky fails until it has left as many files as its event asks for.
func flaky(_ context.Context, in struct {
	Folder string
	Fail   int
},
) error {
	done, err := os.ReadDir(in.Folder)
	if err != nil {
		return err
	}
	if len(done) >= in.Fail {
		return nil
	}
	f, err := os.CreateTemp(in.Folder, "attempt-")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), errors.New("not yet"))
}
