package main

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sqs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// declarePresence makes a queue that gets an event whenever a user comes or goes, and no receipts; examples/presence
// reads it.
func declarePresence(ctx *pulumi.Context, topic pulumi.StringOutput) (url pulumi.StringOutput, err error) {
	made, err := sqs.NewQueue(ctx, "presence", &sqs.QueueArgs{SqsManagedSseEnabled: pulumi.Bool(true)})
	if err != nil {
		return url, err
	}
	if err := permit(ctx, "presence", queue{made.Url, made.Arn}, map[string]pulumi.StringInput{"sns.amazonaws.com": topic}); err != nil {
		return url, err
	}
	_, err = sns.NewTopicSubscription(ctx, "presence", &sns.TopicSubscriptionArgs{
		Topic: topic, Protocol: pulumi.String("sqs"), Endpoint: made.Arn, RawMessageDelivery: pulumi.Bool(true),
		FilterPolicy: pulumi.String(`{"EventName":["OnlineStatusChanged"]}`),
	})
	return made.Url, err
}
