package heliograph

import (
	"strings"
	"testing"
)

// TestSecretBytes proves that a repeated text counts once, its last copy whole or not, and that chance repetitions of
// single characters don't matter.
func TestSecretBytes(t *testing.T) {
	t.Parallel()
	for secret, want := range map[string]int{
		"":                                     0,
		"x":                                    1,
		strings.Repeat("x", 64):                1,
		strings.Repeat("ab", 32):               2,
		strings.Repeat("ab", 32)[1:]:           2,
		strings.Repeat("password", 8)[:61]:     8,
		strings.Repeat("password", 8) + "!":    65,
		"!" + strings.Repeat("password", 8):    65,
		"0123456789abcdef0123456789abcdef":     16,
		"0123456789abcdef0123456789abcde":      31, // not even twice
		"fdre4t5y6u7i8o9p0o9i8u7y6t5r4e3w2q1f": 36, // ends as it begins
	} {
		if got := SecretBytes(secret); got != want {
			t.Errorf("SecretBytes(%q) = %d, want %d", secret, got, want)
		}
	}
}
