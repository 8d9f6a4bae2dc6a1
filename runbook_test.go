package heliograph_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var reasonRow = regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| [^|]+ \\| [^|]+ \\|$")

// TestRunbookKnowsReasons proves that whoever finds a dead letter finds its reason in the runbook, with what to do, and
// no reason there that has gone.
func TestRunbookKnowsReasons(t *testing.T) {
	t.Parallel()
	runbook, err := os.ReadFile("docs/runbooks/dead-letters.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(runbook), "| reason |")
	told := map[string]bool{}
	for _, row := range reasonRow.FindAllStringSubmatch(table, -1) {
		told[row[1]] = true
	}
	given := constants(t, "message/reason.go", "Reason")
	if diff := cmp.Diff(slices.Sorted(maps.Keys(given)), slices.Sorted(maps.Keys(told))); diff != "" {
		t.Errorf("reasons given (-) and told (+): %s", diff)
	}
}

// constants are the texts of the constants of a type that a file declares.
func constants(t *testing.T, path, typ string) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); !ok || name.Name != typ {
			return true
		}
		for _, value := range spec.Values {
			if text, err := strconv.Unquote(value.(*ast.BasicLit).Value); err == nil {
				texts[text] = true
			}
		}
		return true
	})
	if len(texts) == 0 {
		t.Fatalf("%s declares no constants of type %s", path, typ)
	}
	return texts
}
