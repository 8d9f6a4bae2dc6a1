package heliograph_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Functions are short, tests apart, whose tables are data. These are the numbers of the code as it is; they may only fall.
const (
	longestFunction = 46 // lines, the declaration and the closing brace included
	p99OfFunctions  = 32
)

// source is a file of a package, parsed.
type source struct {
	pkg  string // import path
	file string // path within the project
	*ast.File
	set *token.FileSet
}

var parsed struct {
	once sync.Once
	all  []source
}

// sources are all files that are built into a program on this machine; tests are not.
func sources(t *testing.T) []source {
	t.Helper()
	parsed.once.Do(func() { parsed.all = parse(t) })
	if len(parsed.all) == 0 {
		t.Fatal("no file was parsed: another test says why")
	}
	return parsed.all
}

func parse(t *testing.T) (all []source) {
	t.Helper()
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packages(t) {
		for _, name := range p.GoFiles {
			s := source{pkg: p.ImportPath, set: token.NewFileSet()}
			if s.file, err = filepath.Rel(root, filepath.Join(p.Dir, name)); err != nil {
				t.Fatal(err)
			}
			if s.File, err = parser.ParseFile(s.set, filepath.Join(p.Dir, name), nil, parser.ParseComments); err != nil {
				t.Fatal(err)
			}
			all = append(all, s)
		}
	}
	return all
}

// TestFunctionLength proves that functions stay as short as they are.
func TestFunctionLength(t *testing.T) {
	t.Parallel()
	var lengths []int
	for _, s := range sources(t) {
		for _, d := range s.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			n := s.set.Position(f.End()).Line - s.set.Position(f.Pos()).Line + 1
			lengths = append(lengths, n)
			if n > longestFunction {
				t.Errorf("%s: %s has %d lines, and %d are the most: give a part of it a name and a function of its own",
					s.file, f.Name.Name, n, longestFunction)
			}
		}
	}
	slices.Sort(lengths)
	count := len(lengths)
	t.Logf("%d functions; median %d lines, p90 %d, p99 %d, longest %d",
		count, lengths[count/2], lengths[count*9/10], lengths[count*99/100], lengths[count-1])
	if got := lengths[count*99/100]; got > p99OfFunctions {
		t.Errorf("1 %% of the functions have %d lines or more, and %d are the most for p99: split those that grew (go test -v -run TestFunctionLength . shows the distribution)",
			got, p99OfFunctions)
	}
}

// globals are what a program has but once, and what tests therefore can't replace or run side by side.
var globals = map[string][]string{
	"os": {
		"Args", "Stdin", "Stdout", "Stderr", "Exit", "Environ", "Getenv", "LookupEnv", "Setenv", "Unsetenv", "Clearenv",
		"ExpandEnv", "Getwd", "Chdir", "UserHomeDir", "UserCacheDir", "UserConfigDir",
	},
	"fmt":           {"Print", "Printf", "Println"},
	"log":           {"Print", "Printf", "Println", "Fatal", "Fatalf", "Fatalln"},
	"log/slog":      {"Debug", "Info", "Warn", "Error", "Default", "SetDefault"},
	"flag":          {"Parse", "String", "Bool", "Int", "Duration", "Args", "Arg"},
	"os/signal":     {"Notify", "NotifyContext"},
	"runtime/debug": {"ReadBuildInfo"},
	"time":          {"Sleep"},
}

// permission lets one package use some globals, for a reason.
type permission struct {
	pkg  string
	may  []string
	why  string
	used []string
}

// TestProcessGlobals proves that arguments, environment, streams, signals and the end of the process are touched at the edge
// only, and that nothing sleeps where it could wait for what it sleeps for.
func TestProcessGlobals(t *testing.T) {
	t.Parallel()
	permissions := []*permission{
		{
			pkg: "heliograph/cmd/heliograph",
			may: []string{"os.Args", "os.Stdin", "os.Stdout", "os.Stderr", "os.Exit", "os.Getwd", "os/signal.NotifyContext", "runtime/debug.ReadBuildInfo"},
			why: "main fills the struct world with them, in main.go, and nothing else touches them",
		},
		{
			pkg: "heliograph/observability", may: []string{"os.Stdout", "os.Exit", "os.Getenv", "log/slog.SetDefault"},
			why: "Lambda reads a function's log lines from stdout, and tells by the environment whether it was started ahead; a function " +
				"that can't start has to end; what libraries log has to become lines of ours",
		},
		{
			pkg: "heliograph/infra", may: []string{"os.Getenv"},
			why: "Pulumi's engine hands the configuration over in the environment, and its SDK lists no keys",
		},
		{
			pkg: "heliograph/infra/build", may: []string{"os.Environ"},
			why: "the go command that builds the functions needs PATH, HOME and the caches",
		},
		{
			pkg: "heliograph/examples/producers/go", may: []string{"os.Args", "os.Getenv", "log.Fatal"},
			why: "an example is all edge",
		},
		{
			pkg: "heliograph/examples/presence", may: []string{"os.Getenv", "os.Stdout", "os/signal.NotifyContext", "log.Fatal"},
			why: "an example is all edge",
		},
		{
			pkg: "heliograph/simulator/lambda", may: []string{"time.Sleep"},
			why: "a program that was just written can be busy for a moment, and no event says when that is over",
		},
		{
			pkg: "heliograph/simulator/wire/wiretest", may: []string{"flag.Bool", "os.Getenv"},
			why: "only tests import it, and each of them would have to pass on the same flag, and whether it runs in CI",
		},
		{
			pkg: "heliograph/simulator/published", may: []string{"os.Getenv"},
			why: "only tests import it, and each of them would have to pass on whether it runs in CI",
		},
	}
	for _, s := range sources(t) {
		for _, use := range s.globals() {
			i := slices.IndexFunc(permissions, func(p *permission) bool { return p.pkg == s.pkg && slices.Contains(p.may, use.name) })
			switch {
			case i < 0:
				t.Errorf("%s uses %s: take it as a parameter from the caller, up to main (in cmd/heliograph: from world)", use.at, use.name)
			case s.pkg == "heliograph/cmd/heliograph" && path.Base(s.file) != "main.go":
				t.Errorf("%s uses %s: take it from world", use.at, use.name)
			default:
				permissions[i].used = append(permissions[i].used, use.name)
			}
		}
	}
	for _, p := range permissions {
		for _, name := range p.may {
			if !slices.Contains(p.used, name) {
				t.Errorf("%s may use %s (%s) and no longer does: take the permission away", p.pkg, name, p.why)
			}
		}
	}
}

// use is one mention of a global.
type use struct {
	name string // such as os.Stdout
	at   token.Position
}

// globals finds the mentions of globals in a file, whatever name a package is imported by.
func (s source) globals() (found []use) {
	imported := map[string]string{}
	for _, i := range s.Imports {
		from, _ := strconv.Unquote(i.Path.Value) // it parsed
		name := path.Base(from)
		if i.Name != nil {
			name = i.Name.Name
		}
		imported[name] = from
	}
	ast.Inspect(s.File, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			// A name that is declared in the file shadows a package, and has an object.
			if x, ok := selector.X.(*ast.Ident); ok && x.Obj == nil && slices.Contains(globals[imported[x.Name]], selector.Sel.Name) {
				found = append(found, use{imported[x.Name] + "." + selector.Sel.Name, s.set.Position(n.Pos())})
			}
		}
		return true
	})
	return found
}

// TestNoLinterComments proves that no comment speaks to a linter that this project does not run.
func TestNoLinterComments(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		for _, group := range s.Comments {
			for _, c := range group.List {
				if strings.HasPrefix(c.Text, "//nolint") {
					t.Errorf("%s: %s: staticcheck does not read it; delete it, and keep its reason as a comment", s.set.Position(c.Pos()), c.Text)
				}
			}
		}
	}
}
