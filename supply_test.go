package heliograph_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// tracked are the files of the repository that match one of git's patterns.
func tracked(t *testing.T, patterns ...string) []string {
	t.Helper()
	out, err := exec.Command("git", append([]string{"ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"}, patterns...)...).Output()
	if err != nil {
		t.Skipf("not in a clone, so git can't say which files belong to the repository: %v", err)
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 })
}

func readJSON(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

var exactVersion = regexp.MustCompile(`^\d+\.\d+\.\d+$`)

// TestToolsAreLocked proves that npm installs what was reviewed: exact versions, each held by its checksum, the same in
// both files.
func TestToolsAreLocked(t *testing.T) {
	t.Parallel()
	type needs struct {
		Dependencies, DevDependencies, OptionalDependencies map[string]string
	}
	var manifest needs
	readJSON(t, ".ci/package.json", &manifest)
	var lock struct {
		Packages map[string]struct{ Version, Integrity string }
	}
	readJSON(t, ".ci/package-lock.json", &lock)
	for _, group := range []map[string]string{manifest.Dependencies, manifest.DevDependencies, manifest.OptionalDependencies} {
		for name, version := range group {
			if locked := lock.Packages["node_modules/"+name].Version; !exactVersion.MatchString(version) || locked != version {
				t.Errorf(".ci/package.json has %s %s, the lockfile %q: name one exact version, then npm install --prefix .ci --package-lock-only", name, version, locked)
			}
		}
	}
	for name, locked := range lock.Packages {
		if name != "" && !strings.HasPrefix(locked.Integrity, "sha512-") {
			t.Errorf(".ci/package-lock.json has no checksum of %s", name)
		}
	}
}

// TestNPMRunsNothing proves that no script of ours lets npm choose a version or run a package's install scripts.
func TestNPMRunsNothing(t *testing.T) {
	t.Parallel()
	install := regexp.MustCompile(`npm (ci|i|install|add|exec)\b|npx .*`)
	found := 0
	for _, name := range tracked(t, ".ci", ".github", "Makefile", "*.sh") {
		if path.Ext(name) == ".json" {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			// Debian's own package of npm comes by apt-get, with a signature.
			if !install.MatchString(line) || strings.Contains(line, "apt-get") {
				continue
			}
			if found++; !strings.Contains(line, "npm ci ") || !strings.Contains(line, "--ignore-scripts") {
				t.Errorf("%s: %s\nnpm ci takes the lockfile's versions, and --ignore-scripts runs nothing of theirs", name, strings.TrimSpace(line))
			}
		}
	}
	if found == 0 {
		t.Error("no call of npm was found: the test looks in the wrong place")
	}
}

// TestNothingThatTestsLeave proves that what rapid keeps of a failing test is in no commit: it holds one machine's seed,
// and the next version of the generator reads it as something else.
func TestNothingThatTestsLeave(t *testing.T) {
	t.Parallel()
	if left := tracked(t, "*.fail", "*/testdata/rapid/*"); len(left) > 0 {
		t.Errorf("remove %v: a case worth keeping becomes a test of its own", left)
	}
}

// TestNoticesNameWhatIsShipped proves that each library that the console ships has its license beside it and is named in
// NOTICE.
func TestNoticesNameWhatIsShipped(t *testing.T) {
	t.Parallel()
	notice, err := os.ReadFile("NOTICE")
	if err != nil {
		t.Fatal(err)
	}
	libraries := tracked(t, "*/vendor/*.js")
	if len(libraries) == 0 {
		t.Error("no library was found: the test looks in the wrong place")
	}
	for _, library := range libraries {
		if !strings.Contains(string(notice), library+"\n") {
			t.Errorf("NOTICE does not name %s and its license", library)
		}
		if _, err := os.Stat(strings.TrimSuffix(library, ".js") + ".LICENSE"); err != nil {
			t.Errorf("%s has no license beside it: %v", library, err)
		}
	}
}

// script runs one of the release's scripts, and returns its output and its complaint.
func script(t *testing.T, name string, args ...string) (output, complaint string, err error) {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("the release's scripts need bash")
	}
	var stdout, stderr strings.Builder
	command := exec.Command("bash", append([]string{".github/scripts/" + name}, args...)...)
	command.Stdout, command.Stderr = &stdout, &stderr
	err = command.Run()
	return stdout.String(), stderr.String(), err
}

// TestReleaseNotes proves that a release describes its own version, and that one without a section fails.
func TestReleaseNotes(t *testing.T) {
	t.Parallel()
	changelog := filepath.Join(t.TempDir(), "CHANGELOG.md")
	text := "# Changelog\n\n## Unreleased\n\n- soon\n\n## [1.2.3] - 2026-01-02\n\n### Added\n\n- this\n\n## 1.2.2\n\n- before\n\n## 1.2.1\n\n"
	if err := os.WriteFile(changelog, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]string{"v1.2.3": "\n### Added\n\n- this\n", "v1.2.2": "\n- before\n"} {
		if got, complaint, err := script(t, "changelog.sh", version, changelog); err != nil || got != want {
			t.Errorf("%s: got %q, %s, %v; want %q", version, got, complaint, err, want)
		}
	}
	for _, version := range []string{"v1.2.1", "v1.2.4", "v1.2", ""} {
		if got, complaint, err := script(t, "changelog.sh", version, changelog); err == nil || !strings.Contains(complaint, "has no section") {
			t.Errorf("%q: got %q, %q, %v; want a complaint that it has no section", version, got, complaint, err)
		}
	}
}
