// Command send is the function that takes messages off the queue and delivers them.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"heliograph/delivery"
	"heliograph/observability"
	"heliograph/presence"
)

// environment is what the program sets.
type environment struct {
	observability.Settings

	TableName           string `env:"TABLE_NAME,required,notEmpty"`
	ConnectionsEndpoint string `env:"CONNECTIONS_ENDPOINT,required,notEmpty"` // of the WebSocket API, https://<host>/<stage>
	QueueURL            string `env:"QUEUE_URL,required,notEmpty"`            // where the events come from and follow-ups go
	DeadLetterQueueURL  string `env:"DEAD_LETTER_QUEUE_URL,required,notEmpty"`
}

func main() {
	observability.Start("send", build)
}

func build(_ context.Context, cfg aws.Config, env environment) (observability.Handler[events.SQSEvent, events.SQSEventResponse], error) {
	cfg = delivery.Bounded(cfg)
	return send(delivery.New(delivery.Config{
		Presence:           presence.NewStore(dynamodb.NewFromConfig(cfg), env.TableName, nil),
		Poster:             delivery.NewPoster(cfg, env.ConnectionsEndpoint),
		Queue:              sqs.NewFromConfig(cfg),
		QueueURL:           env.QueueURL,
		DeadLetterQueueURL: env.DeadLetterQueueURL,
	})), nil
}
