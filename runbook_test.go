package heliograph_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
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

var (
	filterPattern  = regexp.MustCompile(`--filter-pattern '(\{[^']*\})'`)
	filterMember   = regexp.MustCompile(`\$\.([A-Za-z]+)`)
	filterMessage  = regexp.MustCompile(`\$\.message = "([^"]*)"`)
	writtenByAll   = []string{"level", "message", "requestId", "traceId", "correlationId"}
	writersOfLines = []string{"auth", "delivery", "handlers", "infra/stack/accesslogs.go", "observability", "presence"}
)

// TestRunbooksSearchForWhatIsWritten proves that the log lines which a runbook looks for have the members that it names,
// and that one with the message is written.
func TestRunbooksSearchForWhatIsWritten(t *testing.T) {
	t.Parallel()
	written, runbooks := literals(t, writersOfLines), 0
	for _, name := range writtenByAll {
		written[name] = true
	}
	for path, text := range files(t, "docs/runbooks", ".md") {
		for _, pattern := range filterPattern.FindAllStringSubmatch(text, -1) {
			runbooks++
			for _, member := range filterMember.FindAllStringSubmatch(pattern[1], -1) {
				if !written[member[1]] {
					t.Errorf("%s searches for %s: no line has %s", path, pattern[1], member[1])
				}
			}
			for _, message := range filterMessage.FindAllStringSubmatch(pattern[1], -1) {
				if !written[message[1]] {
					t.Errorf("%s searches for %s: no line has that message", path, pattern[1])
				}
			}
		}
	}
	if runbooks < 10 {
		t.Errorf("only %d searches were found in the runbooks", runbooks)
	}
}

// literals are the texts that the code under some paths has, its tests aside.
func literals(t *testing.T, paths []string) map[string]bool {
	t.Helper()
	texts := map[string]bool{}
	for _, root := range paths {
		for path, code := range files(t, root, ".go") {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, code, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
					if text, err := strconv.Unquote(l.Value); err == nil {
						texts[text] = true
					}
				}
				return true
			})
		}
	}
	return texts
}

// files are the contents of the files under a path whose names end with a suffix.
func files(t *testing.T, root, suffix string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, suffix) {
			return err
		}
		text, err := os.ReadFile(path)
		found[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
