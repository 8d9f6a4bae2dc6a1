package stack

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// eventTopic is the end of the topic's name.
const eventTopic = "events"

// declareEvents declares the topic of presence events and returns its ARN.
//
// The AWS managed key suffices here: through SNS, its policy admits every principal of the account that may use SNS, so
// neither announce nor a subscribed queue needs a KMS permission. (CloudWatch is no such principal, which is why the
// alarms' topic has a key of its own.)
func declareEvents(d *deployment) pulumi.StringOutput {
	c := d.newComponent("Events", "events")
	defer c.complete()
	return declare(c, "topic", sns.NewTopic, &sns.TopicArgs{
		Name:           pulumi.String(d.physical(eventTopic)),
		KmsMasterKeyId: pulumi.String("alias/aws/sns"),
	}, c.guard()).Arn
}
