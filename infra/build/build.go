// Package build compiles the functions and packs them into the archives that Lambda takes. It does not know Pulumi:
// infra/stack declares the functions from its result, on AWS and on a laptop.
package build

import (
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/sync/errgroup"

	"heliograph"
)

// Target describes where the functions will run and where to build them.
type Target struct {
	// Here builds for this machine, with the flags of `go run`: packages that the functions share with a program
	// started by `go run` are compiled only once. Otherwise the functions are built for Lambda, and the same source
	// compiled by the same Go version gives the same bytes on every machine.
	Here bool

	Root     string    // the module's folder, the one with go.mod
	Out      string    // folder of binaries and archives; empty: here or lambda, in <Root>/.heliograph/build
	Progress io.Writer // gets a line for each step that takes long; may be nil

	goos, goarch string // set by complete
}

// Functions are the built functions.
type Functions struct {
	Architecture string              // the machine, as Lambda names it: arm64 or x86_64
	Artifacts    map[string]Artifact // by short name, see heliograph.Functions
}

// Artifact is one built function.
type Artifact struct {
	Binary  string // path of the program
	Archive string // path of the zip archive uploaded to Lambda: the program alone, named bootstrap
}

// architectures maps Go's names of the machines that Lambda offers to Lambda's.
var architectures = map[string]string{"arm64": "arm64", "amd64": "x86_64"}

// Build compiles all functions with one `go build` and packs each into an archive. Up-to-date files are left alone, so
// a second call costs little. Of two concurrent calls for one folder, the later one waits. If a function does not
// compile, the error holds the compiler's message.
func Build(ctx context.Context, target Target) (Functions, error) {
	return build(ctx, target, heliograph.Functions())
}

// build is Build for a subset of the functions, so that tests can be quick.
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

// complete fills in omitted fields and creates the folder.
func (t Target) complete() (Target, error) {
	folder := "lambda"
	t.goos, t.goarch = "linux", "arm64"
	if t.Here {
		folder = "here"
		t.goos, t.goarch = runtime.GOOS, runtime.GOARCH
	}
	if architectures[t.goarch] == "" {
		return t, fmt.Errorf("this machine is %s; Lambda has arm64 and amd64 only", t.goarch)
	}
	if t.Out == "" {
		t.Out = filepath.Join(t.Root, ".heliograph", "build", folder)
	}
	if t.Progress == nil {
		t.Progress = io.Discard
	}
	out, err := filepath.Abs(t.Out)
	if err != nil {
		return t, fmt.Errorf("finding the build folder: %w", err)
	}
	t.Out = out
	if err := os.MkdirAll(t.Out, 0o700); err != nil {
		return t, fmt.Errorf("making the build folder: %w", err)
	}
	return t, nil
}

// pack writes the archives. Lambda's are uploaded, so they are compressed as far as possible; a laptop only unpacks its
// own.
func (t Target) pack(names []string) (Functions, error) {
	functions := Functions{Architecture: architectures[t.goarch], Artifacts: map[string]Artifact{}}
	level := flate.BestCompression
	if t.Here {
		level = flate.BestSpeed
	}
	var group errgroup.Group
	for _, name := range names {
		artifact := Artifact{Binary: t.binary(name), Archive: filepath.Join(t.Out, name+".zip")}
		functions.Artifacts[name] = artifact
		group.Go(func() error {
			if err := archive(artifact.Binary, artifact.Archive, level); err != nil {
				return fmt.Errorf("packing %s: %w", name, err)
			}
			return nil
		})
	}
	return functions, group.Wait()
}

// binary is where `go build` puts a program.
func (t Target) binary(name string) string {
	if t.goos == "windows" {
		name += ".exe"
	}
	return filepath.Join(t.Out, name)
}

// Check names a function that was not built, before Pulumi fails halfway through on the missing file.
func (f Functions) Check() error {
	if f.Architecture == "" {
		return errors.New("the functions have no architecture: they were not made by Build")
	}
	for _, name := range heliograph.Functions() {
		if f.Artifacts[name].Archive == "" {
			return fmt.Errorf("function %s has no archive: it was not built", name)
		}
	}
	return nil
}

// FindRoot returns the folder of go.mod, at or above the given one. Pulumi runs the program in infra/.
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
