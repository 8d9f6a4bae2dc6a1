package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// settings is the configuration; Pulumi.yaml describes each key.
type settings struct {
	repository            string
	ownerID, repositoryID int
	stacks                map[string]stackSettings
	provider              string
}

// stackSettings says what the roles of one stack have to reach.
type stackSettings struct {
	ParameterPrefix string `json:"parameterPrefix"`
	HostedZoneID    string `json:"hostedZoneId"`
	Tested          bool   `json:"tested"`
	AlarmKey        bool   `json:"alarmKey"`
}

// namespace prefixes the keys: it is the project's name in Pulumi.yaml.
const namespace = "heliograph-bootstrap:"

func loadSettings(ctx *pulumi.Context) (settings, error) {
	get := func(key string) string { text, _ := ctx.GetConfig(namespace + key); return text }
	s := settings{repository: get("repository"), provider: get("provider")}
	// What is no number stays 0, which check refuses.
	s.ownerID, _ = strconv.Atoi(get("ownerId"))
	s.repositoryID, _ = strconv.Atoi(get("repositoryId"))
	decoder := json.NewDecoder(strings.NewReader(get("stacks")))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s.stacks); err != nil {
		return s, fmt.Errorf("%sstacks is not an object of stacks with their settings: %w", namespace, err)
	}
	return s, s.check()
}

var (
	repositoryName = regexp.MustCompile(`^[\w.-]+/[\w.-]+$`)
	stackName      = regexp.MustCompile(`^[a-zA-Z0-9][\w-]{0,26}$`)
	prefix         = regexp.MustCompile(`^(/[\w.-]+)+$`)
)

// check names every fault at once. Wildcards in a name would widen a policy, so each text is held to its form.
func (s settings) check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(namespace+format, args...)) }
	if !repositoryName.MatchString(s.repository) {
		fault("repository is %q; it must be owner/name", s.repository)
	}
	if s.ownerID <= 0 || s.repositoryID <= 0 {
		fault("ownerId and repositoryId are %d and %d; both must be the numbers that GitHub gave", s.ownerID, s.repositoryID)
	}
	if len(s.stacks) == 0 {
		fault("stacks is empty; name at least one")
	}
	names := slices.Sorted(maps.Keys(s.stacks))
	for _, name := range names {
		if !stackName.MatchString(name) || name == "ci" {
			fault("stacks names %q, which can't be a stack's name; ci is this program's own", name)
		}
		if !prefix.MatchString(s.stacks[name].ParameterPrefix) {
			fault("stacks has the parameterPrefix %q for %s; it must be a path such as /WebSocketAdapter", s.stacks[name].ParameterPrefix, name)
		}
		for _, other := range names {
			if strings.HasPrefix(other, name+"-") {
				fault("stacks names %s and %s; the roles of the first would reach the second, whose names begin alike", name, other)
			}
		}
	}
	return errors.Join(faults...)
}
