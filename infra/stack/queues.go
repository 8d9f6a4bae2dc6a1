package stack

import (
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sqs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph"
)

// deadLetterRetention is the longest that SQS offers: after a long weekend, all is still there.
const deadLetterRetention = 14 * 24 * time.Hour

// maxReceiveCount guards against crashes alone: the functions do their own retries and write to the dead-letter queue
// themselves. A batch can be received several times through no fault of a message, so the limit is generous. Notes in
// the grace queue that announce can't publish stay there and are redelivered for as long as a record of the stream.
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

// declareQueues declares all queues. Notes in the grace queue are redelivered for as long as the stream retries a
// record, so that users who go offline are announced as reliably as those who come online.
func declareQueues(d *deployment) queues {
	var q queues
	q.send, q.sendDeadLetters = declareQueue(d, "messages", "send", hidden(timeouts[heliograph.Send])+d.sendWindow(), maxReceiveCount)
	q.grace, q.graceDeadLetters = declareQueue(d, "grace", "grace", hidden(timeouts[heliograph.Announce]), int(streamPatience/hidden(timeouts[heliograph.Announce])))

	c := d.newComponent("Queue", "stream")
	defer c.complete()
	q.streamFailures = declareDeadLetters(c, "failures", d.physical("stream-failures"), nil)
	return q
}

// declareQueue declares a queue and its dead-letter queue. A received message is hidden for the given time; one received
// that many times without being deleted becomes a dead letter.
func declareQueue(d *deployment, component, name string, hidden time.Duration, receives int) (queue, queue) {
	c := d.newComponent("Queue", component)
	defer c.complete()
	physical := d.physical(name)
	dead := declareDeadLetters(c, "dead-letters", physical+"-dead-letters", pulumi.JSONMarshal(map[string]any{
		"redrivePermission": "byQueue",
		"sourceQueueArns":   []string{d.home.arn("sqs", physical)},
	}))
	live := declare(c, "queue", sqs.NewQueue, &sqs.QueueArgs{
		Name:                     pulumi.String(physical),
		MaxMessageSize:           pulumi.Int(heliograph.MaxQueued),
		VisibilityTimeoutSeconds: seconds(hidden),
		SqsManagedSseEnabled:     pulumi.Bool(true),
		RedrivePolicy: pulumi.JSONMarshal(map[string]any{
			"deadLetterTargetArn": dead.arn,
			"maxReceiveCount":     receives,
		}),
	}, c.guard())
	return queue{name: physical, url: live.Url, arn: live.Arn}, dead
}

// hidden is how long a received message stays invisible: six timeouts, as AWS advises, since Lambda may retry a
// throttled batch before its messages become visible again.
func hidden(timeout time.Duration) time.Duration { return 6 * timeout }

// declareDeadLetters declares a queue whose messages wait for a person.
func declareDeadLetters(c *component, name, physical string, allow pulumi.StringPtrInput) queue {
	q := declare(c, name, sqs.NewQueue, &sqs.QueueArgs{
		Name:                    pulumi.String(physical),
		MaxMessageSize:          pulumi.Int(heliograph.MaxQueued),
		MessageRetentionSeconds: seconds(deadLetterRetention),
		SqsManagedSseEnabled:    pulumi.Bool(true),
		RedriveAllowPolicy:      allow,
	}, c.guard())
	return queue{name: physical, url: q.Url, arn: q.Arn}
}

// seconds converts a duration to AWS's whole seconds.
func seconds(d time.Duration) pulumi.Int { return pulumi.Int(int(d / time.Second)) }
