package stack

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heliograph"
)

// texts is a JSON string or a list of strings, since IAM accepts both.
type texts []string

func (t *texts) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*t = texts{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(t))
}

type policy struct {
	Statement []struct {
		Effect           string
		Action, Resource texts
		Principal        map[string]texts
		Condition        map[string]map[string]texts
	}
}

// exceptions are all wildcards of the program, each with the reason why AWS leaves no alternative. The key is action
// and resource, without the account's own names.
var exceptions = map[string]string{
	"xray:PutTraceSegments *":                               "X-Ray's write actions know no resources",
	"dynamodb:ListStreams *":                                "the action knows no resources, and Lambda demands it of readers of streams",
	"xray:PutTelemetryRecords *":                            "X-Ray's write actions know no resources",
	"logs:CreateLogStream …:*":                              "the streams of the function's own group are named by Lambda",
	"logs:PutLogEvents …:*":                                 "the streams of the function's own group are named by Lambda",
	"execute-api:ManageConnections …/POST/@connections/*":   "connection ids are not known beforehand",
	"execute-api:ManageConnections …/GET/@connections/*":    "connection ids are not known beforehand",
	"execute-api:ManageConnections …/DELETE/@connections/*": "connection ids are not known beforehand",
}

// keyExceptions are the wildcards in the policy of the alarms' key, where the resource is always the key itself.
var keyExceptions = map[string]string{
	"kms:* *":               "AWS refuses a key that the account's root can't look after",
	"kms:Decrypt *":         "in a key's policy * is the key",
	"kms:GenerateDataKey *": "in a key's policy * is the key",
}

// TestNoWildcards proves that no policy allows more than its exact actions on its exact resources, except for the named
// exceptions, and that every exception is used.
func TestNoWildcards(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig(everything))
	used := map[string]bool{}
	check := func(res recorded, path string, named map[string]string) {
		var p policy
		res.document(t, path, &p)
		for _, s := range p.Statement {
			for _, action := range s.Action {
				for _, on := range s.Resource {
					key := action + " " + shape(on)
					if _, excepted := named[key]; excepted {
						used[key] = true
					} else if strings.Contains(action+on, "*") {
						t.Errorf("%s allows %s on %s", res.name, action, on)
					}
				}
			}
		}
	}
	for _, res := range run.ofKind("aws:iam/rolePolicy:RolePolicy") {
		check(res, "policy", exceptions)
	}
	for _, res := range run.ofKind("aws:sns/topic:Topic") {
		if res.at("policy") != nil {
			check(res, "policy", nil)
		}
	}
	for _, res := range run.ofKind("aws:kms/key:Key") {
		check(res, "policy", keyExceptions)
	}
	for _, named := range []map[string]string{exceptions, keyExceptions} {
		for key, why := range named {
			if !used[key] {
				t.Errorf("the exception %s (%s) excuses nothing", key, why)
			}
		}
	}
}

// shape removes an account's own names from a resource with a wildcard.
func shape(resource string) string {
	switch {
	case resource == "*" || !strings.Contains(resource, "*"):
		return resource
	case strings.HasPrefix(resource, "arn:aws:logs:") && strings.Count(resource, "*") == 1 && strings.HasSuffix(resource, ":*"):
		return "…:*"
	case strings.HasPrefix(resource, "arn:aws:execute-api:"):
		if prefix, method, found := strings.Cut(resource, "/"+testStage+"/"); found && !strings.Contains(prefix, "*") {
			return "…/" + method
		}
	}
	return resource
}

// TestRoles proves that each role can be assumed by its own service only, and that the only managed policy is the one
// that AWS demands.
func TestRoles(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig(everything))
	for _, role := range run.ofKind("aws:iam/role:Role") {
		want := "lambda.amazonaws.com"
		if role.name == "access-log-role-role" {
			want = "apigateway.amazonaws.com"
		}
		var p policy
		role.document(t, "assumeRolePolicy", &p)
		if len(p.Statement) != 1 || !cmp.Equal(p.Statement[0].Principal, map[string]texts{"Service": {want}}) {
			t.Errorf("%s may be assumed by %v, want %s", role.name, p.Statement, want)
		}
		if role.at("managedPolicyArns") != nil || role.at("inlinePolicies") != nil {
			t.Errorf("%s has policies that no test sees", role.name)
		}
	}
	attached := run.ofKind("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
	if len(attached) != 1 || attached[0].name != "access-log-role-policy" {
		t.Errorf("managed policies are attached by %v, want by access-log-role-policy alone", attached)
	}
}

// TestGrants proves what each function may do, beyond its logs and traces, as action, kind of resource, partitions and the
// only attributes that may be read. A new call needs a permission here and in functions.go.
func TestGrants(t *testing.T) {
	t.Parallel()
	settle := []string{"dynamodb:GetItem table user#*", "dynamodb:Query table user#*", "dynamodb:UpdateItem table user#*"}
	poll := func(queue string) []string {
		return []string{"sqs:ReceiveMessage " + queue, "sqs:DeleteMessage " + queue, "sqs:GetQueueAttributes " + queue}
	}
	want := map[string][]string{
		heliograph.Authorizer: {"ssm:GetParameter JwtSecret", "ssm:GetParameter JwtSecretPrevious"},
		heliograph.Connect:    append([]string{"dynamodb:PutItem table user#*", "dynamodb:DeleteItem table user#*"}, settle...),
		heliograph.Disconnect: append([]string{"dynamodb:DeleteItem table user#*"}, settle...),
		heliograph.Hello: {
			"dynamodb:GetItem table kept#*", "dynamodb:Query table kept#*", "dynamodb:PutItem table kept#*",
			"execute-api:ManageConnections POST",
		},
		heliograph.Send: slices.Concat(poll("send"), settle, []string{
			"sqs:SendMessage send", "sqs:SendMessage send-dead-letters", "dynamodb:DeleteItem table user#*",
			"dynamodb:PutItem table sent#*", "dynamodb:UpdateItem table sent#*", "dynamodb:DeleteItem table sent#*",
			"dynamodb:GetItem table key#*", "dynamodb:PutItem table key#*",
			"dynamodb:UpdateItem table kept#*", "dynamodb:PutItem table kept#*",
			"dynamodb:Query gsi1 online#*", "sns:Publish events",
			"execute-api:ManageConnections POST",
		}),
		heliograph.Online: {"dynamodb:Query gsi1 online#*", "dynamodb:BatchGetItem table user#* SPECIFIC_ATTRIBUTES pk,sk,online,lastActivity"},
		heliograph.Announce: slices.Concat(poll("grace"), settle, []string{
			"dynamodb:DescribeStream stream", "dynamodb:GetRecords stream", "dynamodb:GetShardIterator stream", "dynamodb:ListStreams *",
			"sqs:SendMessage grace", "sqs:SendMessage stream-failures", "sns:Publish events",
		}),
		heliograph.Sweep: append([]string{
			"dynamodb:Query gsi1 lease#*,online#*", "dynamodb:BatchGetItem table user#*", "dynamodb:DeleteItem table user#*",
			"execute-api:ManageConnections GET", "execute-api:ManageConnections DELETE",
		}, settle...),
	}
	run := record(t, testConfig(everything))
	for _, name := range heliograph.Functions() {
		got := grants(t, run.get(t, name+"-policy"))
		slices.Sort(want[name])
		if diff := cmp.Diff(want[name], got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// grants lists a policy's permissions beyond logs and traces, sorted.
func grants(t *testing.T, res recorded) []string {
	t.Helper()
	var p policy
	res.document(t, "policy", &p)
	var all []string
	for _, s := range p.Statement {
		if s.Effect != "Allow" {
			t.Errorf("%s has a statement of effect %s", res.name, s.Effect)
		}
		for _, action := range s.Action {
			for _, on := range s.Resource {
				if !strings.HasPrefix(action, "logs:") && !strings.HasPrefix(action, "xray:") {
					words := []string{
						action, nickname(on), strings.Join(s.Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"], ","),
						strings.Join(s.Condition["StringEquals"]["dynamodb:Select"], ","),
						strings.Join(s.Condition["ForAllValues:StringEquals"]["dynamodb:Attributes"], ","),
					}
					all = append(all, strings.Join(slices.DeleteFunc(words, func(word string) bool { return word == "" }), " "))
				}
			}
		}
	}
	slices.Sort(all)
	return all
}

// nickname is the short name of a resource.
func nickname(arn string) string {
	names := map[string]string{
		"arn:aws:dynamodb:eu-west-1:123456789012:table/heliograph-test":                   "table",
		"arn:aws:dynamodb:eu-west-1:123456789012:table/heliograph-test/index/gsi1":        "gsi1",
		"arn:aws:dynamodb:eu-west-1:123456789012:table/heliograph-test/stream/now":        "stream",
		"arn:aws:ssm:eu-west-1:123456789012:parameter/WebSocketAdapter/JwtSecret":         "JwtSecret",
		"arn:aws:ssm:eu-west-1:123456789012:parameter/WebSocketAdapter/JwtSecretPrevious": "JwtSecretPrevious",
	}
	if name, found := names[arn]; found {
		return name
	}
	for _, service := range []string{"sqs", "sns"} {
		if rest, found := strings.CutPrefix(arn, fmt.Sprintf("arn:aws:%s:eu-west-1:123456789012:heliograph-test-", service)); found {
			return rest
		}
	}
	if rest, found := strings.CutPrefix(arn, "arn:aws:execute-api:eu-west-1:123456789012:websocket-api/test/"); found {
		return strings.TrimSuffix(rest, "/@connections/*")
	}
	return arn
}

// TestKeysNeedNoSecret proves that with public keys no secret is stored, and the authorizer has no permission to read
// one.
func TestKeysNeedNoSecret(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig(func(c *Config) { c.JWTSecret, c.JWKSURL = "", "https://id.example.com/jwks.json" }))
	if got := grants(t, run.get(t, "authorizer-policy")); len(got) > 0 {
		t.Errorf("the authorizer may %v", got)
	}
	variables := run.get(t, "authorizer-function").at("environment.variables").(map[string]any)
	if variables["JWT_SECRET_PARAMETER"] != "" || variables["JWKS_URL"] != "https://id.example.com/jwks.json" {
		t.Errorf("the authorizer reads %v", variables)
	}
	if _, found := run.byName["parameters-jwt-secret"]; found {
		t.Error("a secret is kept all the same")
	}
}

// TestPermissions proves that each function can be invoked by its callers and by no one else.
func TestPermissions(t *testing.T) {
	t.Parallel()
	const gateway = "arn:aws:execute-api:eu-west-1:123456789012:"
	want := map[string]string{
		"connect apigateway.amazonaws.com " + gateway + "websocket-api/test/$connect":                          "",
		"disconnect apigateway.amazonaws.com " + gateway + "websocket-api/test/$disconnect":                    "",
		"hello apigateway.amazonaws.com " + gateway + "websocket-api/test/hello":                               "",
		"authorizer apigateway.amazonaws.com " + gateway + "websocket-api/authorizers/id-websocket-authorizer": "",
		"authorizer apigateway.amazonaws.com " + gateway + "http-api/authorizers/id-http-authorizer":           "",
		"online apigateway.amazonaws.com " + gateway + "http-api/$default/GET/user/online":                     "",
		"sweep events.amazonaws.com arn:aws:events:eu-west-1:123456789012:rule/heliograph-test-sweep":          "",
	}
	got := map[string]string{}
	for _, p := range record(t, testConfig(everything)).ofKind("aws:lambda/permission:Permission") {
		f := strings.TrimPrefix(p.text("function"), "heliograph-test-")
		got[f+" "+p.text("principal")+" "+p.text("sourceArn")] = strings.TrimPrefix(p.text("action"), "lambda:InvokeFunction")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("permissions (-want +got):\n%s", diff)
	}
}
