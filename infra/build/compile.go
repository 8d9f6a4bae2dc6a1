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

// compile runs the compiler, printing progress while it works.
func (t Target) compile(ctx context.Context, names []string) error {
	fmt.Fprintf(t.Progress, "compiling %d functions for %s/%s\n", len(names), t.goos, t.goarch)
	command, err := t.command(ctx, names)
	if err != nil {
		return err
	}
	var messages bytes.Buffer
	command.Stderr = &messages
	defer t.reportWhile("still compiling: a first time takes minutes, later ones seconds")()
	if err := command.Run(); err != nil {
		return fmt.Errorf("compiling the functions: %w\n%s", errors.Join(ctx.Err(), err), strings.TrimSpace(messages.String()))
	}
	return nil
}

// command returns the compiler call.
//
// For this machine it uses the flags and the environment of `go run`: -trimpath, CGO_ENABLED, GOEXPERIMENT, GOAMD64 and
// the compiler flags in GOFLAGS are part of every package's key in Go's build cache, and if one differs, the standard
// library and the SDKs are compiled a second time. (-ldflags and -buildvcs are not part of any key, and -tags matters
// only to packages that mention a tag.) As a side effect, a function on this machine may resolve names through the C
// library, as under `go run`.
//
// For Lambda, everything that would make the binary differ from one machine or commit to the next is left out: paths,
// version control, C code, and Go's build id, which hashes the source including its comments.
func (t Target) command(ctx context.Context, names []string) (*exec.Cmd, error) {
	// lambda.norpc leaves out the protocol of a runtime that AWS has retired.
	args := []string{"build", "-buildvcs=false", "-tags", "lambda.norpc", "-o", t.Out + string(filepath.Separator)}
	environment := os.Environ()
	if t.Here {
		args = append(args, "-ldflags", "-s -w")
	} else {
		args = append(args, "-trimpath", "-ldflags", "-s -w -buildid=")
		var err error
		if environment, err = reproducible(ctx, t.Root, environment); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		args = append(args, "./handlers/"+name)
	}
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = t.Root
	command.Env = append(environment, "GOOS="+t.goos, "GOARCH="+t.goarch)
	command.WaitDelay = time.Second // a compiler that outlives `go build` must not block the caller
	return command, nil
}

// reportWhile prints a line now and then until stop is called, so that a long step is not mistaken for a hang.
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
