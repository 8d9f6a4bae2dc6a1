// Command announce is the function that announces users' coming and going to other systems: from the table's stream,
// and from the queue in which it leaves itself a note for the end of each grace period.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"heliograph"
	"heliograph/handlers/internal/topic"
	"heliograph/observability"
	"heliograph/presence"
)

// environment is the configuration set by the Pulumi program.
type environment struct {
	observability.Settings

	TableName     string        `env:"TABLE_NAME,required,notEmpty"`
	TopicARN      string        `env:"TOPIC_ARN,required,notEmpty"`
	GraceQueueURL string        `env:"GRACE_QUEUE_URL,required,notEmpty"`
	FailuresURL   string        `env:"STREAM_FAILURES_QUEUE_URL,required,notEmpty"`
	PresenceGrace time.Duration `env:"PRESENCE_GRACE,required,notEmpty"`
}

// maxGrace is the longest delay of an SQS message.
const maxGrace = 15 * time.Minute

func main() {
	observability.Start(heliograph.Announce, build)
}

func build(_ context.Context, cfg aws.Config, env environment) (observability.Handler[json.RawMessage, response], error) {
	if env.PresenceGrace < 0 || env.PresenceGrace > maxGrace {
		return nil, fmt.Errorf("PRESENCE_GRACE is %v, and not from 0 to %v", env.PresenceGrace, maxGrace)
	}
	queues := sqs.NewFromConfig(cfg)
	return announce(presence.NewAnnouncer(
		presence.NewStore(dynamodb.NewFromConfig(cfg), env.TableName, nil),
		changes{topic.Topic{Client: sns.NewFromConfig(cfg), ARN: env.TopicARN}},
		graceQueue{client: queues, url: env.GraceQueueURL, grace: env.PresenceGrace},
	), failureQueue{client: queues, url: env.FailuresURL}), nil
}
