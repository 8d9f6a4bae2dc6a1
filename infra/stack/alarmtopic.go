package stack

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kms"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// declareAlarmTargets gives the topics that alarms go to: the configured one, and one of our own where somebody is
// to be mailed. Without either, alarms only change their colour.
func (c *component) declareAlarmTargets() pulumi.Array {
	targets := pulumi.Array{}
	if c.config.AlarmTopicARN != "" {
		targets = append(targets, pulumi.String(c.config.AlarmTopicARN))
	}
	if c.config.AlarmEmail != "" {
		targets = append(targets, c.declareAlarmTopic())
	}
	return targets
}

// declareAlarmTopic declares an encrypted topic with a key of its own: alarms can't publish to a topic that the
// managed key encrypts, since its policy does not know CloudWatch, and the pages would vanish without a word.
func (c *component) declareAlarmTopic() pulumi.StringOutput {
	name := c.physical("alarms")
	key := declare(c, "key", kms.NewKey, &kms.KeyArgs{
		Description:       pulumi.String("Encrypts the alarms of " + c.physical("")),
		EnableKeyRotation: pulumi.Bool(true),
		Policy:            c.alarmKeyPolicy(),
	})
	topic := declare(c, "topic", sns.NewTopic, &sns.TopicArgs{
		Name:           pulumi.String(name),
		KmsMasterKeyId: key.Arn,
		Policy: c.resourcePolicy(map[string]any{
			"Effect": "Allow", "Action": "sns:Publish", "Resource": c.home.arn("sns", name),
			"Principal": alarmService, "Condition": c.onlyOurAlarms(),
		}),
	})
	declare(c, "email", sns.NewTopicSubscription, &sns.TopicSubscriptionArgs{
		Topic:    topic.Arn,
		Protocol: pulumi.String("email"),
		Endpoint: pulumi.String(c.config.AlarmEmail),
	})
	return topic.Arn
}

// alarmService is the principal that alarms publish as.
var alarmService = map[string]any{"Service": "cloudwatch.amazonaws.com"}

// alarmKeyPolicy lets CloudWatch use the key for our alarms, and the account's administrators look after it. In a
// key's policy the resource is always the key itself, written *; and without a statement for the account's root
// nobody could ever change or delete the key, so AWS refuses to create it.
func (c *component) alarmKeyPolicy() pulumi.StringOutput {
	root := "arn:" + c.home.partition + ":iam::" + c.home.account + ":root"
	return c.resourcePolicy(
		map[string]any{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": map[string]any{"AWS": root}},
		map[string]any{
			"Effect": "Allow", "Action": []string{"kms:Decrypt", "kms:GenerateDataKey"}, "Resource": "*",
			"Principal": alarmService, "Condition": c.onlyOurAlarms(),
		},
	)
}

// onlyOurAlarms keeps other accounts' alarms from using what CloudWatch may use.
func (c *component) onlyOurAlarms() map[string]any {
	return map[string]any{
		"StringEquals": map[string]any{"aws:SourceAccount": c.home.account},
		"ArnLike":      map[string]any{"aws:SourceArn": c.home.arn("cloudwatch", "alarm:"+c.physical("")+"-*")},
	}
}

func (c *component) resourcePolicy(statements ...any) pulumi.StringOutput {
	return pulumi.JSONMarshal(map[string]any{"Version": policyVersion, "Statement": statements})
}
