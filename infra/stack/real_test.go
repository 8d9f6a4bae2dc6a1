//go:build !race

package stack

import (
	"context"
	"debug/elf"
	"os"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// These tests build the functions that are deployed: 130 MB to pack, which takes minutes under the race detector, so a
// run with it leaves them out.

// realFunctions builds once for all tests, into the folder that is kept: a first run compiles for some minutes, later ones
// find it all up to date.
var realFunctions = sync.OnceValues(func() (Functions, error) {
	root, err := FindRoot(".")
	if err != nil {
		return Functions{}, err
	}
	return Build(context.Background(), Target{GOOS: "linux", GOARCH: "arm64", Root: root})
})

// TestRealArchives proves that the functions which are deployed are small, static programs for arm64: the smaller the
// archive, the faster a cold start.
func TestRealArchives(t *testing.T) {
	t.Parallel()
	functions, err := realFunctions()
	if err != nil {
		t.Fatal(err)
	}
	const most = 7_000_000
	for _, name := range FunctionNames() {
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

// TestProgram proves the whole program as `pulumi up` runs it: configuration, build, resources, outputs.
func TestProgram(t *testing.T) {
	t.Parallel()
	if _, err := realFunctions(); err != nil {
		t.Fatal(err)
	}
	keys, err := merged("dev", loadProject(t), testSecret)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{}
	var exported map[string]pulumi.Input
	err = pulumi.RunErr(func(ctx *pulumi.Context) error {
		defer func() { exported = ctx.GetCurrentExportMap() }()
		return Program(ctx)
	}, pulumi.WithMocks("heliograph", "dev", r), func(info *pulumi.RunInfo) {
		info.Config = map[string]string{}
		for key, value := range keys {
			info.Config[namespace+key] = value
		}
		info.ConfigSecretKeys = []string{namespace + "jwtSecret"}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"webSocketUrl", "httpUrl", "sendQueueUrl", "deadLetterQueueUrl", "eventTopicArn", "tableName", "dashboardUrl", "region", "parameterPrefix",
	} {
		if exported[name] == nil {
			t.Errorf("the program exports no %s", name)
		}
	}
	if len(exported) != 9 {
		t.Errorf("the program exports %d outputs, want 9", len(exported))
	}
	functions := 0
	for _, res := range r.resources {
		if res.kind != "aws:lambda/function:Function" {
			continue
		}
		functions++
		if path, _ := res.at("code").(string); path == "" {
			t.Errorf("%s has no code", res.name)
		} else if _, err := os.Stat(path); err != nil {
			t.Errorf("the code of %s: %v", res.name, err)
		}
	}
	if functions != len(FunctionNames()) {
		t.Errorf("the program declares %d functions, want %d", functions, len(FunctionNames()))
	}
}

// BenchmarkBuildWarm is what a build costs when nothing has changed: what every `pulumi up` and every start of a local
// stack pay.
func BenchmarkBuildWarm(b *testing.B) {
	if _, err := realFunctions(); err != nil {
		b.Fatal(err)
	}
	root, err := FindRoot(".")
	if err != nil {
		b.Fatal(err)
	}
	target, err := Target{GOOS: "linux", GOARCH: "arm64", Root: root}.complete()
	if err != nil {
		b.Fatal(err)
	}
	b.Run("compile", func(b *testing.B) {
		for b.Loop() {
			if err := target.compile(b.Context(), FunctionNames()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("pack", func(b *testing.B) {
		for b.Loop() {
			if _, err := target.pack(FunctionNames()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
