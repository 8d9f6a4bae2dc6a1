package stack

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// TestProtectTable proves that protect guards the table three times: AWS refuses to delete it, Pulumi refuses to, and
// destroying the stack leaves it in place.
func TestProtectTable(t *testing.T) {
	t.Parallel()
	for _, protect := range []bool{false, true} {
		table := record(t, testConfig(func(c *Config) { c.Protect = protect })).get(t, "state-table")
		if table.at("deletionProtectionEnabled") != protect || table.protect != protect || table.retain != protect {
			t.Errorf("protect %v: deletion protection %v, protected %v, retained %v",
				protect, table.at("deletionProtectionEnabled"), table.protect, table.retain)
		}
	}
}

// unmissed are the kinds of resources that a protected stack does not guard although nothing depends on them, each with
// the reason.
var unmissed = map[string]string{
	"aws:cloudwatch/metricAlarm:MetricAlarm":                         "up brings it back, and the setting alarms takes some away",
	"aws:cloudwatch/compositeAlarm:CompositeAlarm":                   "up brings it back, and the setting alarms takes some away",
	"aws:cloudwatch/dashboard:Dashboard":                             "up brings it back",
	"aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": "up brings it back; without it a failed sweep runs twice",
	"aws:sns/topicSubscription:TopicSubscription":                    "another address replaces it",
	"aws:apigatewayv2/deployment:Deployment":                         "every change of a route replaces it",
	"aws:ssm/parameter:Parameter":                                    "a former secret goes when its rotation ends",
}

// TestProtectStopsDestroy proves that destroying a protected stack fails before it does harm. Pulumi first deletes the
// resources that nothing depends on, and goes a step further only if all of those deletions succeed. So each of these
// resources is guarded, unless `pulumi up` restores it unnoticed, and so are resources that hold state or are known to
// others by their address.
func TestProtectStopsDestroy(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig(everything))
	needed := map[string]bool{}
	for _, res := range run.byName {
		needed[string(resource.URN(res.parent).Name())] = true
		for _, urn := range res.dependsOn {
			needed[resource.URN(urn).Name()] = true
		}
	}
	leaves := 0
	for _, name := range slices.Sorted(maps.Keys(run.byName)) {
		res := run.byName[name]
		if !res.custom || needed[name] || res.retain {
			continue
		}
		leaves++
		if _, excused := unmissed[res.kind]; res.protect == excused && res.kind != "aws:ssm/parameter:Parameter" {
			t.Errorf("%s (%s) is deleted first by `pulumi destroy`; guarded %v, among the unmissed %v", name, res.kind, res.protect, excused)
		}
	}
	if leaves < 20 {
		t.Errorf("%d resources are deleted first: the test looks in the wrong place", leaves)
	}
	guarded := []string{
		"aws:dynamodb/table:Table", "aws:sqs/queue:Queue", "aws:apigatewayv2/api:Api", "aws:apigatewayv2/stage:Stage",
		"aws:apigatewayv2/domainName:DomainName", "aws:lambda/permission:Permission", "aws:lambda/eventSourceMapping:EventSourceMapping",
	}
	for _, kind := range guarded {
		for _, res := range run.ofKind(kind) {
			if !res.protect {
				t.Errorf("%s (%s) of a protected stack can be deleted", res.name, kind)
			}
		}
	}
	for _, name := range []string{"events-topic", "parameters-send-queue-url", "parameters-event-topic-arn"} {
		if !run.get(t, name).protect {
			t.Errorf("%s of a protected stack can be deleted", name)
		}
	}
}

// TestUnprotected proves that an unprotected stack has no guards: `pulumi destroy` destroys it.
func TestUnprotected(t *testing.T) {
	t.Parallel()
	for name, res := range record(t, testConfig()).byName {
		if res.protect {
			t.Errorf("%s is guarded without heliograph:protect", name)
		}
	}
}

// TestRename proves that renaming a stack without changing its stage changes nothing in AWS.
func TestRename(t *testing.T) {
	t.Parallel()
	inputs := func(run recording) map[string]any {
		all := map[string]any{}
		for name, res := range run.byName {
			all[name] = properties(res)
		}
		return all
	}
	renamed, err := recordOn(&recorder{}, "renamed", testConfig(everything, func(c *Config) { c.Stage = testStage }), unbuilt())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(inputs(record(t, testConfig(everything))), inputs(renamed)); diff != "" {
		t.Errorf("what a rename changes (-before +after):\n%s", diff)
	}
}

// TestImports proves that resources left by an earlier life of the stack are imported by their id, and that a name that
// matches no resource is an error.
func TestImports(t *testing.T) {
	t.Parallel()
	imports := func(all map[string]string) (recording, error) {
		return tryRecord(testConfig(func(c *Config) { c.Imports = all }), unbuilt())
	}
	run, err := imports(map[string]string{"state-table": "heliograph-test", "send-logs": "/aws/lambda/heliograph-test-send"})
	if err != nil {
		t.Fatal(err)
	}
	for name, res := range run.byName {
		want := map[string]string{"state-table": "heliograph-test", "send-logs": "/aws/lambda/heliograph-test-send"}[name]
		if res.imported != want {
			t.Errorf("%s is imported as %q, want %q", name, res.imported, want)
		}
	}
	if _, err := imports(map[string]string{"table": "heliograph-test"}); err == nil || !strings.Contains(err.Error(), `heliograph:imports names "table"`) {
		t.Errorf("error %v, want one that names the import", err)
	}
}

// TestRoomForConnects proves that a stack with the defaults leaves two of a new account's 10 concurrent executions for
// connects and queries.
func TestRoomForConnects(t *testing.T) {
	t.Parallel()
	const account, sweep, clients = 10, 1, 2
	taken := streamLanes + sweep
	for _, name := range []string{"consumers-send-queue", "consumers-grace-queue"} {
		n, bounded := record(t, testConfig()).get(t, name).at("scalingConfig.maximumConcurrency").(float64)
		if !bounded || n < 2 || n > 1000 {
			t.Errorf("%s has the maximum concurrency %v; Lambda takes 2 to 1000", name, n)
		}
		taken += int(n)
	}
	if account-taken < clients {
		t.Errorf("the stack's own work takes %d of %d concurrent executions, which leaves clients less than %d", taken, account, clients)
	}
}
