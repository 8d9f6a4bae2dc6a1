//go:build !race

package build

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"heliograph"
)

// Packing takes minutes under the race detector, and a compressor has no races; build_test.go covers concurrent builds.

// TestBuild proves that an archive holds one executable file named bootstrap, the program, and that the build reports its
// progress.
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
// scratch. Otherwise every deployment would replace every function.
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
	a, b := buildFew(t, Target{Root: first}), buildFew(t, Target{Root: second})
	git("commit", "-q", "-m", "two", "--allow-empty")
	c := buildFew(t, Target{Root: second, Out: t.TempDir()})
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

// TestBuildIgnoresTheBuilder proves that no setting of the person who builds changes an archive, whether it comes from
// the environment or from Go's own settings file.
func TestBuildIgnoresTheBuilder(t *testing.T) {
	root := newModule(t)
	settings := map[string]string{
		"GOFLAGS": "-gcflags=-N", "CGO_ENABLED": "1", "GOEXPERIMENT": "nogreenteagc", "GOFIPS140": "latest", "GOARM64": "v9.0",
		"GOOS": "windows", "GOARCH": "amd64", "GO111MODULE": "off",
	}
	folder := t.TempDir() // on Linux, Go keeps its settings file here
	var lines strings.Builder
	for name, value := range settings {
		fmt.Fprintf(&lines, "%s=%s\n", name, value)
	}
	write(t, filepath.Join(folder, "go", "env"), lines.String())
	want := read(t, buildFew(t, Target{Root: root}).Artifacts[heliograph.Send].Archive)
	check := func(where string) {
		t.Helper()
		got := buildFew(t, Target{Root: root, Out: t.TempDir()})
		if !bytes.Equal(want, read(t, got.Artifacts[heliograph.Send].Archive)) {
			t.Errorf("settings in %s change the archive", where)
		}
	}
	t.Setenv("XDG_CONFIG_HOME", folder)
	check("Go's settings file")
	for name, value := range settings {
		t.Setenv(name, value)
	}
	check("the environment")
}

// TestBuildIgnoresComments proves that a comment does not change an archive, as long as no line of code moves: Go
// records line numbers for stack traces.
func TestBuildIgnoresComments(t *testing.T) {
	t.Parallel()
	root := newModule(t)
	want := read(t, buildFew(t, Target{Root: root}).Artifacts[heliograph.Send].Archive)
	main := filepath.Join(root, "handlers", heliograph.Send, "main.go")
	write(t, main, string(read(t, main))+"// A comment.\n")
	if got := read(t, buildFew(t, Target{Root: root}).Artifacts[heliograph.Send].Archive); !bytes.Equal(want, got) {
		t.Error("a comment changes the archive")
	}
}

// TestBuildChangesOneArchive proves that a change of one handler's source changes that handler's archive alone, so that a
// deployment updates one function.
func TestBuildChangesOneArchive(t *testing.T) {
	t.Parallel()
	root := newModule(t)
	before := map[string][]byte{}
	for name, artifact := range buildFew(t, Target{Root: root}).Artifacts {
		before[name] = read(t, artifact.Archive)
	}
	write(t, filepath.Join(root, "handlers", heliograph.Send, "main.go"), "package main\n\nfunc main() { println(\"changed\") }\n")
	for name, artifact := range buildFew(t, Target{Root: root}).Artifacts {
		if changed := !bytes.Equal(before[name], read(t, artifact.Archive)); changed != (name == heliograph.Send) {
			t.Errorf("the archive of %s changed: %v", name, changed)
		}
	}
}

// TestBuildHereSharesTheCache proves that a build for this machine compiles nothing that `go run` has already compiled:
// neither the standard library nor a module that both import.
func TestBuildHereSharesTheCache(t *testing.T) {
	t.Parallel()
	root := newModule(t)
	write(t, filepath.Join(root, "shared", "shared.go"), "package shared\n\nimport \"net\"\n\nvar IP net.IP\n")
	for _, folder := range []string{"handlers/" + heliograph.Send, "cli"} {
		write(t, filepath.Join(root, folder, "main.go"), "package main\n\nimport \"small/shared\"\n\nfunc main() { println(shared.IP) }\n")
	}
	run := exec.Command("go", "run", "./cli")
	run.Dir = root
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("go run: %v\n%s", err, out)
	}
	target, err := here(root).complete()
	if err != nil {
		t.Fatal(err)
	}
	plan, err := target.command(t.Context(), few[:1])
	if err != nil {
		t.Fatal(err)
	}
	plan.Args = slices.Insert(plan.Args, 2, "-n") // prints the commands for anything not in the cache, and runs none
	out, err := plan.CombinedOutput()
	if err != nil {
		t.Fatalf("go build -n: %v\n%s", err, out)
	}
	if got := strings.Count(string(out), "/compile "); got != 1 {
		t.Errorf("%d packages would be compiled, want the function alone:\n%s", got, out)
	}
}
