package stack

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heliograph"
)

// variable is an environment variable that a handler reads: its name, and whether it may be missing or empty.
type variable struct {
	name               string
	required, notEmpty bool
}

// parseTag reads a field's tag as caarlos0/env does.
func parseTag(tag string) (variable, bool) {
	text, found := reflect.StructTag(tag).Lookup("env")
	parts := strings.Split(text, ",")
	return variable{parts[0], slices.Contains(parts, "required"), slices.Contains(parts, "notEmpty")}, found
}

// handlerVariables reads a handler's source and returns every variable named in one of its structs, and those that
// every function reads.
func handlerVariables(t *testing.T, name string) map[string]variable {
	t.Helper()
	all := map[string]variable{}
	files, err := filepath.Glob(filepath.Join("..", "..", "handlers", name, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the handler %s has %d files, %v", name, len(files), err)
	}
	for _, path := range append(files, filepath.Join("..", "..", "observability", "settings.go")) {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range taggedVariables(t, file) {
			all[v.name] = v
		}
	}
	return all
}

// taggedVariables returns the variables named in the structs of a file.
func taggedVariables(t *testing.T, file *ast.File) (all []variable) {
	t.Helper()
	ast.Inspect(file, func(n ast.Node) bool {
		field, isField := n.(*ast.Field)
		if !isField || field.Tag == nil {
			return true
		}
		tag, err := strconv.Unquote(field.Tag.Value)
		if err != nil {
			t.Fatal(err)
		}
		if v, found := parseTag(tag); found {
			all = append(all, v)
		}
		return true
	})
	return all
}

// TestEnvironment proves that the program sets exactly the variables that each handler reads, that the handler requires
// each of them, and that one that must not be empty has a value.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig())
	for _, name := range heliograph.Functions() {
		set := run.get(t, name+"-function").at("environment.variables").(map[string]any)
		read := handlerVariables(t, name)
		if diff := cmp.Diff(slices.Sorted(maps.Keys(read)), slices.Sorted(maps.Keys(set))); diff != "" {
			t.Errorf("%s (-read +set):\n%s", name, diff)
		}
		for _, v := range read {
			if !v.required {
				t.Errorf("%s starts without %s: a typing error would go unnoticed", name, v.name)
			}
		}
		for variable, value := range set {
			if value == "" && read[variable].notEmpty {
				t.Errorf("%s gets no %s, and insists on one", name, variable)
			}
		}
	}
}

// TestEnvironmentFollowsTheConfiguration proves that configured values reach the functions.
func TestEnvironmentFollowsTheConfiguration(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig(everything, func(c *Config) {
		c.JWTIssuer, c.JWTAudience, c.UserIDClaim = "issuer", "audience", "sub"
		c.LogLevel, c.TraceSampling, c.LogSampling = 4, 0.25, 0.125
		c.PresenceGrace, c.ConnectionLease, c.SweepRate, c.ExpiredTokens = 7e9, 60e9, 50, "keep"
	}))
	want := map[string]map[string]any{
		heliograph.Authorizer: {
			"JWT_SECRET_PARAMETER": "/WebSocketAdapter/JwtSecret", "JWT_SECRET_PREVIOUS_PARAMETER": "/WebSocketAdapter/JwtSecretPrevious",
			"JWT_ISSUER": "issuer", "JWT_AUDIENCE": "audience", "USER_ID_CLAIM": "sub",
			"STAGE": "test", "LOG_LEVEL": "WARN", "TRACE_SAMPLING": "0.25", "LOG_SAMPLING": "0.125",
		},
		heliograph.Send: {
			"TABLE_NAME": "heliograph-test", "QUEUE_URL": run.outputs["sendQueueUrl"], "DEAD_LETTER_QUEUE_URL": run.outputs["deadLetterQueueUrl"],
		},
		heliograph.Announce: {
			"TOPIC_ARN": run.outputs["eventTopicArn"], "PRESENCE_GRACE": "7s",
			"GRACE_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/heliograph-test-grace",
		},
		heliograph.Sweep: {"CONNECTION_LEASE": "1m0s", "SWEEP_RATE": "50", "EXPIRED_TOKENS": "keep"},
	}
	for name, variables := range want {
		for variable, value := range variables {
			if got := run.get(t, name+"-function").at("environment.variables." + variable); got != value {
				t.Errorf("%s: %s is %q, want %q", name, variable, got, value)
			}
		}
	}
}
