//go:build !race

package build

import (
	"context"
	"debug/elf"
	"os"
	"sync"
	"testing"

	"heliograph"
)

// realFunctions builds the deployed functions once for all tests, into the permanent folder: the first run compiles for
// some minutes, later ones find everything up to date.
var realFunctions = sync.OnceValues(func() (Functions, error) {
	root, err := FindRoot(".")
	if err != nil {
		return Functions{}, err
	}
	return Build(context.Background(), Target{Root: root})
})

// TestRealArchives proves that the deployed functions are small, static programs for arm64: the smaller the archive,
// the faster a cold start.
func TestRealArchives(t *testing.T) {
	t.Parallel()
	functions, err := realFunctions()
	if err != nil {
		t.Fatal(err)
	}
	const most = 7_000_000
	for _, name := range heliograph.Functions() {
		info, err := os.Stat(functions.Artifacts[name].Archive)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > most {
			t.Errorf("the archive of %s has %d bytes, want %d at most", name, info.Size(), most)
		}
		program, err := elf.Open(functions.Artifacts[name].Binary)
		if err != nil {
			t.Fatal(err)
		}
		if program.Machine != elf.EM_AARCH64 {
			t.Errorf("%s is a program for %v, want arm64", name, program.Machine)
		}
		if libraries, _ := program.ImportedLibraries(); len(libraries) > 0 {
			t.Errorf("%s needs %v", name, libraries)
		}
		program.Close()
	}
}

// BenchmarkBuildWarm measures a build of unchanged source: a cost that every `pulumi up` pays.
func BenchmarkBuildWarm(b *testing.B) {
	if _, err := realFunctions(); err != nil {
		b.Fatal(err)
	}
	root, err := FindRoot(".")
	if err != nil {
		b.Fatal(err)
	}
	target, err := Target{Root: root}.complete()
	if err != nil {
		b.Fatal(err)
	}
	b.Run("compile", func(b *testing.B) {
		for b.Loop() {
			if err := target.compile(b.Context(), heliograph.Functions()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("pack", func(b *testing.B) {
		for b.Loop() {
			if _, err := target.pack(heliograph.Functions()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
