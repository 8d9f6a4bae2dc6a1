//go:build !race

package stack

import (
	"archive/zip"
	"bytes"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

// What these tests pack would take minutes under the race detector, which has nothing to find in a compressor: the
// builds that run side by side are those of build_test.go.

// TestBuild proves what Lambda gets: one executable file named bootstrap, which is the program. And that whoever waits
// is told what for.
func TestBuild(t *testing.T) {
	t.Parallel()
	var progress bytes.Buffer
	target := here(newModule(t))
	target.Progress = &progress
	functions := buildFew(t, target)
	if want := "compiling 3 functions for " + runtime.GOOS + "/" + runtime.GOARCH + "\n"; progress.String() != want {
		t.Errorf("progress %q, want %q", progress.String(), want)
	}
	if want := map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]; functions.Architecture != want {
		t.Errorf("architecture %q, want %q", functions.Architecture, want)
	}
	for _, name := range few {
		z, err := zip.OpenReader(functions.Artifacts[name].Archive)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		if len(z.File) != 1 || z.File[0].Name != "bootstrap" || z.File[0].Mode() != 0o755 {
			t.Fatalf("%s: the archive holds %v, want an executable bootstrap alone", name, z.File)
		}
		entry, err := z.Open("bootstrap")
		if err != nil {
			t.Fatal(err)
		}
		packed, err := io.ReadAll(entry)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(packed, read(t, functions.Artifacts[name].Binary)) {
			t.Errorf("%s: the archive holds another program than was built", name)
		}
		out, err := exec.Command(functions.Artifacts[name].Binary).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != name {
			t.Errorf("%s: the program says %q, %v", name, out, err)
		}
	}
}

// TestBuildIsReproducible proves that the same source gives the same bytes: in another folder, after a commit, from
// scratch. Else every deployment would replace every function.
func TestBuildIsReproducible(t *testing.T) {
	t.Parallel()
	first, second := newModule(t), newModule(t)
	git := func(args ...string) {
		t.Helper()
		command := exec.Command("git", append([]string{"-c", "user.name=test", "-c", "user.email=test@example.com"}, args...)...)
		command.Dir = second
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("init", "-q")
	git("add", "-A")
	git("commit", "-q", "-m", "one")
	a, b := buildFew(t, here(first)), buildFew(t, here(second))
	git("commit", "-q", "-m", "two", "--allow-empty")
	elsewhere := here(second)
	elsewhere.Out = t.TempDir()
	c := buildFew(t, elsewhere)
	for _, name := range few {
		want := read(t, a.Artifacts[name].Archive)
		if !bytes.Equal(want, read(t, b.Artifacts[name].Archive)) {
			t.Errorf("%s differs between two copies of the source", name)
		}
		if !bytes.Equal(want, read(t, c.Artifacts[name].Archive)) {
			t.Errorf("%s differs after a commit that changes nothing", name)
		}
	}
}

// TestBuildIgnoresTheBuildersHabits proves that flags of whoever builds change nothing.
func TestBuildIgnoresTheBuildersHabits(t *testing.T) {
	root := newModule(t)
	want := buildFew(t, here(root))
	t.Setenv("GOFLAGS", "-gcflags=-N")
	t.Setenv("CGO_ENABLED", "1")
	habits := here(root)
	habits.Out = t.TempDir()
	got := buildFew(t, habits)
	if !bytes.Equal(read(t, want.Artifacts[send].Archive), read(t, got.Artifacts[send].Archive)) {
		t.Error("GOFLAGS changes the archive")
	}
}
