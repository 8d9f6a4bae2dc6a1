package heliograph_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// notOurs are folders that git and other tools fill.
var notOurs = []string{".git", ".heliograph", "node_modules"}

// pages are the texts of the project's Markdown files by their paths.
func pages(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains(notOurs, entry.Name()):
			return filepath.SkipDir
		case entry.IsDir() || filepath.Ext(path) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		texts[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(texts) < 10 {
		t.Fatalf("only %d pages were found: the test looks in the wrong place", len(texts))
	}
	return texts
}

var (
	fence   = regexp.MustCompile("(?ms)^```.*?^```")
	codeRun = regexp.MustCompile("`[^`\n]+`")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	notSlug = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// links are the targets of a page's links, code apart.
func links(text string) (targets []string) {
	for _, found := range link.FindAllStringSubmatch(codeRun.ReplaceAllString(fence.ReplaceAllString(text, ""), ""), -1) {
		targets = append(targets, found[1])
	}
	return targets
}

// anchors are the fragments that GitHub gives a page's headings.
func anchors(text string) map[string]bool {
	all := map[string]bool{}
	for _, found := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		slug := notSlug.ReplaceAllString(strings.ToLower(found[1]), "")
		all[strings.ReplaceAll(strings.TrimSpace(slug), " ", "-")] = true
	}
	return all
}

// TestLinksResolve proves that each relative link of each page leads to a file, and to a heading of it where it names one.
func TestLinksResolve(t *testing.T) {
	t.Parallel()
	all := pages(t)
	for page, text := range all {
		for _, target := range links(text) {
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			path, anchor, _ := strings.Cut(target, "#")
			to := page
			if path != "" {
				to = filepath.Join(filepath.Dir(page), path)
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s links to %s: there is no such file", page, target)
			} else if anchor != "" && !anchors(all[to])[anchor] {
				t.Errorf("%s links to %s: there is no such heading", page, target)
			}
		}
	}
}

// TestIndexListsEveryPage proves that each page under docs can be reached from docs/index.md: named there, or in the README
// of its own folder if that is named there.
func TestIndexListsEveryPage(t *testing.T) {
	t.Parallel()
	const index = "docs/index.md"
	all := pages(t)
	reached := map[string]bool{index: true}
	for queue := []string{index}; len(queue) > 0; queue = queue[1:] {
		for _, target := range links(all[queue[0]]) {
			path, _, _ := strings.Cut(target, "#")
			to := filepath.Join(filepath.Dir(queue[0]), path)
			if !reached[to] && filepath.Base(to) == "README.md" && strings.HasPrefix(to, "docs/") {
				queue = append(queue, to)
			}
			reached[to] = true
		}
	}
	for page := range all {
		if strings.HasPrefix(page, "docs/") && !reached[page] {
			t.Errorf("%s is not linked from %s: give it a line there, where a reader needs it", page, index)
		}
	}
}

// width is where prose is wrapped. Code, tables, headings and what has no place to break may be wider.
const width = 100

// unwrapped are the pages that need not be wrapped, and why.
var unwrapped = map[string]string{
	"docs/metrics.md":       "made from the catalogue",
	"docs/alarms.md":        "generated; its template is in infra/stack",
	"docs/configuration.md": "generated from the settings and Pulumi.yaml",
}

// TestWidth proves that prose is wrapped once, at one width.
func TestWidth(t *testing.T) {
	t.Parallel()
	for page, text := range pages(t) {
		if unwrapped[page] != "" {
			continue
		}
		text = fence.ReplaceAllStringFunc(text, func(code string) string { return strings.Repeat("\n", strings.Count(code, "\n")) })
		for i, line := range strings.Split(text, "\n") {
			code, row := strings.HasPrefix(line, "    "), strings.HasPrefix(strings.TrimSpace(line), "|") || strings.HasPrefix(line, "#")
			if runes := []rune(line); !code && !row && len(runes) > width && strings.Contains(strings.TrimSpace(string(runes[:width])), " ") {
				t.Errorf("%s:%d has %d columns: wrap its paragraph at %d", page, i+1, len(runes), width)
			}
		}
	}
}

var (
	testName = regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w*`)
	testFunc = regexp.MustCompile(`(?m)^func (\w+)\(\w+ \*testing\.[TFB]\)`)
)

// TestNamedTestsExist proves that a page that names a test as its evidence, or shows how to run it, names one that there
// is.
func TestNamedTestsExist(t *testing.T) {
	t.Parallel()
	exist := map[string]bool{}
	for _, file := range tracked(t, "*_test.go") {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range testFunc.FindAllStringSubmatch(string(source), -1) {
			exist[found[1]] = true
		}
	}
	for path, text := range pages(t) {
		for _, name := range testName.FindAllString(text, -1) {
			if !exist[name] {
				t.Errorf("%s names %s, which is no test", path, name)
			}
		}
	}
}

var (
	namedFile = regexp.MustCompile("`([\\w.-]+(?:/[\\w.*-]+)+\\.(?:go|md|yml|yaml|sh|js|mjs|json|html|py))`")
	namedPage = regexp.MustCompile(`docs/[\w/-]+\.md(?:#[\w-]+)?`)
)

// TestNamedFilesExist proves that the files that a page names without a link, and the pages that the code and the workflows
// name, are there.
func TestNamedFilesExist(t *testing.T) {
	t.Parallel()
	all := pages(t)
	for path, text := range all {
		for _, found := range namedFile.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			name := found[1]
			made := strings.HasPrefix(name, ".heliograph/") || slices.ContainsFunc(invented, func(i string) bool { return strings.HasPrefix("./"+name, i+"/") })
			here, _ := filepath.Glob(name)
			beside, _ := filepath.Glob(filepath.Join(filepath.Dir(path), name))
			if path != "CHANGELOG.md" && !made && len(here)+len(beside) == 0 {
				t.Errorf("%s names %s: there is no such file", path, name)
			}
		}
	}
	// Tests and the simulator, which knows no project's pages, invent some.
	for _, file := range tracked(t, "*.go", "*.yml", "*.yaml", "*.sh", "*.js", "*.html", ":!*_test.go", ":!simulator") {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range namedPage.FindAllString(string(source), -1) {
			if page, anchor, _ := strings.Cut(name, "#"); all[page] == "" || anchor != "" && !anchors(all[page])[anchor] {
				t.Errorf("%s names %s: there is no such page or heading", file, name)
			}
		}
	}
}
