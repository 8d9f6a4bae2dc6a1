package stack

import (
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sqs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph"
)

// deadLetterRetention is the longest that SQS offers: after a long weekend, all is still there.
const deadLetterRetention = 14 * 24 * time.Hour

// maxReceiveCount guards against crashes alone: the functions do their own retries and write the dead-letter queue
// themselves. A batch can be received a few times without any fault of a message, so it is generous. What announce can't
// publish of the grace queue stays there instead, and comes again for as long as a record of the stream does.
const maxReceiveCount = 10

// queue is one SQS queue.
type queue struct {
	name     string // in AWS
	url, arn pulumi.StringOutput
}

// queues are all queues of a stack.
type queues struct {
	send, sendDeadLetters   queue // messages of producers
	grace, graceDeadLetters queue // users who went offline less than a grace period ago
	streamFailures          queue // stream records that could not be announced in a day
}

func declareQueues(d *deployment) queues {
	var q queues
	q.send, q.sendDeadLetters = declareQueue(d, "messages", "send", timeouts[heliograph.Send], maxReceiveCount)
	q.grace, q.graceDeadLetters = declareQueue(d, "grace", "grace", timeouts[heliograph.Announce], int(streamPatience/hidden(timeouts[heliograph.Announce])))

	c := d.newComponent("Queue", "stream")
	defer c.complete()
	q.streamFailures = declareDeadLetters(c, "failures", d.physical("stream-failures"), nil)
	return q
}

// declareQueue declares a queue whose messages a function with the given time-out works on, and its dead-letter queue.
// A message that was received so often, and not deleted, becomes a dead letter.
func declareQueue(d *deployment, component, name string, timeout time.Duration, receives int) (queue, queue) {
	c := d.newComponent("Queue", component)
	defer c.complete()
	physical := d.physical(name)
	dead := declareDeadLetters(c, "dead-letters", physical+"-dead-letters", pulumi.JSONMarshal(map[string]any{
		"redrivePermission": "byQueue",
		"sourceQueueArns":   []string{d.home.arn("sqs", physical)},
	}))
	live := declare(c, "queue", sqs.NewQueue, &sqs.QueueArgs{
		Name:                     pulumi.String(physical),
		VisibilityTimeoutSeconds: seconds(hidden(timeout)),
		SqsManagedSseEnabled:     pulumi.Bool(true),
		RedrivePolicy: pulumi.JSONMarshal(map[string]any{
			"deadLetterTargetArn": dead.arn,
			"maxReceiveCount":     receives,
		}),
	}, c.guard())
	return queue{name: physical, url: live.Url, arn: live.Arn}, dead
}

// hidden is how long a message stays away after it was received: six time-outs, as AWS advises, since Lambda may try a
// throttled batch again before the messages show up once more.
func hidden(timeout time.Duration) time.Duration { return 6 * timeout }

// declareDeadLetters declares a queue whose messages wait for a person.
func declareDeadLetters(c *component, name, physical string, allow pulumi.StringPtrInput) queue {
	q := declare(c, name, sqs.NewQueue, &sqs.QueueArgs{
		Name:                    pulumi.String(physical),
		MessageRetentionSeconds: seconds(deadLetterRetention),
		SqsManagedSseEnabled:    pulumi.Bool(true),
		RedriveAllowPolicy:      allow,
	}, c.guard())
	return queue{name: physical, url: q.Url, arn: q.Arn}
}

// seconds is a duration as AWS wants it.
func seconds(d time.Duration) pulumi.Int { return pulumi.Int(int(d / time.Second)) }
