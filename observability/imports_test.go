package observability

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestFewFilesKnowXRay proves that the X-Ray SDK stays behind our own interface: it is in maintenance
// mode, and has to be replaceable without touching a handler or the wrapper.
func TestFewFilesKnowXRay(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var know []string
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range file.Imports {
			if strings.Contains(i.Path.Value, "aws-xray-sdk-go") && !strings.HasSuffix(name, "_test.go") {
				know = append(know, name)
			}
		}
	}
	if got := slices.Compact(know); !slices.Equal(got, []string{"awscalls.go", "xray.go", "xray_document.go"}) {
		t.Errorf("the X-Ray SDK is imported by %q", got)
	}
}
