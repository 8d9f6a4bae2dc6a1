package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"heliograph/local"
)

// TestWelcome proves that the commands offered for copying talk to the stack that was started.
func TestWelcome(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, endpoints, want string }{
		{"default", "/home/me/project/.heliograph/local.json", "go run ./cmd/heliograph connect --user 1234\n"},
		{"elsewhere", "/tmp/other's.json", `go run ./cmd/heliograph --target '/tmp/other'\''s.json' connect --user 1234` + "\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			command := itself("/home/me/project", tt.endpoints)
			if err := welcome(&out, local.Endpoints{}, command, seedToken, time.Second); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out.String(), tt.want) {
				t.Errorf("%q is not in %s", tt.want, &out)
			}
			if all, ours := strings.Count(out.String(), "go run"), strings.Count(out.String(), command+" "); all != ours {
				t.Errorf("%d of %d commands are %q", ours, all, command)
			}
		})
	}
}

// TestConfigFromFiles proves that a secret can be kept out of the list of processes, that one in it brings a warning
// which does not repeat it, and that a missing file is named.
func TestConfigFromFiles(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("a secret of thirty-two characters\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, key, value, want, warning, err string }{
		{"a file", "jwtSecret", "@" + file, "a secret of thirty-two characters", "", ""},
		{"a secret argument", "jwtSecretPrevious", "visible", "visible", "--config jwtSecretPrevious=@FILE", ""},
		{"another argument", "presenceGrace", "1s", "1s", "", ""},
		{"no file", "jwtSecret", "@" + file + ".gone", "", "", "--config jwtSecret: open " + file + ".gone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var warnings bytes.Buffer
			config, err := (&localCommand{Config: map[string]string{tt.key: tt.value}}).config(&warnings)
			wantError(t, err, tt.err)
			if config[tt.key] != tt.want {
				t.Errorf("%s is %q, want %q", tt.key, config[tt.key], tt.want)
			}
			if got := warnings.String(); (got == "") != (tt.warning == "") || !strings.Contains(got, tt.warning) || strings.Contains(got, "visible") {
				t.Errorf("printed %q", got)
			}
		})
	}
}
