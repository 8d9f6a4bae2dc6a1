package heliograph_test

import (
	"strings"
	"testing"

	"heliograph"
)

// TestCheck proves which ids every process accepts, and that a refusal never repeats the id.
func TestCheck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		id   string
		want string
	}{
		"empty":            {"", "is empty"},
		"one byte":         {"1", ""},
		"longest":          {strings.Repeat("ü", heliograph.MaxUserID/2), ""},
		"too long":         {strings.Repeat("x", heliograph.MaxUserID+1), "has 257 bytes, more than 256"},
		"broken UTF-8":     {"jane\xff", "is not valid UTF-8"},
		"half a surrogate": {"\xed\xa0\x80", "is not valid UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if err := heliograph.UserID(c.id).Check(); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("the check says %q, not %q", got, c.want)
			}
		})
	}
	if err := heliograph.ConnectionID(strings.Repeat("c", heliograph.MaxConnectionID+1)).Check(); err == nil {
		t.Error("a connection id may be longer than MaxConnectionID")
	}
}
