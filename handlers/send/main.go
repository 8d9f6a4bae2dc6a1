// Command send is the function that takes messages off the queue and delivers them.
package main

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"heliograph"
	"heliograph/delivery"
	"heliograph/handlers/internal/topic"
	"heliograph/mailbox"
	"heliograph/observability"
	"heliograph/presence"
)

// environment holds the variables that the Pulumi program sets.
type environment struct {
	observability.Settings

	TableName           string `env:"TABLE_NAME,required,notEmpty"`
	ConnectionsEndpoint string `env:"CONNECTIONS_ENDPOINT,required,notEmpty"` // of the WebSocket API, https://<host>/<stage>
	QueueURL            string `env:"QUEUE_URL,required,notEmpty"`            // source of the events and target of follow-ups
	DeadLetterQueueURL  string `env:"DEAD_LETTER_QUEUE_URL,required,notEmpty"`

	TopicARN          string        `env:"TOPIC_ARN,required,notEmpty"`          // topic for receipts
	IdempotencyWindow time.Duration `env:"IDEMPOTENCY_WINDOW,required,notEmpty"` // how long Ids are remembered
	BroadcastRate     int           `env:"BROADCAST_RATE,required,notEmpty"`     // users per second that a broadcast reaches
}

func main() {
	observability.Start(heliograph.Send, build)
}

func build(_ context.Context, cfg aws.Config, env environment) (observability.Handler[events.SQSEvent, events.SQSEventResponse], error) {
	if err := env.check(); err != nil {
		return nil, err
	}
	cfg = delivery.Bounded(cfg)
	db := dynamodb.NewFromConfig(cfg)
	return send(delivery.New(delivery.Config{
		Presence:           presence.NewStore(db, env.TableName, nil),
		Poster:             delivery.NewPoster(cfg, env.ConnectionsEndpoint),
		Queue:              sqs.NewFromConfig(cfg),
		QueueURL:           env.QueueURL,
		DeadLetterQueueURL: env.DeadLetterQueueURL,
		Claims:             delivery.NewClaims(db, env.TableName, env.IdempotencyWindow),
		Mailbox:            mailbox.NewStore(db, env.TableName, mailbox.Limit{}, nil), // whose limit only readers heed
		Keys:               delivery.NewKeys(db, env.TableName),
		Receipts:           receipts{topic.Topic{Client: sns.NewFromConfig(cfg), ARN: env.TopicARN}},
		BroadcastRate:      env.BroadcastRate,
	})), nil
}

// check rejects malformed addresses at start-up, not on the first message.
func (e environment) check() error {
	for _, v := range []struct{ name, value string }{
		{"CONNECTIONS_ENDPOINT", e.ConnectionsEndpoint}, {"QUEUE_URL", e.QueueURL}, {"DEAD_LETTER_QUEUE_URL", e.DeadLetterQueueURL},
	} {
		if u, err := url.Parse(v.value); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
			return fmt.Errorf("environment variable %q is %q, and not a URL as https://host/path", v.name, v.value)
		}
	}
	return nil
}
