package stack

import (
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lambda"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph"
	"heliograph/infra/build"
)

// specification holds the differences between functions.
type specification struct {
	name        string
	description string
	memory      int               // MB; CPU comes in proportion
	environment map[string]string // values known before any resource exists
	wiring      pulumi.StringMap  // values that other resources compute
	may         []statement       // beyond its own logs and traces
}

// function is a declared function.
type function struct {
	*lambda.Function
	physical string // its name in AWS: heliograph-dev-send
}

// declareFunction declares a function with a role and a log group of its own.
func declareFunction(d *deployment, s specification) function {
	c := d.newComponent("Function", s.name)
	defer c.complete()
	physical := d.physical(s.name)
	role := c.declareRole(s.name)
	// Lambda would create a missing group on the first line, without retention, so the group comes first.
	group := c.declareLogGroup("logs", d.logGroup(s.name))
	policy := declare(c, "policy", iam.NewRolePolicy, &iam.RolePolicyArgs{
		Name:   pulumi.String(s.name),
		Role:   role.Name,
		Policy: policyDocument(append([]statement{logs(group.Arn), traces()}, s.may...)),
	})
	f := declare(c, "function", lambda.NewFunction, &lambda.FunctionArgs{
		Name:                         pulumi.String(physical),
		Description:                  pulumi.String(s.description),
		Role:                         role.Arn,
		Runtime:                      pulumi.String("provided.al2023"),
		Handler:                      pulumi.String(build.Entry),
		Architectures:                pulumi.ToStringArray([]string{d.functions.Architecture}),
		Code:                         pulumi.NewFileArchive(d.functions.Artifacts[s.name].Archive),
		MemorySize:                   pulumi.Int(s.memory),
		Timeout:                      seconds(timeouts[s.name]),
		Environment:                  &lambda.FunctionEnvironmentArgs{Variables: d.environment(s)},
		TracingConfig:                &lambda.FunctionTracingConfigArgs{Mode: pulumi.String(tracingModes[d.config.Tracing])},
		LoggingConfig:                loggingConfig(),
		ReservedConcurrentExecutions: d.reservation(s.name),
	}, pulumi.DependsOn([]pulumi.Resource{group, policy}))
	return function{f, physical}
}

func (c *component) declareRole(function string) *iam.Role {
	return declare(c, "role", iam.NewRole, &iam.RoleArgs{
		Name:             pulumi.String(c.global(function)),
		Description:      pulumi.String("What Heliograph's " + function + " may do in stage " + c.stage),
		AssumeRolePolicy: trust("lambda.amazonaws.com"),
	})
}

// Values of the setting tracing.
const (
	activeTracing      = "active"      // Lambda samples: one invocation a second, and 5 % of the rest
	passThroughTracing = "passThrough" // only what the caller of the function has sampled already
)

// tracingModes are Lambda's names of them.
var tracingModes = map[string]string{activeTracing: "Active", passThroughTracing: "PassThrough"}

// loggingConfig drops Lambda's own START, END and REPORT lines, some 350 bytes an invocation, unless something went
// wrong: durations, errors and cold starts are metrics. The functions filter their own lines. Lambda's default INFO would
// drop the debug lines that a failed invocation writes; anything above it, the metric lines too, which have no level.
func loggingConfig() *lambda.FunctionLoggingConfigArgs {
	return &lambda.FunctionLoggingConfigArgs{
		LogFormat:           pulumi.String("JSON"),
		ApplicationLogLevel: pulumi.String("DEBUG"),
		SystemLogLevel:      pulumi.String("WARN"),
	}
}

// reservation is how many executions a function has for itself. Lambda takes 0 for "none may run", and the configuration
// for no reservation.
func (d *deployment) reservation(name string) pulumi.IntPtrInput {
	if n := d.config.ReservedConcurrency[name]; n > 0 {
		return pulumi.Int(n)
	}
	return nil
}

// declareLogGroup declares a log group with a retention time. CloudWatch Logs encrypts every group at rest on its own.
func (c *component) declareLogGroup(name, physical string) *cloudwatch.LogGroup {
	return declare(c, name, cloudwatch.NewLogGroup, &cloudwatch.LogGroupArgs{
		Name:            pulumi.String(physical),
		RetentionInDays: pulumi.Int(c.config.LogRetentionDays),
	})
}

// logGroup is the group that Lambda writes a function's lines to.
func (d *deployment) logGroup(name string) string { return "/aws/lambda/" + d.physical(name) }

// timeouts are the functions' time limits. The queues of send and announce hide a message for six times as long.
var timeouts = map[string]time.Duration{
	heliograph.Authorizer: 9 * time.Second, // the first read of the keys may take 8 s; an HTTP API waits for 10, a cold start included
	heliograph.Connect:    10 * time.Second,
	heliograph.Disconnect: 10 * time.Second,
	heliograph.Hello:      29 * time.Second, // as long as the gateway waits: a thousand missed messages take a while
	heliograph.Send:       30 * time.Second,
	heliograph.Online:     10 * time.Second,
	heliograph.Announce:   30 * time.Second,
	heliograph.Sweep:      50 * time.Second, // one run must end before the next begins
}
