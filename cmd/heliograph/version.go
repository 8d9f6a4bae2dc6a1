package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// versionCommand prints the build that is running.
type versionCommand struct{}

func (versionCommand) Help() string {
	return `Prints what this program was built from, as the Go toolchain recorded it: module version, commit, Go version and
platform. "go run" records no commit; a program built by "go build" does.

Example:
  heliograph version`
}

func (versionCommand) Run(w world) error {
	info, _ := w.buildInfo() // nil if the program was built without module support
	_, err := fmt.Fprintln(w.stdout, version(info))
	return err
}

// version describes a build in one line, such as
// "heliograph v1.2.3 (commit 0123456789ab, 2026-01-02T03:04:05Z, modified) go1.26.0 linux/arm64".
func version(info *debug.BuildInfo) string {
	if info == nil {
		info = &debug.BuildInfo{}
	}
	released := info.Main.Version
	if released == "" {
		released = "(devel)" // the toolchain's version for a build without a tag
	}
	parts := []string{"heliograph", released}
	if c := commit(info.Settings); c != "" {
		parts = append(parts, "("+c+")")
	}
	return strings.Join(append(parts, runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH), " ")
}

// commit describes the working tree that was built; "" if the toolchain recorded none.
func commit(settings []debug.BuildSetting) string {
	vcs := map[string]string{}
	for _, s := range settings {
		vcs[s.Key] = s.Value
	}
	revision := vcs["vcs.revision"]
	if revision == "" {
		return ""
	}
	described := "commit " + revision[:min(len(revision), 12)]
	if at := vcs["vcs.time"]; at != "" {
		described += ", " + at
	}
	if vcs["vcs.modified"] == "true" {
		described += ", modified"
	}
	return described
}
