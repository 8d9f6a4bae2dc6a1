package heliograph_test

import (
	"fmt"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// namedTest is a test in docs/security.md: its folder, with heliograph for the root, and its name.
var namedTest = regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz)\\w+)`")

// TestSecurityNamesTests proves that each point of RFC 8725 and each attacker of docs/security.md names tests that hold
// it, and that each named test exists.
func TestSecurityNamesTests(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]string{}
	for _, file := range tracked(t, "*_test.go") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		declared[path.Dir(file)] += string(text)
	}
	declared["heliograph"] = declared["."]
	_, text, _ := strings.Cut(string(page), "\n## Tokens, by RFC 8725\n")
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| section") || strings.HasPrefix(line, "| attacker") {
			continue
		}
		named := namedTest.FindAllStringSubmatch(line, -1)
		if len(named) == 0 {
			t.Errorf("docs/security.md names no test in the row %q", line)
		}
		for _, test := range named {
			if !strings.Contains(declared[test[1]], "\nfunc "+test[2]+"(") {
				t.Errorf("docs/security.md names %s.%s, which does not exist", test[1], test[2])
			}
		}
	}
	for section := 1; section <= 12; section++ {
		if !strings.Contains(text, fmt.Sprintf("\n| 3.%d ", section)) {
			t.Errorf("docs/security.md lacks section 3.%d of RFC 8725", section)
		}
	}
}
