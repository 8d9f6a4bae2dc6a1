package build

import (
	"archive/zip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"heliograph"
)

// few is a subset of functions large enough to show what a build does: the rules are the same for all, and each costs a
// linker run.
var few = []string{heliograph.Send, heliograph.Sweep, heliograph.Online}

// newModule writes a module with a small program for each of the few functions.
func newModule(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	write(t, filepath.Join(root, "go.mod"), "module small\n\ngo 1.24\n")
	for _, name := range few {
		write(t, filepath.Join(root, "handlers", name, "main.go"), "package main\n\nfunc main() { println(\""+name+"\") }\n")
	}
	return root
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// here is a target for this machine, so that the tests can run its programs.
func here(root string) Target { return Target{Here: true, Root: root} }

func buildFew(t *testing.T, target Target) Functions {
	t.Helper()
	functions, err := build(context.Background(), target, few)
	if err != nil {
		t.Fatal(err)
	}
	return functions
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestBuildLeavesAlone proves that only outdated files are rebuilt.
func TestBuildLeavesAlone(t *testing.T) {
	t.Parallel()
	root := newModule(t)
	functions := buildFew(t, here(root))
	long := time.Date(2001, time.February, 3, 0, 0, 0, 0, time.UTC)
	for _, name := range few {
		if err := os.Chtimes(functions.Artifacts[name].Archive, long, long); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(root, "handlers", heliograph.Send, "main.go"), "package main\n\nfunc main() { println(\"changed\") }\n")
	write(t, functions.Artifacts[heliograph.Sweep].Archive, "not an archive")
	buildFew(t, here(root))
	for _, name := range few {
		info, err := os.Stat(functions.Artifacts[name].Archive)
		if err != nil {
			t.Fatal(err)
		}
		if touched, want := !info.ModTime().Equal(long), name == heliograph.Send || name == heliograph.Sweep; touched != want {
			t.Errorf("%s was packed anew: %v, want %v", name, touched, want)
		}
	}
	if z, err := zip.OpenReader(functions.Artifacts[heliograph.Sweep].Archive); err != nil {
		t.Errorf("a broken archive stayed: %v", err)
	} else {
		z.Close()
	}
}

// TestBuildErrors proves that a function that does not compile ends in one error with the compiler's message.
func TestBuildErrors(t *testing.T) {
	t.Parallel()
	broken := newModule(t)
	write(t, filepath.Join(broken, "handlers", heliograph.Send, "main.go"), "package main\n\nfunc main() { undefinedThing() }\n")
	missing := newModule(t)
	if err := os.RemoveAll(filepath.Join(missing, "handlers", heliograph.Sweep)); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		target Target
		want   string
	}{
		"does not compile": {here(broken), "handlers/send/main.go:3:15: undefined: undefinedThing"},
		"missing":          {here(missing), filepath.Join("handlers", "sweep")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := build(context.Background(), test.target, few)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that says %q", err, test.want)
			}
		})
	}
}

// TestBuildsAtOnce proves that of two builds for one folder, one waits for the other and both succeed.
func TestBuildsAtOnce(t *testing.T) {
	t.Parallel()
	root := newModule(t)
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			functions, err := build(context.Background(), here(root), few[:1])
			if err != nil {
				t.Error(err)
				return
			}
			if z, err := zip.OpenReader(functions.Artifacts[heliograph.Send].Archive); err != nil {
				t.Error(err)
			} else {
				z.Close()
			}
		})
	}
	wait.Wait()
	left, err := filepath.Glob(filepath.Join(root, ".heliograph", "build", "*", ".*.zip.*"))
	if err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

// TestBuildsWaitForEachOther proves that a build waits for another one for the same folder, and can be canceled while
// it waits.
func TestBuildsWaitForEachOther(t *testing.T) {
	t.Parallel()
	target := here(newModule(t))
	target.Out = t.TempDir()
	other := flock.New(filepath.Join(target.Out, ".lock"))
	if err := other.Lock(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := build(ctx, target, few[:1])
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "waiting for another build") {
		t.Errorf("error %v, want that another build did not end in time", err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := build(t.Context(), target, few[:1]); err != nil {
		t.Errorf("after the other build: %v", err)
	}
}

// TestReplaceKeepsTheOld proves that a failed write keeps the old file and leaves no temporary one beside it.
func TestReplaceKeepsTheOld(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "old")
	failed := errors.New("disk full")
	err := replace(path, func(w io.Writer) error {
		_, _ = io.WriteString(w, "half of the ne")
		return failed
	})
	if !errors.Is(err, failed) {
		t.Errorf("error %v, want %v", err, failed)
	}
	if got := string(read(t, path)); got != "old" {
		t.Errorf("the file says %q", got)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("files left: %v, %v", entries, err)
	}
}

// TestFindRoot proves that the module's root is found from a folder below it, and that a folder outside any module is
// an error.
func TestFindRoot(t *testing.T) {
	t.Parallel()
	root := newModule(t)
	got, err := FindRoot(filepath.Join(root, "handlers", "send"))
	if err != nil || got != root {
		t.Errorf("root %q, %v; want %q", got, err, root)
	}
	if _, err := FindRoot(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no go.mod") {
		t.Errorf("error %v, want that there is no go.mod", err)
	}
}
