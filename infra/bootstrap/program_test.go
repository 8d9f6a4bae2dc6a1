package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

const (
	testRegion  = "eu-west-1"
	testAccount = "123456789012"
	testStacks  = `{"dev":{"parameterPrefix":"/WebSocketAdapter/dev","tested":true,"alarmKey":true,"hostedZoneId":"Z1"},"prod":{"parameterPrefix":"/WebSocketAdapter"}}`
)

// account records what a program declares, and answers as AWS would.
type account struct {
	mu     sync.Mutex
	all    map[string]pulumi.MockResourceArgs
	inputs map[string]map[string]any
}

func (a *account) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	return resource.NewPropertyMapFromMap(map[string]any{"name": testRegion, "accountId": testAccount, "partition": "aws"}), nil
}

func (a *account) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	if args.RegisterRPC == nil { // a look-up
		return args.ID, resource.PropertyMap{}, nil
	}
	a.mu.Lock()
	a.all[args.Name] = args
	a.inputs[args.Name] = args.Inputs.Mappable()
	a.mu.Unlock()
	state := args.Inputs.Copy()
	state["arn"] = resource.NewProperty("arn:aws:of:" + args.Name)
	state["keyId"] = resource.NewProperty("id-" + args.Name)
	if args.TypeToken == "aws:apigatewayv2/api:Api" {
		scheme := map[string]string{"WEBSOCKET": "wss", "HTTP": "https"}[args.Inputs["protocolType"].StringValue()]
		state["apiEndpoint"] = resource.NewProperty(scheme + "://api.example.com")
	}
	return "id-" + args.Name, state, nil
}

// run runs a program in an empty account.
func run(t *testing.T, project, stack string, config map[string]string, program pulumi.RunFunc) (*account, error) {
	t.Helper()
	a := &account{all: map[string]pulumi.MockResourceArgs{}, inputs: map[string]map[string]any{}}
	return a, pulumi.RunErr(program, pulumi.WithMocks(project, stack, a), func(ri *pulumi.RunInfo) { ri.Config = config })
}

func testConfig() map[string]string {
	return map[string]string{
		namespace + "repository": "acme/push", namespace + "ownerId": "11", namespace + "repositoryId": "22", namespace + "stacks": testStacks,
	}
}

// made is the account after this program ran.
func made(t *testing.T) *account {
	t.Helper()
	a, err := run(t, "heliograph-bootstrap", "test", testConfig(), program)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// text is an input of a resource.
func (a *account) text(t *testing.T, name, property string) string {
	t.Helper()
	text, is := a.inputs[name][property].(string)
	if !is {
		t.Fatalf("%s has no text %s: %v", name, property, slices.Sorted(maps.Keys(a.inputs)))
	}
	return text
}

// roles are the names of the roles that were made.
func (a *account) roles() (names []string) {
	for name, r := range a.all {
		if r.TypeToken == "aws:iam/role:Role" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// TestBucket proves that the state's bucket keeps old versions, encrypts by its own key, is never public, and outlives a
// mistaken destroy.
func TestBucket(t *testing.T) {
	t.Parallel()
	a := made(t)
	got, err := json.Marshal([]any{
		a.inputs["state-versioning"]["versioningConfiguration"], a.inputs["state-encryption"]["rules"], a.inputs["state-private"],
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"status":"Enabled"},[{"applyServerSideEncryptionByDefault":{"kmsMasterKeyId":"arn:aws:of:state-key","sseAlgorithm":"aws:kms"},"bucketKeyEnabled":true}],` +
		`{"blockPublicAcls":true,"blockPublicPolicy":true,"bucket":"id-state","ignorePublicAcls":true,"restrictPublicBuckets":true}]`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, name := range []string{"state", "state-key", "dev-key", "prod-key", "github"} {
		if !a.all[name].RegisterRPC.GetProtect() {
			t.Errorf("%s is not protected from being destroyed", name)
		}
	}
	if policy := a.text(t, "state-policy", "policy"); !strings.Contains(policy, `"Deny"`) || !strings.Contains(policy, `"aws:SecureTransport":["false"]`) {
		t.Errorf("the bucket answers without TLS: %s", policy)
	}
}

// TestKeysKeepTheRolesOut proves that no role of GitHub Actions can change a key that holds secrets.
func TestKeysKeepTheRolesOut(t *testing.T) {
	t.Parallel()
	a := made(t)
	for _, key := range []string{"state-key", "dev-key", "prod-key"} {
		policy := a.text(t, key, "policy")
		for _, needed := range []string{`"kms:Put*"`, `"kms:Schedule*"`, `"kms:Disable*"`, `"kms:CreateGrant"`, `"aws:PrincipalArn":["arn:aws:iam::123456789012:role/heliograph-ci-eu-west-1-*"]`} {
			if !strings.Contains(policy, needed) {
				t.Errorf("%s: the policy lacks %s: %s", key, needed, policy)
			}
		}
	}
	for _, role := range a.roles() {
		if name := a.text(t, role, "name"); !strings.HasPrefix(name, "heliograph-ci-eu-west-1-") {
			t.Errorf("the keys' policies do not know the role %s", name)
		}
	}
}

// TestExistingProvider proves that an account that has GitHub's provider, of which there can be one, keeps it.
func TestExistingProvider(t *testing.T) {
	t.Parallel()
	config := testConfig()
	config[namespace+"provider"] = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
	a, err := run(t, "heliograph-bootstrap", "test", config, program)
	if err != nil {
		t.Fatal(err)
	}
	if _, declared := a.all["github"]; declared || !strings.Contains(a.text(t, "preview", "assumeRolePolicy"), config[namespace+"provider"]) {
		t.Error("a second provider is declared, or the roles do not trust the first")
	}
}

// TestFaults proves that a setting that would widen a policy stops the program, with the key and what is right.
func TestFaults(t *testing.T) {
	t.Parallel()
	for key, values := range map[string][]string{
		"repository":   {"", "acme", "acme/*", "acme/push:x", "a/b/c"},
		"ownerId":      {"", "acme", "0", "*"},
		"repositoryId": {"", "-1"},
		"stacks": {
			"", "{}", `{"d*":{"parameterPrefix":"/a"}}`, `{"dev":{}}`, `{"dev":{"parameterPrefix":"/*"}}`, `{"dev":{"parameterPrefix":"/"}}`,
			`{"ci":{"parameterPrefix":"/a"}}`, `{"dev":{"parameterPrefix":"/a"},"dev-2":{"parameterPrefix":"/b"}}`, `{"dev":{"parameterprefx":"/a"}}`,
		},
	} {
		for _, value := range values {
			config := testConfig()
			config[namespace+key] = value
			if a, err := run(t, "heliograph-bootstrap", "test", config, program); err == nil || !strings.Contains(err.Error(), key) || len(a.all) > 0 {
				t.Errorf("%s = %q: %v, after %d resources; want an error that names the key, before any", key, value, err, len(a.all))
			}
		}
	}
}

// TestProject proves that Pulumi.yaml is one that Pulumi reads, that describes each key, and whose default the program takes.
func TestProject(t *testing.T) {
	t.Parallel()
	project, err := workspace.LoadProject("Pulumi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for key, entry := range project.Config {
		if entry.Description == "" {
			t.Errorf("Pulumi.yaml does not describe %s", key)
		}
	}
	stacks, err := workspace.SimplifyMarshalledValue(project.Config["stacks"].Default)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(stacks)
	if err != nil {
		t.Fatal(err)
	}
	config := testConfig()
	config[namespace+"stacks"] = string(text)
	if _, err := run(t, "heliograph-bootstrap", "test", config, program); err != nil {
		t.Error(err)
	}
}
