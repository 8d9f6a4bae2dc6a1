package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	quotatypes "github.com/aws/aws-sdk-go-v2/service/servicequotas/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"heliograph"
	"heliograph/local"
)

// accountChecks examines an account that shall have a stack. Its stack file is read if there is one.
func accountChecks(ctx context.Context, c *doctorCommand, line *commands) ([]check, error) {
	stack := line.Stack
	if stack == "" {
		return nil, errors.New("--account needs the name of the stack that the account shall have, such as --stack dev")
	}
	config, unread := readConfig(ctx, stack)
	region := c.Region
	if region == "" {
		region = config.region
	}
	cfg, err := local.Endpoints{Outputs: heliograph.Outputs{Region: region}}.AWSConfig(ctx)
	if err != nil {
		return nil, err
	}
	if cfg.Region == "" {
		return nil, errors.New("no Region is known: name it with --region, or by `pulumi config set aws:region eu-west-1`")
	}
	a := newAccount(cfg, config, unread)
	return append([]check{{"credentials", problem, a.checkCaller}}, append(a.checks(), check{"names", warning, a.checkNames})...), nil
}

// stackConfig is what an account is examined for.
type stackConfig struct {
	stage, region, prefix, logRole string
	throttleRate, batches          int
}

// readConfig reads a stack's configuration by the pulumi command. On an error it returns the defaults, too.
func readConfig(ctx context.Context, stack string) (stackConfig, error) {
	out, err := exec.CommandContext(ctx, "pulumi", "config", "--json", "--stack", stack).Output()
	if err != nil {
		config, _ := parseConfig(stack, nil)
		return config, fmt.Errorf("read the configuration of stack %s, so its defaults are assumed: %w", stack, err)
	}
	return parseConfig(stack, out)
}

// parseConfig reads what `pulumi config --json` prints.
func parseConfig(stack string, text []byte) (stackConfig, error) {
	var printed map[string]struct{ Value string }
	var unread error
	if text != nil {
		unread = json.Unmarshal(text, &printed)
	}
	values := map[string]string{}
	for key, v := range printed {
		values[strings.TrimPrefix(key, "heliograph:")] = v.Value
	}
	config, err := local.ConfigOf(values)
	if config.Stage == "" {
		config.Stage = stack
	}
	return stackConfig{
		stage: config.Stage, region: printed["aws:region"].Value, prefix: config.ParameterPrefix, logRole: config.APIGatewayLogRole,
		throttleRate: config.ThrottleRate, batches: config.MaxConcurrency + max(2, config.MaxConcurrency/2),
	}, errors.Join(unread, err)
}

// account is the account and Region of a stack, and what the stack needs of them.
type account struct {
	aws    aws.Config
	config stackConfig
	unread error // why config holds defaults
	quota  func(ctx context.Context, service, code string) (float64, error)
	role   func(context.Context) (string, error)
}

func newAccount(cfg aws.Config, config stackConfig, unread error) *account {
	quotas, gateway := servicequotas.NewFromConfig(cfg), apigateway.NewFromConfig(cfg)
	return &account{
		aws: cfg, config: config, unread: unread,
		quota: func(ctx context.Context, service, code string) (float64, error) {
			return readQuota(ctx, quotas, service, code)
		},
		role: func(ctx context.Context) (string, error) {
			out, err := gateway.GetAccount(ctx, &apigateway.GetAccountInput{})
			if err != nil {
				return "", err
			}
			return aws.ToString(out.CloudwatchRoleArn), nil
		},
	}
}

// readQuota returns the limit that applies, or AWS's default where the account has none of its own:
// https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html.
func readQuota(ctx context.Context, from *servicequotas.Client, service, code string) (float64, error) {
	out, err := from.GetServiceQuota(ctx, &servicequotas.GetServiceQuotaInput{ServiceCode: &service, QuotaCode: &code})
	if err == nil {
		return valueOf(out.Quota)
	}
	if _, none := errors.AsType[*quotatypes.NoSuchResourceException](err); !none {
		return 0, err
	}
	usual, err := from.GetAWSDefaultServiceQuota(ctx, &servicequotas.GetAWSDefaultServiceQuotaInput{ServiceCode: &service, QuotaCode: &code})
	if err != nil {
		return 0, err
	}
	return valueOf(usual.Quota)
}

// valueOf returns a quota's value. A missing one is no limit of zero.
func valueOf(quota *quotatypes.ServiceQuota) (float64, error) {
	if quota == nil || quota.Value == nil {
		return 0, errors.New("the answer holds no value")
	}
	return *quota.Value, nil
}

func (a *account) checks() []check {
	checks := []check{
		{"configuration", warning, func(context.Context) (finding, error) { return ok("read"), a.unread }},
		{"log role", warning, a.checkLogRole},
	}
	for _, q := range quotas {
		checks = append(checks, check{q.name, warning, func(ctx context.Context) (finding, error) { return a.checkQuota(ctx, q) }})
	}
	return checks
}

func (a *account) checkCaller(ctx context.Context) (finding, error) {
	out, err := sts.NewFromConfig(a.aws).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return finding{Costs: "nothing can be deployed", Mend: "aws sts get-caller-identity"}, err
	}
	return ok("account %s, Region %s, as %s", aws.ToString(out.Account), a.aws.Region, aws.ToString(out.Arn)), nil
}

// checkLogRole looks for the role without which a WebSocket stage with access logs can't be made.
func (a *account) checkLogRole(ctx context.Context) (finding, error) {
	role, err := a.role(ctx)
	switch {
	case err != nil:
		return finding{Mend: "aws apigateway get-account"}, err
	case role != "":
		return ok("the Region has %s", role), nil
	case a.config.logRole == "existing":
		return finding{
			Level: problem, Says: "API Gateway has no log role in this Region, and apigatewayLogRole is existing", Costs: "pulumi up ends at the WebSocket stage",
			Mend: "pulumi config set apiGatewayLogRole auto",
		}, nil
	}
	return ok("the Region has none; apiGatewayLogRole is %s, so that is no obstacle", a.config.logRole), nil
}

// quota is a limit of an account, and how much of it a stack wants.
type quota struct {
	name, service, code string
	// need is below what the stack does not work; want is below what it works badly.
	need, want func(stackConfig) int
	costs      string
}

// Codes are those of AWS's pages on quotas: docs.aws.amazon.com/general/latest/gr/lambda-service.html, and
// docs.aws.amazon.com/apigateway/latest/developerguide/limits.html.
var quotas = []quota{
	{
		name: "Lambda concurrency", service: "lambda", code: "L-B99A9384",
		// Each connect runs the authorizer and connect; sweep and announce need one each.
		need:  func(c stackConfig) int { return c.batches + 4 },
		want:  func(c stackConfig) int { return max(100, 2*(c.batches+4)) },
		costs: "while messages are worked off, connects are throttled: clients are refused with 429 or 500",
	},
	{
		name: "API Gateway rate", service: "apigateway", code: "L-8A5B8E43",
		need:  func(stackConfig) int { return 0 },
		want:  func(c stackConfig) int { return c.throttleRate },
		costs: "throttleRate promises more than the account has, which all APIs of the Region share: posts fail with 429 and are retried",
	},
	{
		name: "new connections", service: "apigateway", code: "L-9ED1E49A",
		need:  func(stackConfig) int { return 0 },
		want:  func(stackConfig) int { return 500 },
		costs: "after an interruption, clients wait that much longer to come back",
	},
}

func (a *account) checkQuota(ctx context.Context, q quota) (finding, error) {
	have, err := a.quota(ctx, q.service, q.code)
	if err != nil {
		return finding{Mend: fmt.Sprintf("aws service-quotas get-service-quota --region %s --service-code %s --quota-code %s", a.aws.Region, q.service, q.code)}, err
	}
	need, want := q.need(a.config), q.want(a.config)
	f := finding{
		Costs: q.costs,
		Mend: fmt.Sprintf("aws service-quotas request-service-quota-increase --region %s --service-code %s --quota-code %s --desired-value %d",
			a.aws.Region, q.service, q.code, max(want, 1000)),
	}
	switch {
	case int(have) < need:
		f.Level, f.Says = problem, fmt.Sprintf("the account's limit is %.0f, and the configuration needs %d", have, need)
	case int(have) < want:
		f.Level, f.Says = warning, fmt.Sprintf("the account's limit is %.0f, and %d would be ample", have, want)
	default:
		return ok("%.0f", have), nil
	}
	return f, nil
}

// checkNames looks for resources that have the names that the stack is going to want.
func (a *account) checkNames(ctx context.Context) (finding, error) {
	table, queue := "heliograph-"+a.config.stage, "heliograph-"+a.config.stage+"-send"
	taken := map[string]error{}
	_, err := dynamodb.NewFromConfig(a.aws).DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &table})
	taken["the table "+table] = absent[*dynamodbtypes.ResourceNotFoundException](err)
	_, err = sqs.NewFromConfig(a.aws).GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &queue})
	taken["the queue "+queue] = absent[*sqstypes.QueueDoesNotExist](err)
	out, err := ssm.NewFromConfig(a.aws).GetParametersByPath(ctx, &ssm.GetParametersByPathInput{Path: &a.config.prefix})
	if err == nil && len(out.Parameters) == 0 {
		err = errAbsent
	}
	taken["SSM parameters below "+a.config.prefix] = err
	return judgeNames(a.config.stage, taken)
}

// errAbsent reports that nothing has a name.
var errAbsent = errors.New("nothing has this name")

// absent turns a service's own error for a missing resource into errAbsent.
func absent[E error](err error) error {
	if _, is := errors.AsType[E](err); is {
		return errAbsent
	}
	return err
}

// judgeNames takes by name the answer to the question for it: nil if it is taken.
func judgeNames(stage string, asked map[string]error) (finding, error) {
	var taken []string
	var failed []error
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		switch err := asked[name]; {
		case err == nil:
			taken = append(taken, name)
		case !errors.Is(err, errAbsent):
			failed = append(failed, fmt.Errorf("%s: %w", name, err))
		}
	}
	if len(taken) == 0 {
		return ok("those of stage %s are free", stage), errors.Join(failed...)
	}
	return finding{
		Level: problem, Says: "already there: " + firsts(taken), Costs: "unless they are this stack's own, pulumi up ends with \"already exists\"",
		Mend: "pulumi config set stage NAME, or set parameterPrefix, or adopt what a former stack left: docs/operating.md",
	}, nil
}
