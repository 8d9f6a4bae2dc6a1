package main

import (
	"bytes"
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
			if err := welcome(&out, local.Endpoints{}, command, time.Second); err != nil {
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
