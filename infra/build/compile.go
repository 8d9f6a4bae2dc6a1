package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// compile runs the compiler.
func (t Target) compile(ctx context.Context, names []string) error {
	fmt.Fprintf(t.Progress, "compiling %d functions for %s/%s\n", len(names), t.goos, t.goarch)
	command := t.command(ctx, names)
	var messages bytes.Buffer
	command.Stderr = &messages
	defer t.reportWhile("still compiling: a first time takes minutes, later ones less than a second")()
	if err := command.Run(); err != nil {
		return fmt.Errorf("compiling the functions: %w\n%s", errors.Join(ctx.Err(), err), strings.TrimSpace(messages.String()))
	}
	return nil
}

// command is the call of the compiler. lambda.norpc leaves out the protocol of a runtime that AWS has retired.
func (t Target) command(ctx context.Context, names []string) *exec.Cmd {
	args := []string{
		"build", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", t.Out + string(filepath.Separator),
	}
	if !t.Here {
		args = append(args, "-trimpath")
	}
	for _, name := range names {
		args = append(args, "./handlers/"+name)
	}
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = t.Root
	command.Env = t.environment()
	command.WaitDelay = time.Second // a compiler that outlives `go build` must not keep us
	return command
}

// environment is the compiler's. For this machine it is the developer's own, as `go run` has it: -trimpath, CGO_ENABLED,
// GOEXPERIMENT, GOAMD64 and GOFLAGS are part of every compiled package's key in Go's build cache, and where one differs,
// the standard library and the SDKs are compiled a second time. (-ldflags and -buildvcs are not; -tags only for the
// packages that a tag changes.) So a function may be linked with C's resolver here, as the developer's other programs are.
//
// For Lambda, all that makes a binary differ from one machine to the next is set.
func (t Target) environment() []string {
	environment := append(os.Environ(), "GOOS="+t.goos, "GOARCH="+t.goarch)
	if t.Here {
		return environment
	}
	// An empty GOFLAGS would not do: then Go takes those of its own settings file.
	return append(environment, "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off", "GOARM64=v8.0")
}

// reportWhile prints a line now and then, so that a long step is not taken for a hang, until stop is called.
func (t Target) reportWhile(text string) (stop func()) {
	began := time.Now()
	ticker := time.NewTicker(10 * time.Second)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case now := <-ticker.C:
				fmt.Fprintf(t.Progress, "%s (%d s)\n", text, int(now.Sub(began).Seconds()))
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(done)
		<-ended
	}
}
