package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
)

// loadProject reads Pulumi.yaml with Pulumi's own code and its checks.
func loadProject(t *testing.T) *workspace.Project {
	t.Helper()
	project, err := workspace.LoadProject(filepath.Join("..", "..", "Pulumi.yaml"))
	if err != nil {
		t.Fatalf("Pulumi refuses Pulumi.yaml: %v", err)
	}
	return project
}

// TestProjectDeclaresEveryKey proves that Pulumi.yaml and the struct agree: the same keys, in the same order of types and
// with the same defaults, each with a description.
func TestProjectDeclaresEveryKey(t *testing.T) {
	t.Parallel()
	project := loadProject(t)
	defaults := DefaultConfig()
	declared := map[string]bool{}
	for _, s := range settings {
		declared[s.key] = true
		entry, found := project.Config[s.key]
		if !found {
			t.Errorf("Pulumi.yaml does not declare %s", s.key)
			continue
		}
		if entry.Description == "" {
			t.Errorf("Pulumi.yaml does not describe %s", s.key)
		}
		if entry.Secret != s.secret {
			t.Errorf("Pulumi.yaml: secret of %s is %v, want %v", s.key, entry.Secret, s.secret)
		}
		if entry.TypeName() == "" && !s.secret {
			t.Errorf("Pulumi.yaml gives %s no type", s.key)
		}
		var got Config
		if err := s.parse(&got, stackText(t, entry.Default)); err != nil || s.show(got) != s.show(defaults) {
			t.Errorf("Pulumi.yaml: default of %s is %v (%v), the struct has %s", s.key, entry.Default, err, s.show(defaults))
		}
	}
	for key := range project.Config {
		if !declared[key] && !strings.Contains(key, ":") {
			t.Errorf("Pulumi.yaml declares %s, which the program does not read", key)
		}
	}
}

// stackText is a value as Pulumi passes it to the program: a text, or JSON for anything that is not a scalar.
func stackText(t *testing.T, value any) string {
	t.Helper()
	switch reflect.ValueOf(value).Kind() {
	case reflect.Map, reflect.Slice:
		simple, err := workspace.SimplifyMarshalledValue(value)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(simple)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	default:
		return fmt.Sprint(value)
	}
}

// TestSettingsCoverConfig proves that every field of the struct has a key, except for the one that only code may set.
func TestSettingsCoverConfig(t *testing.T) {
	t.Parallel()
	covered := map[string]bool{"Local": true}
	for _, s := range settings {
		covered[strings.ToLower(s.key)] = true
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		if !covered[field.Name] && !covered[strings.ToLower(field.Name)] {
			t.Errorf("no key sets %s", field.Name)
		}
	}
	if got, want := len(settings), reflect.TypeFor[Config]().NumField()-1; got != want {
		t.Errorf("there are %d settings for %d fields", got, want)
	}
}

// TestStackFiles proves, with Pulumi's own merge of project and stack file, that each stack in the repository works once
// its secret is set, by keys that there are, that production is protected, and that two stacks of the files can share a
// Region. Which values they have is theirs to decide.
func TestStackFiles(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("..", "..", "Pulumi.*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	prefixes := map[string]string{}
	for _, file := range files {
		stage := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "Pulumi."), ".yaml")
		keys, err := merged(stage, loadProject(t), testSecret)
		if err != nil {
			t.Fatal(err)
		}
		for key := range keys {
			if !slices.Contains(ConfigKeys(), key) {
				t.Errorf("%s sets heliograph:%s, which the program does not read", file, key)
			}
		}
		got, err := loadKeys(stage, keys, "jwtSecret")
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if stage == "prod" && !got.Protect {
			t.Errorf("%s does not protect production", file)
		}
		if other, taken := prefixes[got.ParameterPrefix]; taken {
			t.Errorf("%s and %s both have the parameterPrefix %s", file, other, got.ParameterPrefix)
		}
		prefixes[got.ParameterPrefix] = file
		checkComments(t, file)
	}
	if len(files) < 2 {
		t.Errorf("there are the stack files %v; want one to try things out, and production", files)
	}
}

// checkComments proves that a comment stands above each key of a stack file.
func checkComments(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	keys, before := 0, ""
	for line := range strings.Lines(string(text)) {
		if key := stackKey.FindString(line); key != "" {
			keys++
			if !strings.HasPrefix(before, "  #") {
				t.Errorf("%s: no comment stands above%s", file, key)
			}
		}
		before = line
	}
	if keys == 0 {
		t.Errorf("%s sets nothing", file)
	}
}

// stackKey matches the line of a key of a stack file; deeper lines are parts of values.
var stackKey = regexp.MustCompile(`^  [A-Za-z]+:[A-Za-z]+`)

// TestStackWithoutSecret proves that the program itself says that a fresh stack lacks its secret, not an obscure error of Pulumi's.
func TestStackWithoutSecret(t *testing.T) {
	t.Parallel()
	keys, err := merged("dev", loadProject(t), "")
	if err != nil {
		t.Fatalf("Pulumi stops before the program: %v", err)
	}
	if _, err := loadKeys("dev", keys); err == nil || !strings.Contains(err.Error(), "heliograph:jwtSecret is missing") {
		t.Errorf("error %v, want one that says that jwtSecret is missing", err)
	}
}

// merged is the configuration that `pulumi up` passes to the program, without our namespace.
func merged(stage string, project *workspace.Project, secret string) (map[string]string, error) {
	file, err := workspace.LoadProjectStack(nil, project, filepath.Join("..", "..", "Pulumi."+stage+".yaml"))
	if err != nil {
		return nil, err
	}
	if secret != "" {
		encrypted, err := config.Base64Crypter.EncryptValue(context.Background(), secret)
		if err != nil {
			return nil, err
		}
		file.Config[config.MustMakeKey("heliograph", "jwtSecret")] = config.NewSecureValue(encrypted)
	}
	if err := apply(workspace.ValidateStackConfigAndApplyProjectConfig, stage, project, file.Config); err != nil {
		return nil, err
	}
	all, err := file.Config.Decrypt(config.Base64Crypter)
	if err != nil {
		return nil, err
	}
	ours := map[string]string{}
	for key, value := range all {
		if key.Namespace() == "heliograph" {
			ours[key.Name()] = value
		}
	}
	return ours, nil
}

// apply calls Pulumi's merge without an environment, whose type belongs to a module that is not a dependency of ours.
func apply[E any](
	merge func(context.Context, string, *workspace.Project, E, config.Map, config.Encrypter, config.Decrypter) error,
	stage string, project *workspace.Project, keys config.Map,
) error {
	var none E
	return merge(context.Background(), stage, project, none, keys, config.Base64Crypter, config.Base64Crypter)
}

// TestProjectRunsTheProgram proves that `pulumi up` finds the program, and that every stack has a Region.
func TestProjectRunsTheProgram(t *testing.T) {
	t.Parallel()
	project := loadProject(t)
	if project.Main != "infra" || project.Runtime.Name() != "go" || project.Name.String()+":" != namespace {
		t.Errorf("project %s runs %s in %s, want heliograph, go in infra", project.Name, project.Runtime.Name(), project.Main)
	}
	files, err := filepath.Glob(filepath.Join("..", "..", "Pulumi.*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"dev", "prod"} {
		path := filepath.Join("..", "..", "Pulumi."+name+".yaml")
		if !slices.Contains(files, path) {
			t.Errorf("there is no %s", path)
			continue
		}
		file, err := workspace.LoadProjectStack(nil, project, path)
		if err != nil {
			t.Fatal(err)
		}
		if _, found := file.Config[config.MustMakeKey("aws", "region")]; !found {
			t.Errorf("%s names no Region", path)
		}
	}
}
