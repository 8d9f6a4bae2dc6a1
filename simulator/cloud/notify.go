package cloud

import (
	"context"
	"fmt"

	"heliograph/simulator/cloudwatch/alarm"
	"heliograph/simulator/sns"
)

// notifier brings alarms to their topics.
type notifier struct {
	topics *sns.Server
	watch  *watch
}

// managedKey encrypts a topic so that alarms can't publish to it: its policy does not let CloudWatch in.
const managedKey = "alias/aws/sns"

// notify publishes for an alarm. What fails counts as a failed notification of the topic, and is a line on the terminal,
// since on AWS such pages vanish without a word.
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
