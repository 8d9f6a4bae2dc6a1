package commands

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPage proves which texts of a page are commands, and how a line falls into words.
func TestPage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		page string
		want []string // the words of each command, joined by a bar
	}{
		"in a block":                {"Do:\n\n    make help   # a comment\n    go test . -run 'A B'\n", []string{"make|help", "go|test|.|-run|A B"}},
		"what it prints":            {"\n    heliograph fault list\n    FAULT  HITS\n", []string{"heliograph|fault|list", "FAULT|HITS"}},
		"a block after a block":     {"\n    make a\n\n    make b\n", []string{"make|a", "make|b"}},
		"no command":                {"\n    {\"a\": \"make it\"}\n    make b\n", nil},
		"in a list":                 {"- Do:\n\n      aws s3 ls\n", []string{"aws|s3|ls"}},
		"behind a fence":            {"```sh\nmake a\n```\n\n```json\nmake b\n```\n", []string{"make|a"}},
		"in a sentence":             {"Run `make help`, not `make`; `x make` is none. In a table: `go test . -run 'A\\|B'`\n", []string{"make|help", "go|test|.|-run|A|B"}},
		"in a wrapped sentence":     {"Run `make\nhelp`.\n", []string{"make|help"}},
		"joined":                    {"\n    make a && make b; make c | jq .x\n", []string{"make|a", "make|b", "make|c", "jq|.x"}},
		"over two lines":            {"\n    aws a \\\n      --b 'c\n    d'\n    make e\n", []string{"aws|a|--b|c\n    d", "make|e"}},
		"substituted":               {"\n    Q=$(aws a --b \"$(jq c)\")\n    eval \"$(go run ./x)\"\n", []string{"jq|c", "aws|a|--b|$()", "go|run|./x", "eval|$()"}},
		"redirected":                {"\n    X=1 go run ./x 2>/dev/null >out <in --y\n", []string{"go|run|./x|--y"}},
		"with placeholders":         {"\n    aws a --u <queue x-<stack>-y> <in\n", []string{"aws|a|--u|<queue x-<stack>-y>"}},
		"quotes in quotes":          {"\n    aws a \"{\\\"b\\\"}\" '{ $.c = \"d\" }'\n", []string{`aws|a|{"b"}|{ $.c = "d" }`}},
		"a function, and its calls": {"\n    local_aws() { aws --e f \"$@\"; }\n    local_aws g\n", []string{"local_aws()", "aws|--e|f|$@", "local_aws|g"}},
	} {
		var got []string
		for _, command := range page(c.page) {
			got = append(got, strings.Join(command.Words, "|"))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestRead proves that the project's own commands are found, each with its place.
func TestRead(t *testing.T) {
	t.Parallel()
	all, err := Read("../..")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 250 {
		t.Errorf("only %d commands were found", len(all))
	}
	for _, c := range all {
		if c.Page == "README.md" && c.Whole && c.Line > 20 && strings.Join(c.Words, " ") == "go run ./cmd/heliograph local --hello" {
			return
		}
	}
	t.Error("the README's first command was not found")
}
