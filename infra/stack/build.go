package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/sync/errgroup"
)

// Target says what Build builds, and for which machine.
type Target struct {
	GOOS, GOARCH string    // as `go tool dist list` prints them: linux and arm64 on AWS
	Root         string    // the module's folder, the one with go.mod
	Out          string    // where binaries and archives are kept; empty: <Root>/.heliograph/build/<GOOS>-<GOARCH>
	Progress     io.Writer // gets a line for each step that takes long; nil: none
}

// Functions are the built functions.
type Functions struct {
	Architecture string              // Lambda's name of the machine: arm64 or x86_64
	Artifacts    map[string]Artifact // by short name, see FunctionNames
}

// Artifact is one built function.
type Artifact struct {
	Binary  string // path of the program
	Archive string // path of the zip archive that Lambda gets: the program alone, named bootstrap
}

// architectures are the machines that Lambda offers, by Go's names.
var architectures = map[string]string{"arm64": "arm64", "amd64": "x86_64"}

// Build compiles all functions with one `go build` and packs each into an archive that is byte-identical for the
// same source and Go version. What is up to date is left alone, so a second call costs little. Of two calls at once
// into one folder, the later waits for the other. The error of a function that does not compile holds the
// compiler's message.
func Build(ctx context.Context, target Target) (Functions, error) {
	return build(ctx, target, FunctionNames())
}

// build is Build of some functions.
func build(ctx context.Context, target Target, names []string) (Functions, error) {
	target, err := target.complete()
	if err != nil {
		return Functions{}, err
	}
	lock := flock.New(filepath.Join(target.Out, ".lock"))
	if _, err := lock.TryLockContext(ctx, 20*time.Millisecond); err != nil {
		return Functions{}, fmt.Errorf("waiting for another build: %w", err)
	}
	defer lock.Close()
	if err := target.compile(ctx, names); err != nil {
		return Functions{}, err
	}
	return target.pack(names)
}

// complete fills in what was left out and makes the folder.
func (t Target) complete() (Target, error) {
	if architectures[t.GOARCH] == "" {
		return t, fmt.Errorf("GOARCH is %q; Lambda has arm64 and amd64", t.GOARCH)
	}
	if t.Out == "" {
		t.Out = filepath.Join(t.Root, ".heliograph", "build", t.GOOS+"-"+t.GOARCH)
	}
	if t.Progress == nil {
		t.Progress = io.Discard
	}
	out, err := filepath.Abs(t.Out)
	if err != nil {
		return t, fmt.Errorf("finding the build folder: %w", err)
	}
	t.Out = out
	if err := os.MkdirAll(t.Out, 0o755); err != nil {
		return t, fmt.Errorf("making the build folder: %w", err)
	}
	return t, nil
}

// compile runs the compiler. Whatever would make the binary differ from one machine or commit to the next is set or
// left out: paths, version control, C code, flags and workspaces of whoever builds. (An empty GOFLAGS would not do:
// then Go takes those of its own settings file.)
func (t Target) compile(ctx context.Context, names []string) error {
	fmt.Fprintf(t.Progress, "compiling %d functions for %s/%s\n", len(names), t.GOOS, t.GOARCH)
	args := []string{
		"build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w",
		"-o", t.Out + string(filepath.Separator),
	}
	for _, name := range names {
		args = append(args, "./handlers/"+name)
	}
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = t.Root
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+t.GOOS, "GOARCH="+t.GOARCH,
		"GOFLAGS=-mod=readonly", "GOWORK=off", "GOAMD64=v1", "GOARM64=v8.0")
	command.WaitDelay = time.Second // a compiler that outlives `go build` must not keep us
	var messages bytes.Buffer
	command.Stderr = &messages
	defer t.reportWhile("still compiling: a first time takes minutes, later ones less than a second")()
	if err := command.Run(); err != nil {
		return fmt.Errorf("compiling the functions: %w\n%s", errors.Join(ctx.Err(), err), strings.TrimSpace(messages.String()))
	}
	return nil
}

// reportWhile prints a line now and then, so that nobody takes a long step for a hang, until stop is called.
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

// pack makes the archives, as many at once as there are processors.
func (t Target) pack(names []string) (Functions, error) {
	functions := Functions{Architecture: architectures[t.GOARCH], Artifacts: map[string]Artifact{}}
	var group errgroup.Group
	for _, name := range names {
		artifact := Artifact{Binary: t.binary(name), Archive: filepath.Join(t.Out, name+".zip")}
		functions.Artifacts[name] = artifact
		group.Go(func() error {
			if err := archive(artifact.Binary, artifact.Archive); err != nil {
				return fmt.Errorf("packing %s: %w", name, err)
			}
			return nil
		})
	}
	return functions, group.Wait()
}

// binary is where `go build` puts a program.
func (t Target) binary(name string) string {
	if t.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(t.Out, name)
}

// check finds functions that were not built, before Pulumi would fail on a missing file in the middle of things.
func (f Functions) check() error {
	if f.Architecture == "" {
		return errors.New("the functions have no architecture: they were not made by Build")
	}
	for _, name := range FunctionNames() {
		if f.Artifacts[name].Archive == "" {
			return fmt.Errorf("function %s has no archive: it was not built", name)
		}
	}
	return nil
}

// FindRoot finds the folder of go.mod, at or above a folder. Pulumi runs the program in infra/.
func FindRoot(from string) (string, error) {
	start, err := filepath.Abs(from)
	if err != nil {
		return "", fmt.Errorf("finding the module's root: %w", err)
	}
	for folder := start; ; folder = filepath.Dir(folder) {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder, nil
		}
		if folder == filepath.Dir(folder) {
			return "", fmt.Errorf("finding the module's root: there is no go.mod at or above %s", start)
		}
	}
}
