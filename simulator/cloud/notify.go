package cloud

import (
	"context"
	"fmt"

	"heliograph/simulator/cloudwatch/alarm"
	"heliograph/simulator/sns"
)

// notifier publishes alarms to their topics.
type notifier struct {
	topics *sns.Server
	watch  *watch
}

// managedKey is the key that prevents alarms from publishing to a topic encrypted with it: its policy does not admit
// CloudWatch.
const managedKey = "alias/aws/sns"

// notify publishes an alarm's notification. A failure counts as a failed notification of the topic and is reported as a
// problem, because on AWS such notifications vanish silently.
func (n notifier) notify(ctx context.Context, topicARN string, what alarm.Notification) error {
	err := n.publish(ctx, sns.TopicARN(topicARN), what)
	if err != nil {
		n.watch.topicMetric(sns.TopicARN(topicARN), "NumberOfNotificationsFailed", 1)
		n.watch.journal.Problem(fmt.Sprintf("an alarm did not reach the topic %s: %v", topicARN, err))
	}
	return err
}

func (n notifier) publish(ctx context.Context, topic sns.TopicARN, what alarm.Notification) error {
	attributes, err := n.topics.TopicAttributes(topic)
	if err != nil {
		return err
	}
	if attributes["KmsMasterKeyId"] == managedKey {
		return fmt.Errorf("the key %s, which encrypts it, does not let CloudWatch in; use a key of your own, or none", managedKey)
	}
	_, err = n.topics.Publish(ctx, topic, sns.Publication{Subject: what.Subject, Message: what.Message})
	return err
}
