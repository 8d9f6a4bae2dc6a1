package main

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// declareTopic makes a topic whose messages are sent to users. Raw delivery: what is published, such as
// {"UserId":"1234","Body":"Hello"}, arrives on the queue as it is, without SNS's envelope, and its message attributes
// stay attributes.
func declareTopic(ctx *pulumi.Context, send queue) (arn pulumi.StringOutput, err error) {
	topic, err := sns.NewTopic(ctx, "messages", nil)
	if err != nil {
		return arn, err
	}
	_, err = sns.NewTopicSubscription(ctx, "messages-to-users", &sns.TopicSubscriptionArgs{
		Topic: topic.Arn, Protocol: pulumi.String("sqs"), Endpoint: send.arn, RawMessageDelivery: pulumi.Bool(true),
	})
	return topic.Arn, err
}
