package stack

import (
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kms"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// alarmTarget is a topic that alarms go to.
type alarmTarget struct {
	topic string // its name
	arn   pulumi.StringInput
}

// alarmTargets are where alarms go, by severity. Without any, an alarm only changes its state.
type alarmTargets struct{ pages, tickets []alarmTarget }

// declareAlarmTargets returns the configured topics, and two topics of our own if an email address is configured.
func (c *component) declareAlarmTargets() (targets alarmTargets) {
	existing := func(arn string) []alarmTarget {
		if arn == "" {
			return nil
		}
		return []alarmTarget{{arn[strings.LastIndex(arn, ":")+1:], pulumi.String(arn)}}
	}
	targets.pages, targets.tickets = existing(c.config.AlarmTopicARN), existing(c.config.TicketTopicARN)
	if c.config.AlarmEmail != "" {
		key := c.declareAlarmKey()
		targets.pages = append(targets.pages, c.declareAlarmTopic("pages", key))
		targets.tickets = append(targets.tickets, c.declareAlarmTopic("tickets", key))
	}
	if len(targets.tickets) == 0 {
		targets.tickets = targets.pages
	}
	return targets
}

// of returns the topics for an alarm of a severity.
func (t alarmTargets) of(s severity) alarmTopics {
	switch s {
	case page:
		return topics(t.pages)
	case ticket:
		return topics(t.tickets)
	}
	return topics(nil)
}

// okOf returns the topics for an alarm that is over. Recovery never pages.
func (t alarmTargets) okOf(s severity) alarmTopics {
	if s == silent {
		return topics(nil)
	}
	return topics(t.tickets)
}

// topicNames returns the names of the topics that receive pages.
func (t alarmTargets) topicNames() (names []string) {
	for _, target := range t.pages {
		names = append(names, target.topic)
	}
	return names
}

// alarmTopics holds ARNs, in the forms that the two kinds of alarms require.
type alarmTopics pulumi.StringArray

func topics(targets []alarmTarget) alarmTopics {
	arns := alarmTopics{}
	for _, target := range targets {
		arns = append(arns, target.arn)
	}
	return arns
}

func (a alarmTopics) texts() pulumi.StringArray { return pulumi.StringArray(a) }

func (a alarmTopics) values() pulumi.Array {
	all := pulumi.Array{}
	for _, arn := range a {
		all = append(all, arn)
	}
	return all
}

// declareAlarmKey declares the key of our own alarm topics. The AWS managed key's policy does not admit CloudWatch, so
// with that key pages would be lost silently.
func (c *component) declareAlarmKey() *kms.Key {
	return declare(c, "key", kms.NewKey, &kms.KeyArgs{
		Description:       pulumi.String("Encrypts the alarms of " + c.physical("")),
		EnableKeyRotation: pulumi.Bool(true),
		Policy:            c.alarmKeyPolicy(),
	})
}

// declareAlarmTopic declares an encrypted topic that mails every notification.
func (c *component) declareAlarmTopic(name string, key *kms.Key) alarmTarget {
	physical := c.physical(name)
	topic := declare(c, name, sns.NewTopic, &sns.TopicArgs{
		Name:           pulumi.String(physical),
		KmsMasterKeyId: key.Arn,
		Policy: c.resourcePolicy(map[string]any{
			"Effect": "Allow", "Action": "sns:Publish", "Resource": c.home.arn("sns", physical),
			"Principal": alarmService, "Condition": c.onlyOurAlarms(),
		}),
	})
	declare(c, name+"-email", sns.NewTopicSubscription, &sns.TopicSubscriptionArgs{
		Topic:    topic.Arn,
		Protocol: pulumi.String("email"),
		Endpoint: pulumi.String(c.config.AlarmEmail),
	})
	return alarmTarget{physical, topic.Arn}
}

// alarmService is the principal that alarms publish as.
var alarmService = map[string]any{"Service": "cloudwatch.amazonaws.com"}

// alarmKeyPolicy lets CloudWatch use the key for our alarms, and lets the account's administrators manage it. In a
// key's policy the resource is always the key itself, written *. Without a statement for the account's root no one
// could ever change or delete the key, so AWS refuses to create it.
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

// onlyOurAlarms keeps other accounts' alarms from using CloudWatch's permission.
func (c *component) onlyOurAlarms() map[string]any {
	return map[string]any{
		"StringEquals": map[string]any{"aws:SourceAccount": c.home.account},
		"ArnLike":      map[string]any{"aws:SourceArn": c.home.arn("cloudwatch", "alarm:"+c.physical("")+"-*")},
	}
}

// resourcePolicy returns the JSON of a policy attached to a resource.
func (c *component) resourcePolicy(statements ...any) pulumi.StringOutput {
	return pulumi.JSONMarshal(map[string]any{"Version": policyVersion, "Statement": statements})
}
