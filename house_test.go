// Package heliograph_test holds the rules of the house: which package may import which, and one package comment a folder.
package heliograph_test

import (
	"encoding/json"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rule says what the packages under a folder may import of ours, and why no more.
type rule struct {
	folder string
	may    []string
	tests  []string // what their tests may import besides
	why    string
}

// rules are looked up in this order; the first folder that a package lies in counts.
var rules = []rule{
	{"heliograph", nil, []string{"docs/commands"}, "everybody agrees by it, so it can know nobody"},
	{"message", []string{"heliograph"}, nil, "it crosses process borders, so it can know no side of them"},
	{"observability/catalogue", []string{"heliograph"}, nil, "whoever names a metric should not have to compile what emits it"},
	{"observability/observabilitytest", []string{"heliograph", "observability"}, nil, "it shows a test what observability wrote"},
	{"observability", []string{"heliograph", "observability/catalogue"}, nil, "everybody uses it, so it can use nobody"},
	{"cost", []string{"heliograph"}, nil, "it is arithmetic, whose units the tests of the others demand"},
	{"mailbox", []string{"heliograph", "message", "observability"}, []string{"cost", "simulator"}, "what is kept for a user does not depend on who is online"},
	{"auth", []string{"heliograph", "message", "observability"}, nil, "who somebody is does not depend on what they do"},
	{"presence", []string{"heliograph", "message", "observability"}, []string{"cost", "simulator"}, "who is online does not depend on what is sent to them"},
	{"delivery", []string{"heliograph", "message", "observability", "presence", "mailbox"}, []string{"cost", "simulator"}, "delivery asks presence for connections and mailbox for positions, and nothing else"},
	{"handlers", []string{"heliograph", "message", "observability", "auth", "presence", "mailbox", "delivery", "handlers/internal"}, nil, "a handler joins an event to the domain; it knows no infrastructure and no simulator"},
	{"infra/build", []string{"heliograph"}, nil, "compiling and packing hold no Pulumi"},
	{"infra/bootstrap", nil, []string{"heliograph", "infra", "simulator/iam"}, "a program of its own; its tests hold its policies, judged by the simulator's IAM, against what infra/stack declares"},
	{"infra", []string{"heliograph", "observability/catalogue", "infra"}, []string{"cost", "simulator/pattern", "simulator/published"}, "the program names metrics from the catalogue and takes the functions as compiled programs, not as packages"},
	{"simulator", []string{"simulator"}, nil, "it is an AWS for any program, and knows none of ours"},
	{"local", []string{"heliograph", "infra", "local", "message", "simulator"}, nil, "it joins our program to the simulator, with the functions as compiled programs, so that what works here is what is deployed"},
	{"client", nil, nil, "it is for programs of users, who have nothing else of ours"},
	{"loadtest", []string{"heliograph", "message"}, nil, "it knows a stack by what it is handed: a way to connect, and a way to send"},
	{"cmd", []string{"heliograph", "message", "auth", "client", "cost", "local", "loadtest", "simulator"}, []string{"docs/commands"}, "the command line talks to a running stack; it is not a part of it"},
	{"docs/commands", nil, nil, "it reads pages, whatever they are about"},
	{"examples", nil, nil, "users copy them, so they are programs of their own"},
	{"e2e", []string{"heliograph", "auth", "client", "infra", "local", "loadtest", "simulator"}, []string{"docs/commands"}, "black-box tests know a stack by its addresses"},
}

type listedPackage struct {
	ImportPath string
	Dir        string
	GoFiles    []string

	Imports, TestImports, XTestImports []string
}

func packages(t *testing.T) []listedPackage {
	t.Helper()
	command := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Imports,TestImports,XTestImports", "./...")
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listedPackage
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listedPackage
		if err := decoder.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// within reports whether an import path lies in one of our folders, or below it.
func within(path string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool {
		if folder == "heliograph" {
			return path == folder // the root package alone
		}
		whole := "heliograph/" + folder
		return path == whole || strings.HasPrefix(path, whole+"/")
	})
}

// TestImportRule proves that the packages and their tests import only what they may.
func TestImportRule(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		i := slices.IndexFunc(rules, func(r rule) bool { return within(p.ImportPath, r.folder) })
		if i < 0 {
			t.Errorf("%s is in no folder that the import rule knows: give it a place in `rules`", p.ImportPath)
			continue
		}
		rules[i].hold(t, p.ImportPath, p.Imports, rules[i].may)
		rules[i].hold(t, "a test of "+p.ImportPath, slices.Concat(p.TestImports, p.XTestImports), slices.Concat(rules[i].may, rules[i].tests))
	}
}

// hold reports the imports of ours that are neither allowed nor in the rule's own folder.
func (r rule) hold(t *testing.T, importer string, imports, may []string) {
	t.Helper()
	for _, imported := range imports {
		ours := imported == "heliograph" || strings.HasPrefix(imported, "heliograph/")
		if ours && !strings.HasSuffix(importer, imported) && !within(imported, may...) {
			t.Errorf("%s imports %s, but %s may import only %v: %s", importer, imported, r.folder, may, r.why)
		}
	}
}

// TestDataImportsTheStandardLibraryOnly proves that the packages that everybody imports, and that hold data alone, cost
// nobody a dependency: infra must not compile AWS's SDK to know a metric's name.
func TestDataImportsTheStandardLibraryOnly(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		if !within(p.ImportPath, "heliograph", "message", "observability/catalogue") {
			continue
		}
		for _, imported := range p.Imports {
			if first, _, _ := strings.Cut(imported, "/"); strings.Contains(first, ".") {
				t.Errorf("%s imports %s, which is neither ours nor the standard library's", p.ImportPath, imported)
			}
		}
	}
}

// TestOnlyObservabilityTraces proves that X-Ray stays behind our own interface, since its SDK is in
// maintenance mode and will have to be replaced.
func TestOnlyObservabilityTraces(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		for _, imported := range p.Imports {
			if strings.Contains(imported, "aws-xray-sdk-go") && p.ImportPath != "heliograph/observability" {
				t.Errorf("%s imports %s: use observability.Trace", p.ImportPath, imported)
			}
		}
	}
}

// TestSurroundingsStayOutside proves that no other package, and no test, reads the AWS configuration of whoever runs it: a
// profile or an endpoint that is set for other work would break it.
func TestSurroundingsStayOutside(t *testing.T) {
	t.Parallel()
	why := map[string]string{
		"heliograph/local":                 "for a deployed stack, the configuration is meant: Endpoints.AWSConfig",
		"heliograph/observability":         "in Lambda, the environment is all the configuration there is",
		"heliograph/examples/producers/go": "a user's program is configured as its user likes",
		"heliograph/examples/presence":     "a user's program is configured as its user likes",
	}
	for _, p := range packages(t) {
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if imported == "github.com/aws/aws-sdk-go-v2/config" && why[p.ImportPath] == "" {
				t.Errorf("%s imports %s: make an aws.Config by hand, or by local.Endpoints.AWSConfig", p.ImportPath, imported)
			}
		}
	}
}

// TestOnePackageComment proves that each folder says once what it is for.
func TestOnePackageComment(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		var commented []string
		for _, file := range p.GoFiles {
			parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if parsed.Doc != nil {
				commented = append(commented, file)
			}
		}
		if len(p.GoFiles) > 0 && len(commented) != 1 {
			t.Errorf("%s has %d package comments (in %v), it should have one", p.ImportPath, len(commented), commented)
		}
	}
}
