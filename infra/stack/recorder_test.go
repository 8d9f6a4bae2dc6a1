package stack

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph"
	"heliograph/infra/build"
)

// Location of the recorded stacks, and the key for their tokens.
const (
	testStage   = "test"
	testRegion  = "eu-west-1"
	testAccount = "123456789012"
	testSecret  = "a-secret-of-more-than-32-bytes-for-tests"
)

// recorded is one resource as the program declared it.
type recorded struct {
	kind, name      string // type token, logical name
	inputs          resource.PropertyMap
	parent          string // URN
	dependsOn       []string
	imported        string // id
	custom          bool
	protect, retain bool
}

// recording holds all resources that one run of the program declared.
type recording struct {
	byName  map[string]recorded
	outputs map[string]string
}

// recorder is a provider that creates nothing: it records every resource and answers with the values that AWS would
// compute.
type recorder struct {
	logRole   string // API Gateway's role in the Region; empty: none
	region    string // empty: testRegion
	partition string // empty: aws
	mu        sync.Mutex
	resources []recorded
}

func (r *recorder) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	answers := map[string]map[string]any{
		"aws:index/getRegion:getRegion":                 {"name": r.home().region},
		"aws:index/getCallerIdentity:getCallerIdentity": {"accountId": testAccount},
		"aws:index/getPartition:getPartition":           {"partition": r.home().partition},
	}
	answer, known := answers[args.Token]
	if !known {
		return nil, fmt.Errorf("the program may look up Region, account and partition only, not %s", args.Token)
	}
	return resource.NewPropertyMapFromMap(answer), nil
}

func (r *recorder) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	if args.ReadRPC != nil {
		return r.read(args)
	}
	rpc := args.RegisterRPC
	r.mu.Lock()
	r.resources = append(r.resources, recorded{
		kind: args.TypeToken, name: args.Name, inputs: args.Inputs, custom: args.Custom,
		parent: rpc.GetParent(), dependsOn: rpc.GetDependencies(), imported: args.ID, protect: rpc.GetProtect(), retain: rpc.GetRetainOnDelete(),
	})
	r.mu.Unlock()
	state := args.Inputs.Copy()
	for key, value := range r.home().computed(args) {
		state[resource.PropertyKey(key)] = resource.NewProperty(value)
	}
	return "id-" + args.Name, state, nil
}

// read serves resources that the program reads without owning them.
func (r *recorder) read(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	if args.TypeToken != "aws:apigateway/account:Account" || args.ID != "api-gateway-account" {
		return "", nil, fmt.Errorf("the program may look at API Gateway's account only, not %s %s", args.TypeToken, args.ID)
	}
	return args.ID, resource.NewPropertyMapFromMap(map[string]any{"cloudwatchRoleArn": r.logRole}), nil
}

// home is where the recorded stack lives.
func (r *recorder) home() home {
	return home{region: cmp.Or(r.region, testRegion), account: testAccount, partition: cmp.Or(r.partition, "aws")}
}

// computed holds the properties that AWS adds to a resource.
func (h home) computed(args pulumi.MockResourceArgs) map[string]string {
	name := args.Name
	if v, found := args.Inputs["name"]; found && v.IsString() {
		name = v.StringValue()
	}
	switch args.TypeToken {
	case "aws:dynamodb/table:Table":
		return map[string]string{"arn": h.arn("dynamodb", "table/"+name), "streamArn": h.arn("dynamodb", "table/"+name+"/stream/now")}
	case "aws:sqs/queue:Queue":
		return map[string]string{"arn": h.arn("sqs", name), "url": "https://sqs." + h.region + "." + h.domain() + "/" + testAccount + "/" + name}
	case "aws:sns/topic:Topic":
		return map[string]string{"arn": h.arn("sns", name)}
	case "aws:ssm/parameter:Parameter":
		return map[string]string{"arn": h.arn("ssm", "parameter"+name)}
	case "aws:lambda/function:Function":
		f := h.arn("lambda", "function:"+name)
		return map[string]string{"arn": f, "invokeArn": "arn:" + h.partition + ":apigateway:" + h.region + ":lambda:path/2015-03-31/functions/" + f + "/invocations"}
	case "aws:iam/role:Role":
		return map[string]string{"arn": "arn:" + h.partition + ":iam::" + testAccount + ":role/" + name, "name": name}
	case "aws:cloudwatch/logGroup:LogGroup":
		return map[string]string{"arn": h.arn("logs", "log-group:"+name)}
	case "aws:cloudwatch/eventRule:EventRule":
		return map[string]string{"arn": h.arn("events", "rule/"+name)}
	case "aws:kms/key:Key":
		return map[string]string{"arn": h.arn("kms", "key/"+name)}
	case "aws:apigatewayv2/api:Api":
		scheme := map[string]string{"WEBSOCKET": "wss", "HTTP": "https"}[args.Inputs["protocolType"].StringValue()]
		return map[string]string{
			"executionArn": h.arn("execute-api", args.Name),
			"apiEndpoint":  scheme + "://" + args.Name + ".execute-api." + h.region + "." + h.domain(),
		}
	}
	return nil
}

// domain is the partition's suffix of host names.
func (h home) domain() string {
	if h.partition == "aws-cn" {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

// record runs the program with a configuration and placeholder functions.
func record(t *testing.T, config Config) recording {
	t.Helper()
	run, err := tryRecord(config, unbuilt())
	if err != nil {
		t.Fatalf("running the program: %v", err)
	}
	return run
}

func tryRecord(config Config, functions build.Functions) (recording, error) {
	return recordOn(&recorder{}, testStage, config, functions)
}

// recordOn runs the program as a stack of the account that a recorder stands for.
func recordOn(r *recorder, name string, config Config, functions build.Functions) (recording, error) {
	run := recording{byName: map[string]recorded{}}
	err := pulumi.RunErr(func(ctx *pulumi.Context) error {
		outputs, err := Deploy(ctx, config, functions)
		if err != nil {
			return err
		}
		outputs.Await(func(values map[string]string) { run.outputs = values })
		return nil
	}, pulumi.WithMocks("heliograph", name, r))
	for _, res := range r.resources {
		if _, twice := run.byName[res.name]; twice {
			return run, fmt.Errorf("two resources are named %s", res.name)
		}
		run.byName[res.name] = res
	}
	return run, err
}

// unbuilt is a placeholder for the functions where only the declarations count.
func unbuilt() build.Functions {
	f := build.Functions{Architecture: "arm64", Artifacts: map[string]build.Artifact{}}
	for _, name := range heliograph.Functions() {
		f.Artifacts[name] = build.Artifact{Binary: "/build/" + name, Archive: "/build/" + name + ".zip"}
	}
	return f
}

// testConfig is the smallest configuration that AWS accepts.
func testConfig(changes ...func(*Config)) Config {
	config := DefaultConfig()
	config.JWTSecret = testSecret
	for _, change := range changes {
		change(&config)
	}
	return config
}

// everything turns on every feature that a configuration can turn on.
func everything(c *Config) {
	c.JWTSecretPrevious = testSecret + "-before"
	c.AlarmEmail = "ops@example.com"
	c.AlarmTopicARN, c.TicketTopicARN = "arn:aws:sns:eu-west-1:123456789012:pager", "arn:aws:sns:eu-west-1:123456789012:desk"
	c.CORSOrigins = []string{"https://app.example.com"}
	c.WebSocketDomain, c.HTTPDomain = "push.example.com", "api.example.com"
	c.CertificateARN, c.HostedZoneID = "arn:aws:acm:eu-west-1:123456789012:certificate/abc", "Z123"
	c.APIGatewayLogRole = createLogRole
	c.Protect = true
}

// ofKind returns the resources of a type, sorted by name.
func (r recording) ofKind(kind string) []recorded {
	var all []recorded
	for _, name := range slices.Sorted(maps.Keys(r.byName)) {
		if r.byName[name].kind == kind {
			all = append(all, r.byName[name])
		}
	}
	return all
}

// get returns a resource that must exist.
func (r recording) get(t *testing.T, name string) recorded {
	t.Helper()
	res, found := r.byName[name]
	if !found {
		t.Fatalf("the program declares no resource %s", name)
	}
	return res
}

// at returns the plain value at a path such as "environment.variables.STAGE", or nil.
func (r recorded) at(path string) any {
	value := plain(resource.NewProperty(r.inputs))
	for _, step := range strings.Split(path, ".") {
		m, isMap := value.(map[string]any)
		if !isMap {
			return nil
		}
		value = m[step]
	}
	return value
}

// text is at for a text.
func (r recorded) text(path string) string {
	s, _ := r.at(path).(string)
	return s
}

// document reads the JSON at a path.
func (r recorded) document(t *testing.T, path string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.text(path)), into); err != nil {
		t.Fatalf("%s: %s is no JSON: %v", r.name, path, err)
	}
}

// plain unwraps a property, including secrets.
func plain(v resource.PropertyValue) any {
	switch {
	case v.IsSecret():
		return plain(v.SecretValue().Element)
	case v.IsOutput():
		return plain(v.OutputValue().Element)
	case v.IsObject():
		m := map[string]any{}
		for key, value := range v.ObjectValue() {
			m[string(key)] = plain(value)
		}
		return m
	case v.IsArray():
		all := []any{}
		for _, value := range v.ArrayValue() {
			all = append(all, plain(value))
		}
		return all
	case v.IsArchive():
		return v.ArchiveValue().Path
	default:
		return v.V
	}
}
