// Command backend is a Pulumi program of your own, which works with Heliograph's outputs: it sends from an SNS topic and
// from an EventBridge rule, and hears of users coming and going on a queue.
package main

import (
	"errors"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

func main() { pulumi.Run(backend) }

func backend(ctx *pulumi.Context) error {
	name, set := ctx.GetConfig("backend:heliograph")
	if !set {
		return errors.New("name the stack of Heliograph: pulumi config set heliograph <organization>/heliograph/<stack>")
	}
	heliograph, err := pulumi.NewStackReference(ctx, name, nil)
	if err != nil {
		return err
	}
	send := queue{
		url: heliograph.GetStringOutput(pulumi.String("sendQueueUrl")), arn: heliograph.GetStringOutput(pulumi.String("sendQueueArn")),
	}
	topic, err := declareTopic(ctx, send)
	if err != nil {
		return err
	}
	rule, err := declareRule(ctx, send)
	if err != nil {
		return err
	}
	if err := permit(ctx, "send", send, map[string]pulumi.StringInput{"sns.amazonaws.com": topic, "events.amazonaws.com": rule}); err != nil {
		return err
	}
	presence, err := declarePresence(ctx, heliograph.GetStringOutput(pulumi.String("eventTopicArn")))
	if err != nil {
		return err
	}
	ctx.Export("topicArn", topic)
	ctx.Export("presenceQueueUrl", presence)
	return nil
}
