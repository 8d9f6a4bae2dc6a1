package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"testing"
)

// TestVersion proves the text printed for each kind of build, through the real parser.
func TestVersion(t *testing.T) {
	t.Parallel()
	platform := runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
	built := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}, Settings: settings}
	}
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"}
	for _, tt := range []struct {
		name string
		info *debug.BuildInfo
		want string
	}{
		{"released", built("v1.2.3"), "heliograph v1.2.3 " + platform},
		{"go run", built("(devel)"), "heliograph (devel) " + platform},
		{"no version", built(""), "heliograph (devel) " + platform},
		{"no build info", nil, "heliograph (devel) " + platform},
		{"commit", built("v1.2.3", revision), "heliograph v1.2.3 (commit 0123456789ab) " + platform},
		{
			"modified", built("v1.2.3", revision, debug.BuildSetting{Key: "vcs.time", Value: "2026-01-02T03:04:05Z"}, debug.BuildSetting{Key: "vcs.modified", Value: "true"}),
			"heliograph v1.2.3 (commit 0123456789ab, 2026-01-02T03:04:05Z, modified) " + platform,
		},
		{"short commit", built("v1.2.3", debug.BuildSetting{Key: "vcs.revision", Value: "0123"}), "heliograph v1.2.3 (commit 0123) " + platform},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			w := world{stdout: &out, stderr: io.Discard, buildInfo: func() (*debug.BuildInfo, bool) { return tt.info, tt.info != nil }}
			if code := run(t.Context(), w, []string{"version"}); code != 0 {
				t.Fatalf("exit code %d", code)
			}
			if want := tt.want + "\n"; out.String() != want {
				t.Errorf("got  %q\nwant %q", out.String(), want)
			}
		})
	}
}

// TestVersionIsPrinted proves that a failing output is an error.
func TestVersionIsPrinted(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	full := errors.New("the disk is full")
	w := world{stdout: failing{full}, stderr: &stderr, buildInfo: debug.ReadBuildInfo}
	if code := run(t.Context(), w, []string{"version"}); code != 1 || stderr.String() != fmt.Sprintf("heliograph: %v\n", full) {
		t.Errorf("exit code %d, stderr %q", code, &stderr)
	}
}

// failing is a writer that always fails.
type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
