// Package commands reads the commands that the pages of documentation show, so that tests can hold them: a page that names
// a flag, a test or a target that is gone fails, and not its reader.
package commands

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Command is one command of a page, without assignments before it, redirections and comments.
type Command struct {
	Page  string // its path from the project's root
	Line  int    // where on the page it begins
	Text  string // all of its line, several commands if it has them
	Words []string
	// Whole: it is a line of a block, to be copied. A command within a sentence may leave out what it needs.
	Whole bool
}

// programs begin a command. Within a sentence a command is code of two words or more that begins with one of them.
var programs = []string{
	"heliograph", "go", "make", "pulumi", "aws", "git", "gh", "npm", "npx", "curl", "jq", "wscat", "eval", "export", "python3", "cd", "local_aws", "local_aws()",
}

// other reports pages that show commands of another time or project.
func other(path string, entry fs.DirEntry) bool {
	return path == "CHANGELOG.md" || slices.Contains([]string{".git", ".heliograph", "node_modules"}, entry.Name())
}

// Read returns the commands of all pages under a root.
func Read(root string) (all []Command, err error) {
	err = fs.WalkDir(os.DirFS(root), ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case other(path, entry) && entry.IsDir():
			return fs.SkipDir
		case other(path, entry) || entry.IsDir() || filepath.Ext(path) != ".md":
			return nil
		}
		text, err := os.ReadFile(filepath.Join(root, path))
		for _, c := range page(string(text)) {
			c.Page = path
			all = append(all, c)
		}
		return err
	})
	return all, err
}

var inline = regexp.MustCompile("`([^`\n]+(?:\n[^`\n]+)*)`")

// page returns the commands of a page. A block shows commands if its first line is one; all of its lines are returned
// then, also those that a command prints.
func page(text string) (all []Command) {
	lines := strings.Split(text, "\n")
	prose := slices.Clone(lines)
	var fenced, shell bool
	for i := 0; i < len(lines); i++ {
		line, first := lines[i], !shell && (i == 0 || strings.TrimSpace(lines[i-1]) == "")
		if mark, is := strings.CutPrefix(strings.TrimSpace(line), "```"); is {
			fenced = !fenced
			shell, prose[i] = fenced && (mark == "" || mark == "sh" || mark == "bash"), ""
			continue
		}
		if !fenced && !strings.HasPrefix(line, "    ") {
			shell = shell && strings.TrimSpace(line) == ""
			continue
		}
		prose[i] = ""
		shell = shell || !fenced && first && begins(line)
		if from := i; shell {
			for ; unfinished(line) && i+1 < len(lines); i++ {
				line, prose[i+1] = line+"\n"+lines[i+1], ""
			}
			all = append(all, parse(strings.TrimSpace(line), from+1, true)...)
		}
	}
	return append(all, sentences(strings.Join(prose, "\n"))...)
}

// sentences returns the commands within prose.
func sentences(prose string) (all []Command) {
	for _, code := range inline.FindAllStringSubmatchIndex(prose, -1) {
		text := strings.NewReplacer(`\|`, "|", "\n", " ").Replace(prose[code[2]:code[3]])
		all = append(all, parse(text, strings.Count(prose[:code[0]], "\n")+1, false)...)
	}
	return all
}

var assignment = regexp.MustCompile(`^[A-Z_]+=`)

// begins reports whether a line begins with a program, or with an assignment.
func begins(line string) bool {
	first, _, _ := strings.Cut(strings.TrimSpace(line), " ")
	return slices.Contains(programs, first) || assignment.MatchString(first) || strings.HasPrefix(first, ".github/scripts/")
}

// unfinished reports whether a command goes on in the next line: after a backslash, or within quotes.
func unfinished(line string) bool {
	s := scanner{rest: hidePlaceholders(line)}
	s.scan()
	return s.open || strings.HasSuffix(line, `\`)
}

// parse splits a line into its commands.
func parse(line string, number int, whole bool) (all []Command) {
	if !whole && (!begins(line) || !strings.Contains(line, " ")) {
		return nil
	}
	s := scanner{rest: hidePlaceholders(line)}
	s.scan()
	for _, words := range s.commands {
		for i := range words {
			words[i] = showPlaceholders.Replace(words[i])
		}
		words = words[max(0, slices.IndexFunc(words, func(w string) bool { return !assignment.MatchString(w) })):]
		if len(words) > 0 && !assignment.MatchString(words[0]) && words[0] != "}" {
			all = append(all, Command{Line: number, Text: line, Words: words, Whole: whole})
		}
	}
	return all
}

var (
	placeholder      = regexp.MustCompile(`<[A-Za-z][^<>|]*>`)
	showPlaceholders = strings.NewReplacer("\x01", "<", "\x02", ">", "\x03", " ")
)

// hidePlaceholders replaces a placeholder such as <name of the stack>, or one within another, by a text that a shell would
// take for a part of a word.
func hidePlaceholders(line string) string {
	for placeholder.MatchString(line) {
		line = placeholder.ReplaceAllStringFunc(line, func(found string) string {
			return "\x01" + strings.ReplaceAll(found[1:len(found)-1], " ", "\x03") + "\x02"
		})
	}
	return line
}
