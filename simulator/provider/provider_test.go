package provider

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/apigateway"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kms"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lambda"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sqs"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph/simulator/cloud"
)

// newTestCloud returns a cloud on free ports that closes when the test ends.
func newTestCloud(t *testing.T) *cloud.Cloud {
	t.Helper()
	c, err := cloud.New(cloud.Options{FunctionsDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// TestProgramsThatAreWrong proves that each mistake in a program is one error that names the resource and the problem,
// where Pulumi's mock engine alone would miss it or not name the resource.
func TestProgramsThatAreWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		program func(ctx *pulumi.Context) error
		want    []string
	}{
		{"unknown type", func(ctx *pulumi.Context) error {
			_, err := kms.NewKey(ctx, "key", nil)
			return err
		}, []string{`aws:kms/key:Key "key"`, "does not know this type"}},
		{"unknown property", func(ctx *pulumi.Context) error {
			_, err := sqs.NewQueue(ctx, "q", &sqs.QueueArgs{Name: pulumi.String("q"), FifoQueue: pulumi.Bool(true)})
			return err
		}, []string{`"q"`, "does not honour fifoQueue"}},
		{"unknown property within one", func(ctx *pulumi.Context) error {
			_, err := lambda.NewFunction(ctx, "f", &lambda.FunctionArgs{
				Role: pulumi.String("r"), VpcConfig: lambda.FunctionVpcConfigArgs{SubnetIds: pulumi.StringArray{}, SecurityGroupIds: pulumi.StringArray{}},
				SnapStart: lambda.FunctionSnapStartArgs{ApplyOn: pulumi.String("None")},
			})
			return err
		}, []string{`"f"`, "does not honour snapStart, vpcConfig"}},
		{"a log level of text", func(ctx *pulumi.Context) error {
			_, err := lambda.NewFunction(ctx, "f", &lambda.FunctionArgs{
				Role: pulumi.String("r"), Runtime: pulumi.String("provided.al2023"), Architectures: pulumi.ToStringArray([]string{"arm64"}),
				LoggingConfig: lambda.FunctionLoggingConfigArgs{LogFormat: pulumi.String("Text"), SystemLogLevel: pulumi.String("WARN")},
			})
			return err
		}, []string{`"f"`, "needs the logFormat JSON"}},
		{"an unknown function in an alarm", func(ctx *pulumi.Context) error {
			_, err := cloudwatch.NewMetricAlarm(ctx, "a", &cloudwatch.MetricAlarmArgs{
				Name: pulumi.String("a"), ComparisonOperator: pulumi.String("GreaterThanThreshold"), EvaluationPeriods: pulumi.Int(1),
				MetricQueries: cloudwatch.MetricAlarmMetricQueryArray{cloudwatch.MetricAlarmMetricQueryArgs{
					Id: pulumi.String("e"), Expression: pulumi.String("SEARCH('x')"), ReturnData: pulumi.Bool(true), Period: pulumi.Int(60),
				}},
			})
			return err
		}, []string{`"a"`, "the function SEARCH is not simulated"}},
		{"a composite before its alarm", func(ctx *pulumi.Context) error {
			_, err := cloudwatch.NewCompositeAlarm(ctx, "c", &cloudwatch.CompositeAlarmArgs{AlarmName: pulumi.String("c"), AlarmRule: pulumi.String("ALARM(later)")})
			return err
		}, []string{`"c"`, `needs "later", which does not exist yet`}},
		{"bad enum value", func(ctx *pulumi.Context) error {
			_, err := ssm.NewParameter(ctx, "p", &ssm.ParameterArgs{Name: pulumi.String("/p"), Type: pulumi.String("Secret"), Value: pulumi.String("x")})
			return err
		}, []string{`"p"`, "Secret"}},
		{"bad number", func(ctx *pulumi.Context) error {
			_, err := cloudwatch.NewLogGroup(ctx, "g", &cloudwatch.LogGroupArgs{Name: pulumi.String("g"), RetentionInDays: pulumi.Int(4)})
			return err
		}, []string{`"g"`, "retentionInDays is 4"}},
		{"policy that is not understood", func(ctx *pulumi.Context) error {
			_, err := iam.NewRole(ctx, "r", &iam.RoleArgs{Name: pulumi.String("r"), AssumeRolePolicy: pulumi.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Maybe"}]}`)})
			return err
		}, []string{`aws:iam/role:Role "r"`, "Maybe"}},
		{"messages larger than the provider allows", func(ctx *pulumi.Context) error {
			_, err := sqs.NewQueue(ctx, "q", &sqs.QueueArgs{Name: pulumi.String("q"), MaxMessageSize: pulumi.Int(262145)})
			return err
		}, []string{`"q"`, "maxMessageSize to be in the range (1024 - 262144), got 262145"}},
		{"same name twice", func(ctx *pulumi.Context) error {
			_, first := sqs.NewQueue(ctx, "q", &sqs.QueueArgs{Name: pulumi.String("one")})
			_, second := sqs.NewQueue(ctx, "q", &sqs.QueueArgs{Name: pulumi.String("two")})
			return errors.Join(first, second)
		}, []string{`"q"`, "declared twice"}},
		{"same physical name twice", func(ctx *pulumi.Context) error {
			_, first := sqs.NewQueue(ctx, "a", &sqs.QueueArgs{Name: pulumi.String("same")})
			_, second := sqs.NewQueue(ctx, "b", &sqs.QueueArgs{Name: pulumi.String("same")})
			return errors.Join(first, second)
		}, []string{"a queue of that name exists"}},
		{"log role that may not log", func(ctx *pulumi.Context) error {
			role, err := iam.NewRole(ctx, "r", &iam.RoleArgs{Name: pulumi.String("r"), AssumeRolePolicy: pulumi.String(trustsGateway)})
			if err != nil {
				return err
			}
			_, err = apigateway.NewAccount(ctx, "a", &apigateway.AccountArgs{CloudwatchRoleArn: role.Arn})
			return err
		}, []string{`aws:apigateway/account:Account "a"`, "does not have required permissions configured"}},
		{"look at what can't be looked at", func(ctx *pulumi.Context) error {
			_, err := sqs.GetQueue(ctx, "q", pulumi.ID("q"), nil)
			return err
		}, []string{`aws:sqs/queue:Queue "q"`, "can't look at this type"}},
		{"import into an empty account", func(ctx *pulumi.Context) error {
			_, err := sqs.NewQueue(ctx, "q", &sqs.QueueArgs{Name: pulumi.String("q")}, pulumi.Import(pulumi.ID("q")))
			return err
		}, []string{`aws:sqs/queue:Queue "q"`, `there is no "q" to import`}},
		{"unknown invoke", func(ctx *pulumi.Context) error {
			_, err := aws.GetAvailabilityZones(ctx, nil)
			return err
		}, []string{"getAvailabilityZones"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := Run(newTestCloud(t), Stack{Project: "project", Name: "test"}, c.program)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q:\n%v", want, err)
				}
			}
			if strings.Count(err.Error(), "\n") > 1 || strings.Contains(err.Error(), "goroutine") {
				t.Errorf("the error is no clear message:\n%v", err)
			}
		})
	}
}

// TestResourcesAreLive proves that the declared resources work, at the addresses that the program received.
func TestResourcesAreLive(t *testing.T) {
	t.Parallel()
	c := newTestCloud(t)
	var outputs map[string]string
	err := Run(c, Stack{Project: "project", Name: "test"}, func(ctx *pulumi.Context) error {
		queue, err := sqs.NewQueue(ctx, "q", &sqs.QueueArgs{Name: pulumi.String("q"), VisibilityTimeoutSeconds: pulumi.Int(7)})
		if err != nil {
			return err
		}
		pulumi.StringMap{"url": queue.Url, "arn": queue.Arn}.ToStringMapOutput().ApplyT(func(values map[string]string) bool {
			outputs = values
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	queue, err := c.Queues.QueueByARN(outputs["arn"])
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{"url": queue.URL(), "visibility": queue.Attributes()["VisibilityTimeout"], "largest": queue.Attributes()["MaximumMessageSize"]}
	if diff := cmp.Diff(map[string]string{"url": outputs["url"], "visibility": "7", "largest": "262144"}, got); diff != "" {
		t.Error(diff)
	}
	if !strings.HasPrefix(outputs["url"], c.EndpointURL()) {
		t.Errorf("the queue's URL %s is not at %s", outputs["url"], c.EndpointURL())
	}
}

const trustsGateway = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"apigateway.amazonaws.com"}}]}`

// TestLogRole proves that a program can read and set the role with which API Gateway writes logs.
func TestLogRole(t *testing.T) {
	t.Parallel()
	c, err := cloud.New(cloud.Options{FunctionsDir: t.TempDir(), LogRole: "arn:aws:iam::000000000000:role/theirs"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var seen string
	err = Run(c, Stack{Project: "project", Name: "test"}, func(ctx *pulumi.Context) error {
		now, err := apigateway.GetAccount(ctx, "now", pulumi.ID("api-gateway-account"), nil)
		if err != nil {
			return err
		}
		now.CloudwatchRoleArn.ApplyT(func(arn string) string { seen = arn; return arn })
		role, err := iam.NewRole(ctx, "r", &iam.RoleArgs{Name: pulumi.String("ours"), AssumeRolePolicy: pulumi.String(trustsGateway)},
			pulumi.DependsOn([]pulumi.Resource{now}))
		if err != nil {
			return err
		}
		policy, err := iam.NewRolePolicyAttachment(ctx, "p", &iam.RolePolicyAttachmentArgs{
			Role: role.Name, PolicyArn: pulumi.String("arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"),
		})
		if err != nil {
			return err
		}
		_, err = apigateway.NewAccount(ctx, "a", &apigateway.AccountArgs{CloudwatchRoleArn: role.Arn}, pulumi.DependsOn([]pulumi.Resource{policy}))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := []string{seen, c.APIs.LogRole()}; !cmp.Equal(got, []string{"arn:aws:iam::000000000000:role/theirs", c.Roles.ARN("ours")}) {
		t.Errorf("the role was and is %q", got)
	}
}

// TestErrorOfTheProgram proves that a program's own error is returned unchanged.
func TestErrorOfTheProgram(t *testing.T) {
	t.Parallel()
	want := errors.New("no such thing")
	err := Run(newTestCloud(t), Stack{Project: "project", Name: "test"}, func(*pulumi.Context) error { return want })
	if err != want {
		t.Errorf("got %v, want %v and nothing around it", err, want)
	}
}

// TestAlarms proves that declared alarms are evaluated with all their declared settings.
func TestAlarms(t *testing.T) {
	t.Parallel()
	c := newTestCloud(t)
	topic := pulumi.Array{pulumi.String("arn:aws:sns:us-east-1:000000000000:t")}
	stat := func(name string) cloudwatch.MetricAlarmMetricQueryMetricArgs {
		return cloudwatch.MetricAlarmMetricQueryMetricArgs{
			Namespace: pulumi.String("N"), MetricName: pulumi.String(name), Period: pulumi.Int(60), Stat: pulumi.String("Sum"),
			Dimensions: pulumi.StringMap{"Stage": pulumi.String("dev")},
		}
	}
	err := Run(c, Stack{Project: "p", Name: "s"}, func(ctx *pulumi.Context) error {
		plain, err := cloudwatch.NewMetricAlarm(ctx, "plain", &cloudwatch.MetricAlarmArgs{
			Name: pulumi.String("plain"), ComparisonOperator: pulumi.String("GreaterThanThreshold"), EvaluationPeriods: pulumi.Int(5), DatapointsToAlarm: pulumi.Int(3),
			Namespace: pulumi.String("N"), MetricName: pulumi.String("M"), ExtendedStatistic: pulumi.String("p99"), Period: pulumi.Int(300), Threshold: pulumi.Float64(2.5),
			TreatMissingData: pulumi.String("ignore"), EvaluateLowSampleCountPercentiles: pulumi.String("ignore"), AlarmActions: topic,
			Tags: pulumi.StringMap{"Severity": pulumi.String("page"), "Runbook": pulumi.String("docs/runbooks/plain.md")},
		})
		if err != nil {
			return err
		}
		_, err = cloudwatch.NewMetricAlarm(ctx, "math", &cloudwatch.MetricAlarmArgs{
			Name: pulumi.String("math"), ComparisonOperator: pulumi.String("LessThanLowerThreshold"), EvaluationPeriods: pulumi.Int(1), ThresholdMetricId: pulumi.String("band"),
			MetricQueries: cloudwatch.MetricAlarmMetricQueryArray{
				cloudwatch.MetricAlarmMetricQueryArgs{Id: pulumi.String("m"), Metric: stat("M"), ReturnData: pulumi.Bool(true)},
				cloudwatch.MetricAlarmMetricQueryArgs{Id: pulumi.String("band"), Expression: pulumi.String("ANOMALY_DETECTION_BAND(m, 3)"), ReturnData: pulumi.Bool(true)},
			},
		})
		if err != nil {
			return err
		}
		_, err = cloudwatch.NewCompositeAlarm(ctx, "both", &cloudwatch.CompositeAlarmArgs{
			AlarmName: pulumi.String("both"), AlarmRule: pulumi.Sprintf("ALARM(%s)", plain.Arn), ActionsEnabled: pulumi.Bool(false), OkActions: pulumi.StringArray{},
			ActionsSuppressor: cloudwatch.CompositeAlarmActionsSuppressorArgs{Alarm: plain.Name, WaitPeriod: pulumi.Int(60), ExtensionPeriod: pulumi.Int(120)},
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"plain": "p99 of N M > 2.5 for 3 of 5 periods of 5m", "math": "Sum of N M below the band for 1 of 1 period of 1m", "both": "ALARM(arn:aws:cloudwatch:" + c.Region + ":000000000000:alarm:plain)",
	} {
		if a, _ := c.Alarms.Alarm(name); a.Condition != want {
			t.Errorf("%s: %q", name, a.Condition)
		}
	}
	plain, _ := c.Alarms.Alarm("plain")
	if m := plain.Metric; m.Missing != "ignore" || m.LowSamples != "ignore" || len(m.Actions.Alarm) != 1 || plain.Severity != "page" || plain.Runbook != "docs/runbooks/plain.md" {
		t.Errorf("%+v", plain)
	}
	both, _ := c.Alarms.Alarm("both")
	if b := both.Composite; b.Suppressor != "plain" || b.Wait != time.Minute || b.Extension != 2*time.Minute || !b.Actions.Disabled {
		t.Errorf("%+v", b)
	}
}

// TestTagsAreChecked proves that tags which AWS refuses are errors, whatever resource has them.
func TestTagsAreChecked(t *testing.T) {
	t.Parallel()
	many := map[string]string{}
	for i := range 51 {
		many[fmt.Sprint("tag-", i)] = "x"
	}
	for want, tags := range map[string]map[string]string{
		`the tag "aws:x"`: {"aws:x": "1"}, `the tag "AWS:x"`: {"AWS:x": "1"}, `the tag ""`: {"": "1"}, `with the value "a;b"`: {"x": "a;b"},
		"there are 51 tags": many, strings.Repeat("k", 129): {strings.Repeat("k", 129): "1"}, strings.Repeat("v", 257): {"x": strings.Repeat("v", 257)},
	} {
		if err := (tagged{tags}).checkTags(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q in it", tags, err, want)
		}
	}
	if err := (tagged{map[string]string{"Team": "", "a b+c=d@e_f.g:h/i-j": strings.Repeat("ü", 256)}}).checkTags(); err != nil {
		t.Error(err)
	}
}
