package stack

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lambda"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// declareSchedule runs sweep every minute. Neither EventBridge nor Lambda retries a failed run: the next run does the
// same work, and two at once would exceed the budget of calls.
func declareSchedule(d *deployment, sweeper function) {
	c := d.newComponent("Schedule", "schedule")
	defer c.complete()
	rule := declare(c, "rule", cloudwatch.NewEventRule, &cloudwatch.EventRuleArgs{
		Name:               pulumi.String(d.physical("sweep")),
		Description:        pulumi.String("Runs Heliograph's sweep"),
		ScheduleExpression: pulumi.String("rate(1 minute)"),
	})
	c.permitService("permission", sweeper, "events.amazonaws.com", rule.Arn)
	declare(c, "target", cloudwatch.NewEventTarget, &cloudwatch.EventTargetArgs{
		Rule: rule.Name,
		Arn:  sweeper.Arn,
		RetryPolicy: &cloudwatch.EventTargetRetryPolicyArgs{
			MaximumRetryAttempts:     pulumi.Int(0),
			MaximumEventAgeInSeconds: pulumi.Int(60),
		},
	}, c.guard())
	declare(c, "retries", lambda.NewFunctionEventInvokeConfig, &lambda.FunctionEventInvokeConfigArgs{
		FunctionName:             sweeper.Name,
		MaximumRetryAttempts:     pulumi.Int(0),
		MaximumEventAgeInSeconds: pulumi.Int(60),
	})
}
