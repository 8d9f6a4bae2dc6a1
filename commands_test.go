package heliograph_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"heliograph/docs/commands"
)

// checks say what is wrong with a command that a page shows, by its program. None of them runs it.
var checks = map[string]func(t *testing.T, words []string) error{
	"go": goes, "make": makes, "pulumi": deploys, "cd": isThere,
	".github/scripts/release.sh": isThere,
}

// checkedElsewhere are programs whose commands are proved by other tests, or can't be.
var checkedElsewhere = map[string]string{
	"heliograph":  "TestPages of cmd/heliograph has the program's own parser read them, and TestPagesOfOurs of e2e runs them",
	"aws":         "TestPagesOfAWS of e2e runs them",
	"local_aws":   "TestNewcomer of e2e runs them",
	"local_aws()": "TestNewcomer of e2e runs it",
	"eval":        "TestNewcomer of e2e runs it",
	"wscat":       "it comes from npm; TestNewcomer runs the command beside it, which does the same",
	"curl":        "TestNewcomer of e2e runs the README's; TestPagesOfOurs of e2e those of docs/faults.md; others fetch a key set of the user's",
	"jq":          "a part of the commands of docs/faults.md and of examples/producers/shell, which e2e runs",
	"git":         "it tags, pushes and pulls the user's own repository",
	"gh":          "it asks GitHub about the user's own repository",
	"openssl":     "openssl rand -hex 32 prints a secret, and does nothing that could differ here",
	"export":      "it sets what examples/README.md takes from the commands beside it",
	"python3":     "it serves examples/browser, which e2e/console opens by a server of its own",
	"date":        "date +%s is a part of a command of AWS's",
	"head":        "it cuts what the command before it prints",
}

// printed begin the lines that pages show as what a command prints.
var printed = []string{"fault-1", "FAULT", "id:fault-1"}

// TestCommands proves that the commands that the pages show can be run: their packages, tests, flags, targets, folders
// and keys of configuration exist.
func TestCommands(t *testing.T) {
	t.Parallel()
	all, err := commands.Read(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		program := c.Words[0]
		check, checked := checks[program]
		switch {
		case len(c.Words) == 1 && program != ".github/scripts/release.sh" || len(c.Words) == 2 && program == "go": // a mention, such as `go run`
		case checked:
			if err := check(t, c.Words); err != nil {
				t.Errorf("%s:%d shows `%s`: %v", c.Page, c.Line, strings.Join(c.Words, " "), err)
			}
		case checkedElsewhere[program] == "" && !slices.ContainsFunc(printed, func(p string) bool { return strings.HasPrefix(program, p) }):
			t.Errorf("%s:%d shows %q, which no test knows: give it a check here", c.Page, c.Line, c.Words)
		}
	}
}

// TestWrongCommands proves that each check finds what it is for.
func TestWrongCommands(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"make nothing":                                 "no target nothing",
		"cd nowhere":                                   "no such file",
		"go tool gofmt":                                "no tool gofmt",
		"go run ./cmd/other":                           "no package ./cmd/other",
		"go test ./no/...":                             "no package ./no/...",
		"go test ./presence -run TestNothing":          "no test or benchmark TestNothing",
		"go test ./observability -bench Span|NoSuch":   "no test or benchmark NoSuch",
		"go test ./presence -update":                   "no flag -update",
		"go fix":                                       "go fix",
		"pulumi lift":                                  "no command lift",
		"pulumi config set nonsense 1":                 "no key nonsense",
		"pulumi config set --path thresholds.no-1 1":   "no threshold no-1",
		"pulumi up --force":                            "no flag --force",
		"pulumi -C nowhere stack output":               "no such file",
		"go test ./presence -run TestSweepAtScale -vv": "no flag -vv",
	} {
		words := strings.Fields(line)
		if err := checks[words[0]](t, words); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", line, err, want)
		}
	}
}

// invented are names that a recipe of CONTRIBUTING.md gives to what its reader makes.
var invented = []string{"./handlers/count"}

func goes(t *testing.T, words []string) error {
	t.Helper()
	switch words[1] {
	case "test":
		return tests(words[2:])
	case "tool":
		if mod, err := os.ReadFile("go.mod"); err != nil || !regexp.MustCompile(`(?m)^\t\S+/`+words[2]+`$`).Match(mod) {
			return fmt.Errorf("go.mod has no tool %s", words[2])
		}
		return nil
	case "run":
		if len(testFiles(words[2], ".go")) == 0 {
			return fmt.Errorf("there is no package %s", words[2])
		}
		return nil
	}
	return fmt.Errorf("no test knows go %s", words[1])
}

// testFiles are the files of a package, or of several by the pattern /..., whose names end so.
func testFiles(pattern, suffix string) (files []string) {
	folder, deep := strings.CutSuffix(pattern, "/...")
	_ = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != folder && (!deep || slices.Contains(notOurs, entry.Name())):
			return filepath.SkipDir
		case strings.HasSuffix(path, suffix):
			files = append(files, path)
		}
		return nil
	})
	return files
}

// Flags of `go test` that the pages use: true means that a value follows.
var testFlags = map[string]bool{"-run": true, "-bench": true, "-v": false, "-count": true, "-race": false, "-timeout": true}

var (
	anyTest  = regexp.MustCompile(`(?m)^func ((?:Test|Benchmark|Fuzz)\w+)\(`)
	ownFlag  = regexp.MustCompile(`flag\.(Bool|String|Int|Int64|Uint64|Duration)\("([\w-]+)"`)
	anything = regexp.MustCompile(`^\^?\$?$`)
)

// tests checks the arguments of go test.
func tests(arguments []string) error {
	var source strings.Builder
	patterns := map[string]string{}
	var flags []string
	for i := 0; i < len(arguments); i++ {
		a := arguments[i]
		switch files := testFiles(a, ".go"); {
		case a == "-run" || a == "-bench":
			i++
			patterns[a] = arguments[i]
		case strings.HasPrefix(a, "-"):
			flags = append(flags, a)
		case len(files) > 0:
			for _, file := range files {
				text, err := os.ReadFile(file)
				if err != nil {
					return err
				}
				source.Write(text)
			}
		case i > 0 && strings.HasPrefix(arguments[i-1], "-"): // a flag's value
		case !slices.Contains(invented, a):
			return fmt.Errorf("there is no package %s", a)
		}
	}
	if err := declared(source.String(), flags); err != nil {
		return err
	}
	for _, pattern := range patterns {
		if err := matches(source.String(), pattern); err != nil {
			return err
		}
	}
	return nil
}

// declared reports a flag that neither go test has nor the tests declare.
func declared(source string, flags []string) error {
	for _, flag := range flags {
		_, known := testFlags[flag]
		if !known && !slices.ContainsFunc(ownFlag.FindAllStringSubmatch(source, -1), func(f []string) bool { return "-"+f[2] == flag }) {
			return fmt.Errorf("there is no flag %s", flag)
		}
	}
	return nil
}

// matches reports an alternative of a pattern by which no test is found.
func matches(source, pattern string) error {
	for _, one := range strings.Split(pattern, "|") {
		name, err := regexp.Compile(one)
		if err != nil {
			return err
		}
		if !anything.MatchString(one) && !slices.ContainsFunc(anyTest.FindAllStringSubmatch(source, -1), func(f []string) bool { return name.MatchString(f[1]) }) {
			return fmt.Errorf("there is no test or benchmark %s", one)
		}
	}
	return nil
}

func makes(_ *testing.T, words []string) error {
	text, err := os.ReadFile("Makefile")
	if err == nil && !regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(words[1])+`:`).Match(text) {
		err = fmt.Errorf("the Makefile has no target %s", words[1])
	}
	return err
}

// isThere reports a script or folder that is missing; the one above is wherever the reader came from.
func isThere(_ *testing.T, words []string) error {
	path := words[0]
	if path == "cd" {
		path = words[1]
	}
	if strings.HasPrefix(path, "..") {
		return nil
	}
	_, err := os.Stat(path)
	return err
}

// deployFlags are the commands of Pulumi that the pages use, and their flags:
// https://www.pulumi.com/docs/iac/cli/commands/.
var deployFlags = map[string][]string{
	"up": {"--refresh"}, "preview": {"--refresh", "--expect-no-changes"}, "refresh": nil, "destroy": nil, "login": nil,
	"config set": {"--secret", "--path"}, "config rm": nil, "state unprotect": {"--all", "--yes"},
	"stack init": {"--secrets-provider"}, "stack output": {"--json"}, "stack rename": nil, "stack rm": {"--preserve-config"},
}

func deploys(t *testing.T, words []string) error {
	words = words[1:]
	if words[0] == "-C" {
		if _, err := os.Stat(words[1]); err != nil {
			return err
		}
		words = words[2:]
	}
	name, arguments := words[0], words[1:]
	if _, known := deployFlags[name]; !known && len(arguments) > 0 {
		name, arguments = name+" "+arguments[0], arguments[1:]
	}
	flags, known := deployFlags[name]
	if !known {
		return fmt.Errorf("Pulumi has no command %s, as far as this test knows", name)
	}
	for _, a := range arguments {
		if strings.HasPrefix(a, "-") && !slices.Contains(flags, a) {
			return fmt.Errorf("there is no flag %s, as far as this test knows", a)
		}
	}
	arguments = slices.DeleteFunc(slices.Clone(arguments), func(a string) bool { return strings.HasPrefix(a, "-") })
	if strings.HasPrefix(name, "config ") && len(arguments) > 0 {
		return configurable(t, arguments[0])
	}
	return nil
}

// configurable reports a key of configuration that neither of our programs has.
func configurable(t *testing.T, key string) error {
	t.Helper()
	key = strings.TrimPrefix(key, "heliograph:")
	if strings.HasPrefix(key, "aws:") || strings.HasPrefix(key, "<") {
		return nil
	}
	top, inner, _ := strings.Cut(key, ".")
	var projects strings.Builder
	for _, file := range []string{"Pulumi.yaml", "infra/bootstrap/Pulumi.yaml", "examples/backend/Pulumi.yaml", "docs/alarms.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		projects.Write(text)
	}
	switch has := func(word string) bool {
		return regexp.MustCompile(`(?m)^(  ` + regexp.QuoteMeta(word) + `:|#+ ` + regexp.QuoteMeta(word) + `$)`).MatchString(projects.String())
	}; {
	case !has(top):
		return fmt.Errorf("there is no key %s", top)
	case top == "thresholds" && !has(inner):
		return fmt.Errorf("there is no threshold %s", inner)
	}
	return nil
}
