package stack

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lambda"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph"
	"heliograph/infra/build"
)

// configurations are the smallest and the largest stack.
var configurations = map[string]Config{
	"least": testConfig(),
	"most":  testConfig(everything),
}

// eachConfiguration runs a check on the stacks of all configurations.
func eachConfiguration(t *testing.T, check func(*testing.T, recording)) {
	for name, config := range configurations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, record(t, config))
		})
	}
}

// TestTree proves that `pulumi up` shows a tree: every resource has a component for a parent and is named after it.
func TestTree(t *testing.T) {
	t.Parallel()
	eachConfiguration(t, func(t *testing.T, run recording) {
		for name, res := range run.byName {
			if !res.custom {
				if !strings.HasPrefix(res.kind, "heliograph:index:") {
					t.Errorf("component %s has type %s, want heliograph:index:…", name, res.kind)
				}
				continue
			}
			parent := string(resource.URN(res.parent).Name())
			if _, found := run.byName[parent]; !found || !strings.HasPrefix(name, parent+"-") {
				t.Errorf("%s (%s) is a child of %q, want of a component whose name it begins with", name, res.kind, parent)
			}
		}
	})
}

// TestPhysicalNames proves that two stacks of one account never claim the same name: a fixed name contains the stack's,
// or lies below its parameter prefix.
func TestPhysicalNames(t *testing.T) {
	t.Parallel()
	config := testConfig(everything)
	for name, res := range record(t, config).byName {
		physical := res.text("name") + res.text("dashboardName")
		switch res.kind {
		case "aws:iam/rolePolicy:RolePolicy", "aws:apigatewayv2/stage:Stage", "aws:route53/record:Record":
			continue // names inside a named resource
		}
		if res.kind == "aws:iam/role:Role" || res.kind == "aws:cloudwatch/dashboard:Dashboard" { // shared by all Regions
			if physical != "" && !strings.HasPrefix(physical, "heliograph-"+testStage+"-"+testRegion) {
				t.Errorf("%s is called %s in AWS, whatever the Region", name, physical)
			}
		}
		if physical != "" && !strings.Contains(physical, "heliograph-"+testStage) && !strings.HasPrefix(physical, config.ParameterPrefix+"/") {
			t.Errorf("%s is called %s in AWS, whatever the stack", name, physical)
		}
	}
}

// untaggable are the types of resource that AWS gives no tags.
var untaggable = []string{
	"aws:apigateway/account:Account", "aws:apigatewayv2/apiMapping:ApiMapping", "aws:apigatewayv2/authorizer:Authorizer",
	"aws:apigatewayv2/deployment:Deployment", "aws:apigatewayv2/integration:Integration",
	"aws:apigatewayv2/integrationResponse:IntegrationResponse", "aws:apigatewayv2/route:Route",
	"aws:apigatewayv2/routeResponse:RouteResponse", "aws:cloudwatch/dashboard:Dashboard",
	"aws:cloudwatch/eventTarget:EventTarget", "aws:iam/rolePolicy:RolePolicy",
	"aws:iam/rolePolicyAttachment:RolePolicyAttachment", "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
	"aws:lambda/permission:Permission", "aws:route53/record:Record", "aws:sns/topicPolicy:TopicPolicy",
	"aws:sns/topicSubscription:TopicSubscription",
}

// TestTags proves that every resource that can have tags has the project's, the stack's and the configured ones, which may
// replace the former.
func TestTags(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig(everything, func(c *Config) { c.Tags = map[string]string{"Team": "push", "Project": "ours"} }))
	for name, r := range run.byName {
		if !r.custom || slices.Contains(untaggable, r.kind) {
			continue
		}
		tags := r.inputs["tags"]
		if !tags.IsObject() {
			t.Errorf("%s, of type %s, has no tags", name, r.kind)
			continue
		}
		for key, want := range map[resource.PropertyKey]string{"Project": "ours", "Stack": testStage, "Team": "push"} {
			if got := tags.ObjectValue()[key]; !got.IsString() || got.StringValue() != want {
				t.Errorf("%s has %s %v, want %s", name, key, got, want)
			}
		}
	}
	table := record(t, testConfig()).get(t, "state-table")
	if got := table.inputs["tags"].ObjectValue()["Project"].StringValue(); got != "heliograph" {
		t.Errorf("the table is of project %q", got)
	}
}

// TestLargestMessage proves that every queue takes the messages that delivery reckons with, and that no default decides
// it: that of AWS has changed.
func TestLargestMessage(t *testing.T) {
	t.Parallel()
	eachConfiguration(t, func(t *testing.T, run recording) {
		for _, queue := range run.ofKind("aws:sqs/queue:Queue") {
			if queue.at("maxMessageSize") != float64(heliograph.MaxQueued) {
				t.Errorf("queue %s takes messages of %v bytes, want %d", queue.name, queue.at("maxMessageSize"), heliograph.MaxQueued)
			}
		}
	})
}

// TestEncrypted proves that everything at rest is encrypted, with a key that its users can use.
func TestEncrypted(t *testing.T) {
	t.Parallel()
	eachConfiguration(t, func(t *testing.T, run recording) {
		for _, table := range run.ofKind("aws:dynamodb/table:Table") {
			if table.at("serverSideEncryption.enabled") != true {
				t.Errorf("table %s is not encrypted", table.name)
			}
		}
		for _, queue := range run.ofKind("aws:sqs/queue:Queue") {
			if queue.at("sqsManagedSseEnabled") != true {
				t.Errorf("queue %s is not encrypted", queue.name)
			}
		}
		for _, topic := range run.ofKind("aws:sns/topic:Topic") {
			key := topic.text("kmsMasterKeyId")
			if key == "" {
				t.Errorf("topic %s is not encrypted", topic.name)
			}
			if topic.name == "alarms-topic" && strings.HasPrefix(key, "alias/aws/") {
				t.Error("the alarms' topic is encrypted by the managed key, which CloudWatch can't use")
			}
		}
	})
}

// TestSecrets proves that a secret goes into its encrypted parameter and nowhere else, and stays a secret in Pulumi's
// state.
func TestSecrets(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig(everything))
	for name, parameter := range map[string]string{"parameters-jwt-secret": "JwtSecret", "parameters-jwt-secret-previous": "JwtSecretPrevious"} {
		res := run.get(t, name)
		if got := res.text("type"); got != "SecureString" {
			t.Errorf("%s is a %s, want a SecureString", name, got)
		}
		if got, want := res.text("name"), "/WebSocketAdapter/"+parameter; got != want {
			t.Errorf("%s is called %s, want %s", name, got, want)
		}
		if !res.inputs["value"].IsSecret() || !strings.HasPrefix(res.text("value"), testSecret) {
			t.Errorf("the value of %s is no secret to Pulumi", name)
		}
		delete(res.inputs, "value")
	}
	for name, res := range run.byName {
		if strings.Contains(fmt.Sprint(properties(res)), testSecret) {
			t.Errorf("the secret stands in %s", name)
		}
	}
}

// TestLogGroups proves that every log has a retention time, and that every function's log group exists before its first
// line.
func TestLogGroups(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig(func(c *Config) { c.LogRetentionDays = 30 }))
	for _, group := range run.ofKind("aws:cloudwatch/logGroup:LogGroup") {
		if got := group.at("retentionInDays"); got != 30.0 {
			t.Errorf("%s keeps its lines for %v days, want 30", group.name, got)
		}
	}
	for _, name := range heliograph.Functions() {
		group, f := run.get(t, name+"-logs"), run.get(t, name+"-function")
		if got, want := group.text("name"), "/aws/lambda/"+f.text("name"); got != want {
			t.Errorf("the log group of %s is %s, want %s", name, got, want)
		}
		if !dependsOn(f, name+"-logs") || !dependsOn(f, name+"-policy") {
			t.Errorf("%s does not wait for its log group and its policy", name)
		}
	}
}

// dependsOn reports whether a resource waits for another.
func dependsOn(r recorded, name string) bool {
	return slices.ContainsFunc(r.dependsOn, func(urn string) bool { return resource.URN(urn).Name() == name })
}

// TestFunctions proves that all functions have the same machine, runtime and tracing, and a role of their own.
func TestFunctions(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig())
	roles := map[string]string{}
	for _, name := range heliograph.Functions() {
		f := run.get(t, name+"-function")
		got := map[string]any{
			"runtime": f.at("runtime"), "handler": f.at("handler"), "architectures": f.at("architectures"),
			"tracing": f.at("tracingConfig.mode"), "logs": f.at("loggingConfig"), "code": f.at("code"), "name": f.at("name"),
		}
		want := map[string]any{
			"runtime": "provided.al2023", "handler": "bootstrap", "architectures": []any{"arm64"},
			"tracing": "Active", "logs": map[string]any{"logFormat": "JSON", "applicationLogLevel": "DEBUG", "systemLogLevel": "WARN"}, "code": "/build/" + name + ".zip", "name": "heliograph-test-" + name,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		quiet := record(t, testConfig(func(c *Config) { c.Tracing = passThroughTracing }))
		if mode := quiet.get(t, name+"-function").at("tracingConfig.mode"); mode != "PassThrough" {
			t.Errorf("%s is traced by the mode %v, want what is configured", name, mode)
		}
		role := f.text("role")
		if other, taken := roles[role]; taken {
			t.Errorf("%s and %s share the role %s", name, other, role)
		}
		roles[role] = name
		if policy := run.get(t, name+"-policy"); !strings.HasSuffix(role, "/"+policy.text("role")) {
			t.Errorf("the policy of %s is attached to %s, and the function has %s", name, policy.text("role"), role)
		}
	}
	if got := len(run.ofKind("aws:lambda/function:Function")); got != len(heliograph.Functions()) {
		t.Errorf("the program declares %d functions, want %d", got, len(heliograph.Functions()))
	}
}

// TestArchitectureFollowsTheBuild proves that the functions run on the architecture that they were built for.
func TestArchitectureFollowsTheBuild(t *testing.T) {
	t.Parallel()
	functions := unbuilt()
	functions.Architecture = "x86_64"
	run, err := tryRecord(testConfig(), functions)
	if err != nil {
		t.Fatal(err)
	}
	if got := run.get(t, "send-function").at("architectures"); !cmp.Equal(got, []any{"x86_64"}) {
		t.Errorf("send runs on %v, want x86_64", got)
	}
}

// TestTable proves the table's shape, which presence relies on.
func TestTable(t *testing.T) {
	t.Parallel()
	got := record(t, testConfig()).get(t, "state-table")
	want := map[string]any{
		"name": "heliograph-test", "billingMode": "PAY_PER_REQUEST", "hashKey": "pk", "rangeKey": "sk",
		"attributes": []any{
			map[string]any{"name": "pk", "type": "S"},
			map[string]any{"name": "sk", "type": "S"},
			map[string]any{"name": "gpk", "type": "S"},
			map[string]any{"name": "gsk", "type": "S"},
		},
		"globalSecondaryIndexes": []any{map[string]any{
			"name": "gsi1", "hashKey": "gpk", "rangeKey": "gsk", "projectionType": "KEYS_ONLY",
		}},
		"ttl":           map[string]any{"attributeName": "ttl", "enabled": true},
		"streamEnabled": true, "streamViewType": "NEW_AND_OLD_IMAGES",
		"serverSideEncryption":      map[string]any{"enabled": true},
		"pointInTimeRecovery":       map[string]any{"enabled": true},
		"deletionProtectionEnabled": false,
	}
	if diff := cmp.Diff(want, properties(got)); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

// TestQueues proves the numbers that delivery relies on.
func TestQueues(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig())
	for component, name := range map[string]string{"messages": "send", "grace": "grace"} {
		live, dead := run.get(t, component+"-queue"), run.get(t, component+"-dead-letters")
		worker := map[string]string{"send": "send-function", "grace": "announce-function"}[name]
		timeout := run.get(t, worker).at("timeout").(float64)
		if got := live.at("visibilityTimeoutSeconds"); got != 6*timeout {
			t.Errorf("a message of %s is hidden for %v s, want 6 time-outs of %v s", name, got, timeout)
		}
		var redrive struct {
			DeadLetterTargetARN string `json:"deadLetterTargetArn"`
			MaxReceiveCount     int    `json:"maxReceiveCount"`
		}
		live.document(t, "redrivePolicy", &redrive)
		receives := map[string]int{"send": 10, "grace": 23 * 3600 / (6 * 30)}[name] // of a note: as long as a stream record
		if redrive.MaxReceiveCount != receives || !strings.HasSuffix(redrive.DeadLetterTargetARN, ":"+dead.text("name")) {
			t.Errorf("redrive policy of %s is %+v, want %d receives and then %s", name, redrive, receives, dead.text("name"))
		}
		var allow struct {
			RedrivePermission string   `json:"redrivePermission"`
			SourceQueueARNs   []string `json:"sourceQueueArns"`
		}
		dead.document(t, "redriveAllowPolicy", &allow)
		want := []string{"arn:aws:sqs:eu-west-1:123456789012:" + live.text("name")}
		if allow.RedrivePermission != "byQueue" || !cmp.Equal(allow.SourceQueueARNs, want) {
			t.Errorf("%s lets %v redrive (%s), want %v by queue", dead.name, allow.SourceQueueARNs, allow.RedrivePermission, want)
		}
	}
	for _, name := range []string{"messages-dead-letters", "grace-dead-letters", "stream-failures"} {
		if got := run.get(t, name).at("messageRetentionSeconds"); got != 1_209_600.0 {
			t.Errorf("%s keeps messages for %v s, want 14 days", name, got)
		}
	}
}

// TestConsumers proves how the functions consume the queues and the stream.
func TestConsumers(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig(func(c *Config) { c.MaxConcurrency, c.SendBatchWindow = 42, 1500*time.Millisecond }))
	responses := []any{"ReportBatchItemFailures"}
	want := map[string]map[string]any{
		"consumers-send-queue": {
			"functionName": "heliograph-test-send", "batchSize": 10.0, "functionResponseTypes": responses,
			"eventSourceArn": "arn:aws:sqs:eu-west-1:123456789012:heliograph-test-send",
			"scalingConfig":  map[string]any{"maximumConcurrency": 42.0}, "maximumBatchingWindowInSeconds": 2.0,
		},
		"consumers-grace-queue": {
			"functionName": "heliograph-test-announce", "batchSize": 10.0, "functionResponseTypes": responses,
			"eventSourceArn": "arn:aws:sqs:eu-west-1:123456789012:heliograph-test-grace",
			"scalingConfig":  map[string]any{"maximumConcurrency": 21.0},
		},
		"consumers-stream": {
			"functionName": "heliograph-test-announce", "batchSize": 100.0, "parallelizationFactor": 2.0, "functionResponseTypes": responses,
			"maximumBatchingWindowInSeconds": 1.0,
			"eventSourceArn":                 "arn:aws:dynamodb:eu-west-1:123456789012:table/heliograph-test/stream/now",
			"startingPosition":               "TRIM_HORIZON", "bisectBatchOnFunctionError": true,
			"maximumRetryAttempts": -1.0, "maximumRecordAgeInSeconds": 82_800.0,
			"destinationConfig": map[string]any{"onFailure": map[string]any{
				"destinationArn": "arn:aws:sqs:eu-west-1:123456789012:heliograph-test-stream-failures",
			}},
			"filterCriteria": map[string]any{"filters": []any{
				map[string]any{"pattern": `{"dynamodb":{"Keys":{"sk":{"S":["presence"]}},"NewImage":{"announced":{"BOOL":[false]},"online":{"BOOL":[true]}}}}`},
				map[string]any{"pattern": `{"dynamodb":{"Keys":{"sk":{"S":["presence"]}},"NewImage":{"announced":{"BOOL":[{"exists":false}]},"online":{"BOOL":[true]}}}}`},
				map[string]any{"pattern": `{"dynamodb":{"Keys":{"sk":{"S":["presence"]}},"NewImage":{"online":{"BOOL":[true]}},"OldImage":{"online":{"BOOL":[false]}}}}`},
				map[string]any{"pattern": `{"dynamodb":{"Keys":{"sk":{"S":["presence"]}},"NewImage":{"announced":{"BOOL":[true]},"online":{"BOOL":[false]}}}}`},
				map[string]any{"pattern": `{"dynamodb":{"Keys":{"sk":{"S":[{"prefix":"conn#"}]}}},"eventName":["REMOVE"]}`},
			}},
		},
	}
	got := map[string]map[string]any{}
	for _, res := range run.ofKind("aws:lambda/eventSourceMapping:EventSourceMapping") {
		got[res.name] = properties(res)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("event sources (-want +got):\n%s", diff)
	}
	if got := run.get(t, "messages-queue").at("visibilityTimeoutSeconds"); got != 6*30.0+2 {
		t.Errorf("a message is hidden for %v s, want six time-outs and the window", got)
	}
}

// TestSchedule proves that sweep runs every minute, and that a failed run is not repeated.
func TestSchedule(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig())
	if got := run.get(t, "schedule-rule").text("scheduleExpression"); got != "rate(1 minute)" {
		t.Errorf("sweep runs at %s, want every minute", got)
	}
	if got, want := run.get(t, "schedule-target").text("arn"), "arn:aws:lambda:eu-west-1:123456789012:function:heliograph-test-sweep"; got != want {
		t.Errorf("the schedule runs %s, want %s", got, want)
	}
	if got := run.get(t, "schedule-target").at("retryPolicy.maximumRetryAttempts"); got != 0.0 {
		t.Errorf("EventBridge retries %v times, want never", got)
	}
	retries := run.get(t, "schedule-retries")
	if retries.text("functionName") != "heliograph-test-sweep" || retries.at("maximumRetryAttempts") != 0.0 {
		t.Errorf("Lambda retries %s %v times, want sweep never", retries.text("functionName"), retries.at("maximumRetryAttempts"))
	}
}

// TestOutputs proves the stack's outputs, without and with domains.
func TestOutputs(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"webSocketUrl":       "wss://websocket-api.execute-api.eu-west-1.amazonaws.com/test",
		"httpUrl":            "https://http-api.execute-api.eu-west-1.amazonaws.com",
		"sendQueueUrl":       "https://sqs.eu-west-1.amazonaws.com/123456789012/heliograph-test-send",
		"sendQueueArn":       "arn:aws:sqs:eu-west-1:123456789012:heliograph-test-send",
		"deadLetterQueueUrl": "https://sqs.eu-west-1.amazonaws.com/123456789012/heliograph-test-send-dead-letters",
		"eventTopicArn":      "arn:aws:sns:eu-west-1:123456789012:heliograph-test-events",
		"tableName":          "heliograph-test",
		"dashboardUrl":       "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#dashboards/dashboard/heliograph-test-eu-west-1",
		"region":             "eu-west-1",
		"parameterPrefix":    "/WebSocketAdapter",
		"userIdClaim":        "userId", "jwtIssuer": "", "jwtAudience": "", "jwtAudienceClaim": "aud", "jwksUrl": "",
	}
	if diff := cmp.Diff(want, record(t, testConfig()).outputs); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
	checkExampleOutputs(t, want)
	want["webSocketUrl"], want["httpUrl"] = "wss://push.example.com", "https://api.example.com"
	if diff := cmp.Diff(want, record(t, testConfig(everything)).outputs); diff != "" {
		t.Errorf("outputs with domains (-want +got):\n%s", diff)
	}
}

// checkExampleOutputs holds the outputs that the example of a user's own program is tested with equal to the real ones: it
// is a program of its own, and can't run this one. Run it with -update.
func checkExampleOutputs(t *testing.T, outputs map[string]string) {
	t.Helper()
	path := filepath.Join("..", "..", "examples", "backend", "testdata", "outputs.json")
	want, err := json.MarshalIndent(outputs, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, append(want, '\n'), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want)+"\n", string(got)); diff != "" {
		t.Errorf("the outputs in %s are not the program's (-want +got); run go test ./infra/stack -run TestOutputs -update, then go test ./examples/backend:\n%s", path, diff)
	}
}

// TestContractParameters proves the names by which other systems find the queue and the topic.
func TestContractParameters(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig(func(c *Config) { c.ParameterPrefix = "/Adapter/x" }))
	got := map[string]string{}
	for _, p := range run.ofKind("aws:ssm/parameter:Parameter") {
		got[p.text("name")] = p.text("type") + " " + p.text("value")
	}
	want := map[string]string{
		"/Adapter/x/SendMessageQueueUrl": "String " + run.outputs["sendQueueUrl"],
		"/Adapter/x/EventBusEndpoint":    "String " + run.outputs["eventTopicArn"],
		"/Adapter/x/JwtSecret":           "SecureString " + testSecret,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
}

// TestDeployRefuses proves that a stack that can't work declares nothing.
func TestDeployRefuses(t *testing.T) {
	t.Parallel()
	unpacked := unbuilt()
	delete(unpacked.Artifacts, heliograph.Send)
	tests := map[string]struct {
		config    Config
		functions build.Functions
		want      string
	}{
		"no secret":          {DefaultConfig(), unbuilt(), "heliograph:jwtSecret is missing"},
		"the public secret":  {testConfig(func(c *Config) { c.JWTSecret = PublicSecret }), unbuilt(), "heliograph:jwtSecret is a secret of 35 bytes"},
		"no functions":       {testConfig(), build.Functions{}, "they were not made by Build"},
		"a missing function": {testConfig(), unpacked, "function send has no archive"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run, err := tryRecord(test.config, test.functions)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that says %q", err, test.want)
			}
			if len(run.byName) > 0 {
				t.Errorf("%d resources were declared all the same", len(run.byName))
			}
		})
	}
}

// TestDeployLocally proves that a local stack accepts the public secret, and that only code can declare a stack local.
func TestDeployLocally(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig(func(c *Config) { c.JWTSecret, c.Local = PublicSecret, true }))
	if got := run.get(t, "parameters-jwt-secret").text("value"); got != PublicSecret {
		t.Errorf("the secret is %q, want the public one", got)
	}
}

// TestDeclareGivesUp proves that a declaration refused by the SDK ends Deploy with an error that names it.
func TestDeclareGivesUp(t *testing.T) {
	t.Parallel()
	err := pulumi.RunErr(func(ctx *pulumi.Context) (err error) {
		defer rescue(&err)
		d := &deployment{ctx: ctx, stage: testStage}
		declare(d.newComponent("Function", "broken"), "permission", lambda.NewPermission, &lambda.PermissionArgs{})
		return nil
	}, pulumi.WithMocks("heliograph", testStage, &recorder{}))
	if err == nil || !strings.Contains(err.Error(), "declaring broken-permission") {
		t.Errorf("error %v, want one that names broken-permission", err)
	}
}

// TestReservedConcurrency proves that exactly the functions that the configuration names have executions of their own,
// and that 0 means none reserved, which to Lambda would mean that none may run.
func TestReservedConcurrency(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig(func(c *Config) {
		c.ReservedConcurrency = map[string]int{heliograph.Authorizer: 7, heliograph.Connect: 0}
	}))
	for _, name := range heliograph.Functions() {
		var want any
		if name == heliograph.Authorizer {
			want = 7.0
		}
		if got := run.get(t, name+"-function").at("reservedConcurrentExecutions"); got != want {
			t.Errorf("%s has %v executions of its own, want %v", name, got, want)
		}
	}
}
