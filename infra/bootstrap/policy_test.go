package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph"
	"heliograph/infra/build"
	"heliograph/infra/stack"
	"heliograph/simulator/iam"
)

// assumes reports whether a trust policy of ours lets a job with some claims in. Operators other than those that the
// policies use fail the test.
func assumes(t *testing.T, policy string, claims map[string]string) bool {
	t.Helper()
	var read struct{ Statement []statement }
	if err := json.Unmarshal([]byte(policy), &read); err != nil {
		t.Fatal(err)
	}
	same := map[string]func(pattern, text string) bool{
		"StringEquals": func(pattern, text string) bool { return pattern == text },
		"StringLike":   iam.Match,
	}
	for operator, keys := range read.Statement[0].Condition {
		for key, patterns := range keys {
			claim, found := claims[strings.TrimPrefix(key, issuer+":")]
			if !found || !slices.ContainsFunc(patterns, func(p string) bool { return same[operator](p, claim) }) {
				return false
			}
		}
	}
	return len(read.Statement) == 1 && len(read.Statement[0].Condition) > 0
}

// TestTrust proves which jobs may assume which roles: those of this repository, on the ref that the role is for, whichever
// form the claim sub has; and no fork, no branch, no repository that got the name after us.
func TestTrust(t *testing.T) {
	t.Parallel()
	a := made(t)
	job := func(environment, ref string, changes ...string) map[string]string {
		claims := map[string]string{"aud": "sts.amazonaws.com", "sub": "repo:acme/push:environment:" + environment, "repository_id": "22", "ref": ref}
		for i := 0; i < len(changes); i += 2 {
			claims[changes[i]] = changes[i+1]
		}
		return claims
	}
	for _, test := range []struct {
		what   string
		claims map[string]string
		roles  string
	}{
		{"a deployment to dev", job("dev", onMain), "deploy-dev"},
		{"a deployment to dev, with immutable ids", job("dev", onMain, "sub", "repo:acme@11/push@22:environment:dev"), "deploy-dev"},
		{"a deployment to prod, with immutable ids", job("prod", onMain, "sub", "repo:acme@11/push@22:environment:prod"), "deploy-prod"},
		{"the tests of dev", job("dev-test", onMain), "test-dev"},
		{"the comparison of prod", job("prod-drift", onMain), "drift-prod"},
		{"a preview", job("preview", "refs/pull/7/merge"), "preview"},
		{"a preview, with immutable ids", job("preview", "refs/pull/7/merge", "sub", "repo:acme@11/push@22:environment:preview"), "preview"},
		{"a preview that is none", job("preview", onMain), ""},
		{"a pull request that names dev", job("dev", "refs/pull/7/merge"), ""},
		{"a branch that names dev", job("dev", "refs/heads/feature"), ""},
		{"a tag that names prod", job("prod", "refs/tags/v1"), ""},
		{"a job without an environment", job("", onMain, "sub", "repo:acme/push:ref:refs/heads/main"), ""},
		{"a pull request without an environment", job("", "refs/pull/7/merge", "sub", "repo:acme/push:pull_request"), ""},
		{"a fork", job("dev", onMain, "sub", "repo:evil/push:environment:dev", "repository_id", "33"), ""},
		{"a fork, with immutable ids", job("dev", onMain, "sub", "repo:evil@44/push@33:environment:dev", "repository_id", "33"), ""},
		{"a repository that got the name after us", job("dev", onMain, "repository_id", "33"), ""},
		{"the same, with immutable ids", job("dev", onMain, "sub", "repo:acme@44/push@33:environment:dev", "repository_id", "33"), ""},
		{"a name that begins alike", job("dev", onMain, "sub", "repo:acme/push-2:environment:dev"), ""},
		{"a token for another cloud", job("dev", onMain, "aud", "api://azure"), ""},
		{"an older token without the number", map[string]string{"aud": "sts.amazonaws.com", "sub": "repo:acme/push:environment:dev", "ref": onMain}, ""},
	} {
		var may []string
		for _, role := range a.roles() {
			if assumes(t, a.text(t, role, "assumeRolePolicy"), test.claims) {
				may = append(may, role)
			}
		}
		if got := strings.Join(may, " "); got != test.roles {
			t.Errorf("%s may assume %q, want %q", test.what, got, test.roles)
		}
	}
}

// evaluator decides by the permission policies of the roles that were made, as IAM does.
func evaluator(t *testing.T, a *account) *iam.Roles {
	t.Helper()
	roles := iam.New(testAccount)
	// That evaluator knows roles of services only; TestTrust judges the trust.
	const anyTrust = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"any"}}}`
	for _, role := range a.roles() {
		if err := errors.Join(roles.Create(iam.RoleName(role), anyTrust), roles.Attach(iam.RoleName(role), a.text(t, role+"-policy", "policy"))); err != nil {
			t.Fatalf("%s: %v", role, err)
		}
	}
	return roles
}

const (
	stateBucket = "arn:aws:s3:::heliograph-state-123456789012-eu-west-1"
	state       = stateBucket + "/.pulumi/stacks/heliograph/"
)

func arn(service, resource string) string {
	return "arn:aws:" + service + ":" + testRegion + ":" + testAccount + ":" + resource
}

// TestRoles proves what each workflow needs, and what it must not do: above all, that the code of a pull request can read
// no secret and no message, and that dev's roles do not reach prod.
func TestRoles(t *testing.T) {
	t.Parallel()
	roles := evaluator(t, made(t))
	for _, test := range []struct {
		role, action, on string
		may              bool
	}{
		{"preview", "s3:ListBucket", stateBucket, true},
		{"preview", "s3:GetObject", state + "dev.json", true},
		{"preview", "s3:GetObject", state + "prod.json", true},
		{"preview", "kms:Decrypt", "arn:aws:of:state-key", true},
		{"preview", "sts:GetCallerIdentity", "*", true},
		{"preview", "apigateway:GET", "arn:aws:apigateway:eu-west-1::/account", true},
		{"preview", "kms:Decrypt", "arn:aws:of:dev-key", false},
		{"preview", "kms:Decrypt", "arn:aws:of:prod-key", false},
		{"preview", "s3:PutObject", state + "dev.json", false},
		{"preview", "s3:DeleteObject", state + "dev.json", false},
		{"preview", "ssm:GetParameter", arn("ssm", "parameter/WebSocketAdapter/dev/JwtSecret"), false},
		{"preview", "ssm:GetParametersByPath", arn("ssm", "parameter/WebSocketAdapter"), false},
		{"preview", "sqs:ReceiveMessage", arn("sqs", "heliograph-dev-send"), false},
		{"preview", "dynamodb:Query", arn("dynamodb", "table/heliograph-dev"), false},
		{"preview", "lambda:GetFunction", arn("lambda", "function:heliograph-dev-send"), false},
		{"preview", "apigateway:GET", "arn:aws:apigateway:eu-west-1::/apis", false},
		{"preview", "iam:PassRole", "arn:aws:iam::123456789012:role/heliograph-dev-eu-west-1-send", false},
		{"preview", "sts:AssumeRole", "arn:aws:iam::123456789012:role/any", false},

		{"deploy-dev", "s3:PutObject", state + "dev.json", true},
		{"deploy-dev", "s3:PutObject", state + "dev.json.bak", true},
		{"deploy-dev", "s3:PutObject", stateBucket + "/.pulumi/locks/organization/heliograph/dev/1.json", true},
		{"deploy-dev", "s3:DeleteObject", stateBucket + "/.pulumi/locks/organization/heliograph/dev/1.json", true},
		{"deploy-dev", "s3:PutObject", stateBucket + "/.pulumi/history/heliograph/dev/dev-1.history.json", true},
		{"deploy-dev", "kms:GenerateDataKey", "arn:aws:of:state-key", true},
		{"deploy-dev", "kms:Decrypt", "arn:aws:of:dev-key", true},
		{"deploy-dev", "s3:GetObject", state + "prod.json", false},
		{"deploy-dev", "s3:PutObject", state + "prod.json", false},
		{"deploy-dev", "kms:Decrypt", "arn:aws:of:prod-key", false},
		{"deploy-dev", "ssm:GetParameter", arn("ssm", "parameter/WebSocketAdapter/JwtSecret"), false},
		{"deploy-dev", "sqs:ReceiveMessage", arn("sqs", "heliograph-dev-send"), false},
		{"deploy-dev", "sqs:DeleteQueue", arn("sqs", "heliograph-prod-send"), false},
		{"deploy-dev", "dynamodb:DeleteTable", arn("dynamodb", "table/heliograph-prod"), false},
		{"deploy-dev", "dynamodb:Query", arn("dynamodb", "table/heliograph-dev"), false},
		{"deploy-dev", "iam:PassRole", "arn:aws:iam::123456789012:role/heliograph-prod-eu-west-1-send", false},
		{"deploy-dev", "iam:PutRolePolicy", "arn:aws:iam::123456789012:role/heliograph-ci-eu-west-1-deploy-dev", false},
		{"deploy-dev", "iam:UpdateAssumeRolePolicy", "arn:aws:iam::123456789012:role/heliograph-ci-eu-west-1-deploy-prod", false},
		{"deploy-dev", "s3:PutBucketPolicy", stateBucket, false},
		{"deploy-prod", "kms:CreateKey", "*", false}, // it has no alarmKey
		{"deploy-prod", "ssm:PutParameter", arn("ssm", "parameter/WebSocketAdapter/JwtSecret"), true},
		{"deploy-prod", "ssm:PutParameter", arn("ssm", "parameter/WebSocketAdapter/dev/JwtSecret"), false},
		{"deploy-prod", "kms:Decrypt", "arn:aws:of:dev-key", false},

		{"drift-dev", "s3:GetObject", state + "dev.json", true},
		{"drift-dev", "kms:Decrypt", "arn:aws:of:dev-key", true},
		{"drift-dev", "s3:PutObject", state + "dev.json", false},
		{"drift-dev", "kms:Decrypt", "arn:aws:of:prod-key", false},
		{"drift-dev", "sqs:ReceiveMessage", arn("sqs", "heliograph-dev-send"), false},

		{"test-dev", "ssm:GetParameter", arn("ssm", "parameter/WebSocketAdapter/dev/JwtSecret"), true},
		{"test-dev", "sqs:SendMessage", arn("sqs", "heliograph-dev-send"), true},
		{"test-dev", "sqs:CreateQueue", arn("sqs", "e2e-1-1"), true},
		{"test-dev", "sns:Subscribe", arn("sns", "heliograph-dev-events"), true},
		{"test-dev", "dynamodb:Query", arn("dynamodb", "table/heliograph-dev"), true},
		{"test-dev", "dynamodb:DeleteItem", arn("dynamodb", "table/heliograph-dev"), false},
		{"test-dev", "sqs:SendMessage", arn("sqs", "heliograph-prod-send"), false},
		{"test-dev", "s3:GetObject", state + "dev.json", false},
	} {
		if err := roles.CheckRole(iam.RoleName(test.role), test.action, test.on); (err == nil) != test.may {
			t.Errorf("%s: %s on %s: %v; want allowed %v", test.role, test.action, test.on, err, test.may)
		}
	}
}

// TestPreviewStaysBlind proves that the preview role reads no secret and no message even if ReadOnlyAccess is attached to it.
func TestPreviewStaysBlind(t *testing.T) {
	t.Parallel()
	roles := evaluator(t, made(t))
	everything := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
	if err := roles.Attach("preview", everything); err != nil {
		t.Fatal(err)
	}
	if err := roles.CheckRole("preview", "ec2:DescribeRegions", "*"); err != nil {
		t.Fatalf("the policy that this test attaches does nothing: %v", err)
	}
	for action, on := range map[string]string{
		"kms:Decrypt": "arn:aws:of:prod-key", "ssm:GetParameter": "any", "ssm:GetParameters": "any", "sqs:ReceiveMessage": "any", "dynamodb:Scan": "any",
		"dynamodb:GetRecords": "any", "logs:FilterLogEvents": "any", "secretsmanager:GetSecretValue": "any",
	} {
		if err := roles.CheckRole("preview", action, on); err == nil {
			t.Errorf("previews may %s on %s", action, on)
		}
	}
}

// TestPoliciesFit proves that each policy is short enough for AWS: 10,240 characters inline.
func TestPoliciesFit(t *testing.T) {
	t.Parallel()
	a := made(t)
	for _, role := range a.roles() {
		if size := len(a.text(t, role+"-policy", "policy")); size > 10_240 {
			t.Errorf("the policy of %s has %d characters", role, size)
		}
	}
}

// calls are the actions by which the provider compares and changes one type of resource, and the ARN that AWS checks, in
// which %s is the resource's name.
type calls struct{ on, read, write string }

// provided are the types of resources that a stack declares. An empty ARN stands for one with an id for a name.
var provided = map[string]calls{
	"aws:dynamodb/table:Table":                                       {"arn:aws:dynamodb:eu-west-1:123456789012:table/%s", "dynamodb:DescribeTable", "dynamodb:CreateTable dynamodb:UpdateTable dynamodb:DeleteTable"},
	"aws:sqs/queue:Queue":                                            {"arn:aws:sqs:eu-west-1:123456789012:%s", "sqs:GetQueueAttributes", "sqs:CreateQueue sqs:SetQueueAttributes sqs:DeleteQueue"},
	"aws:sns/topic:Topic":                                            {"arn:aws:sns:eu-west-1:123456789012:%s", "sns:GetTopicAttributes", "sns:CreateTopic sns:SetTopicAttributes sns:DeleteTopic"},
	"aws:sns/topicSubscription:TopicSubscription":                    {"arn:aws:sns:eu-west-1:123456789012:heliograph-dev-pages", "sns:GetSubscriptionAttributes", "sns:Subscribe sns:Unsubscribe"},
	"aws:ssm/parameter:Parameter":                                    {"arn:aws:ssm:eu-west-1:123456789012:parameter%s", "ssm:GetParameter", "ssm:PutParameter ssm:DeleteParameter"},
	"aws:lambda/function:Function":                                   {"arn:aws:lambda:eu-west-1:123456789012:function:%s", "lambda:GetFunction", "lambda:CreateFunction lambda:UpdateFunctionCode lambda:UpdateFunctionConfiguration lambda:DeleteFunction"},
	"aws:lambda/permission:Permission":                               {"arn:aws:lambda:eu-west-1:123456789012:function:heliograph-dev-send", "lambda:GetPolicy", "lambda:AddPermission lambda:RemovePermission"},
	"aws:lambda/eventSourceMapping:EventSourceMapping":               {"arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:1", "lambda:GetEventSourceMapping", "lambda:CreateEventSourceMapping lambda:UpdateEventSourceMapping lambda:DeleteEventSourceMapping"},
	"aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": {"arn:aws:lambda:eu-west-1:123456789012:function:heliograph-dev-sweep", "lambda:GetFunctionEventInvokeConfig", "lambda:PutFunctionEventInvokeConfig lambda:DeleteFunctionEventInvokeConfig"},
	"aws:iam/role:Role":                                              {"arn:aws:iam::123456789012:role/%s", "iam:GetRole", "iam:CreateRole iam:UpdateAssumeRolePolicy iam:PassRole iam:DeleteRole"},
	"aws:iam/rolePolicy:RolePolicy":                                  {"arn:aws:iam::123456789012:role/heliograph-dev-eu-west-1-send", "iam:GetRolePolicy", "iam:PutRolePolicy iam:DeleteRolePolicy"},
	"aws:iam/rolePolicyAttachment:RolePolicyAttachment":              {"arn:aws:iam::123456789012:role/heliograph-dev-eu-west-1-apigateway", "iam:ListAttachedRolePolicies", "iam:AttachRolePolicy iam:DetachRolePolicy"},
	"aws:cloudwatch/logGroup:LogGroup":                               {"arn:aws:logs:eu-west-1:123456789012:log-group:%s", "logs:ListTagsForResource", "logs:CreateLogGroup logs:PutRetentionPolicy logs:DeleteLogGroup"},
	"aws:cloudwatch/eventRule:EventRule":                             {"arn:aws:events:eu-west-1:123456789012:rule/%s", "events:DescribeRule", "events:PutRule events:DeleteRule"},
	"aws:cloudwatch/eventTarget:EventTarget":                         {"arn:aws:events:eu-west-1:123456789012:rule/heliograph-dev-sweep", "events:ListTargetsByRule", "events:PutTargets events:RemoveTargets"},
	"aws:cloudwatch/metricAlarm:MetricAlarm":                         {"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:%s", "cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm cloudwatch:DeleteAlarms"},
	"aws:cloudwatch/compositeAlarm:CompositeAlarm":                   {"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:%s", "cloudwatch:DescribeAlarms", "cloudwatch:PutCompositeAlarm cloudwatch:DeleteAlarms"},
	"aws:cloudwatch/dashboard:Dashboard":                             {"arn:aws:cloudwatch::123456789012:dashboard/%s", "cloudwatch:GetDashboard", "cloudwatch:PutDashboard cloudwatch:DeleteDashboards"},
	"aws:kms/key:Key":                                                {"arn:aws:kms:eu-west-1:123456789012:key/1", "kms:DescribeKey kms:GetKeyPolicy kms:GetKeyRotationStatus", "kms:CreateKey kms:EnableKeyRotation kms:PutKeyPolicy kms:ScheduleKeyDeletion"},
	"aws:route53/record:Record":                                      {"arn:aws:route53:::hostedzone/Z1", "route53:ListResourceRecordSets", "route53:ChangeResourceRecordSets"},
	"aws:apigateway/account:Account":                                 {"arn:aws:apigateway:eu-west-1::/account", "apigateway:GET", "apigateway:PATCH"},
	"aws:apigatewayv2/api:Api":                                       gatewayCalls("/apis/1"),
	"aws:apigatewayv2/apiMapping:ApiMapping":                         gatewayCalls("/domainnames/a/apimappings"),
	"aws:apigatewayv2/authorizer:Authorizer":                         gatewayCalls("/apis/1/authorizers"),
	"aws:apigatewayv2/deployment:Deployment":                         gatewayCalls("/apis/1/deployments"),
	"aws:apigatewayv2/domainName:DomainName":                         gatewayCalls("/domainnames/a"),
	"aws:apigatewayv2/integration:Integration":                       gatewayCalls("/apis/1/integrations"),
	"aws:apigatewayv2/integrationResponse:IntegrationResponse":       gatewayCalls("/apis/1/integrations/1/integrationresponses"),
	"aws:apigatewayv2/route:Route":                                   gatewayCalls("/apis/1/routes"),
	"aws:apigatewayv2/routeResponse:RouteResponse":                   gatewayCalls("/apis/1/routes/1/routeresponses"),
	"aws:apigatewayv2/stage:Stage":                                   gatewayCalls("/apis/1/stages/dev"),
}

func gatewayCalls(path string) calls {
	return calls{"arn:aws:apigateway:eu-west-1::" + path, "apigateway:GET", "apigateway:POST apigateway:PATCH apigateway:DELETE"}
}

// deployed is what the program of a stack dev declares, with everything turned on that has resources of its own.
func deployed(t *testing.T) *account {
	t.Helper()
	config := stack.DefaultConfig()
	config.JWTSecret, config.JWTSecretPrevious = "a-secret-of-more-than-32-bytes-for-tests", "a-former-secret-of-more-than-32-bytes"
	config.ParameterPrefix, config.AlarmEmail, config.APIGatewayLogRole = "/WebSocketAdapter/dev", "ops@example.com", "create"
	config.WebSocketDomain, config.HTTPDomain = "push.example.com", "api.example.com"
	config.CertificateARN, config.HostedZoneID = "arn:aws:acm:eu-west-1:123456789012:certificate/abc", "Z1"
	functions := build.Functions{Architecture: "arm64", Artifacts: map[string]build.Artifact{}}
	for _, name := range heliograph.Functions() {
		functions.Artifacts[name] = build.Artifact{Binary: "/" + name, Archive: "/" + name + ".zip"}
	}
	a, err := run(t, "heliograph", "dev", nil, func(ctx *pulumi.Context) error {
		_, err := stack.Deploy(ctx, config, functions)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestDeployReachesTheStack proves that dev's deploy role can make, change and destroy each resource that the stack's
// program declares, under its name, that the drift role can read it and not change it, and that prod's role can't touch
// what has a name.
func TestDeployReachesTheStack(t *testing.T) {
	t.Parallel()
	roles := evaluator(t, made(t))
	for name, r := range deployed(t).all {
		if !r.Custom {
			continue
		}
		c, known := provided[r.TypeToken]
		if !known {
			t.Errorf("the stack declares %s, a %s: add what deploys it to reach.go, and its calls here", name, r.TypeToken)
			continue
		}
		on := c.on
		if strings.Contains(on, "%s") {
			physical := r.Inputs["name"]
			for _, other := range []resource.PropertyKey{"alarmName", "dashboardName"} {
				if v, found := r.Inputs[other]; found {
					physical = v
				}
			}
			on = fmt.Sprintf(on, physical.StringValue())
		}
		for _, action := range strings.Fields(c.read + " " + c.write) {
			if err := roles.CheckRole("deploy-dev", action, on); err != nil {
				t.Errorf("deploying %s: %v", name, err)
			}
			if reads := slices.Contains(strings.Fields(c.read), action); (roles.CheckRole("drift-dev", action, on) == nil) != reads {
				t.Errorf("comparing %s: may %s on %s is %v, want %v", name, action, on, !reads, reads)
			}
			if strings.Contains(c.on, "%s") && roles.CheckRole("deploy-prod", action, on) == nil {
				t.Errorf("prod's role may %s on dev's %s", action, on)
			}
		}
	}
}
