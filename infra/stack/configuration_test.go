package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
)

// chapters of the configuration reference: the first key of each, in the order of settings.
var chapters = []struct{ first, title string }{
	{"jwtSecret", "Tokens"},
	{"stage", "Names"},
	{"alarmEmail", "Alarms and dashboard"},
	{"logRetentionDays", "Logs and traces"},
	{"presenceGrace", "Presence and delivery"},
	{"webSocketDomain", "Domains"},
	{"apiGatewayLogRole", "The account, and the end"},
}

// TestConfigurationDocument holds docs/configuration.md equal to the settings and their descriptions in Pulumi.yaml. Run
// it with -update.
func TestConfigurationDocument(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "docs", "configuration.md")
	want := configurationDocument(t, loadProject(t))
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/configuration.md is not what the settings give (-want +got); run go test ./infra/stack -run TestConfigurationDocument -update:\n%s", diff)
	}
	for _, chapter := range chapters {
		if !strings.Contains(want, "\n## "+chapter.title+"\n") {
			t.Errorf("no chapter begins with %s: the key is gone, or out of the order of the chapters", chapter.first)
		}
	}
}

func configurationDocument(t *testing.T, project *workspace.Project) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("<!-- Made from the settings in infra/stack and Pulumi.yaml by go test ./infra/stack -run TestConfigurationDocument -update. -->\n\n" +
		"# Configuration\n\n" +
		"Every key of a stack: set by `pulumi config set <key> <value>`, or under `heliograph:` in `Pulumi.<stack>.yaml`. `heliograph local`\n" +
		"takes the same keys by `--config key=value`. A value that is not allowed, or a key that is not here, stops `pulumi preview` before\n" +
		"anything is created, with all faults in one error. Lists and objects are YAML in a stack file, and JSON for `--config`;\n" +
		"`pulumi config set --path thresholds.message-age 30` sets one member. A member that is not named keeps its default.\n")
	next := chapters
	for _, s := range settings {
		if len(next) > 0 && next[0].first == s.key {
			fmt.Fprintf(&b, "\n## %s\n", next[0].title)
			next = next[1:]
		}
		entry := project.Config[s.key]
		initial := "not set"
		if text := stackText(t, entry.Default); text != "" {
			initial = "`" + text + "`"
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n- Default: %s\n- Allowed: %s\n", s.key, linked(entry.Description), initial, linked(shortly.Replace(s.allowed)))
	}
	return b.String()
}

var namedPage = regexp.MustCompile(`docs/([a-z-]+\.md)`)

// linked is a text of a description, with links to the pages that it names.
func linked(text string) string {
	return namedPage.ReplaceAllString(strings.TrimSpace(text), "[$1]($1)")
}

// shortly writes times as one would set them: 24h, not 24h0m0s.
var shortly = strings.NewReplacer("h0m0s", "h", "m0s", "m")
