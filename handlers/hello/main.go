// Command hello is the function behind the WebSocket API's route hello, the first frame of a client of heliograph.v1: it tells
// the client about its connection, and sends what it has missed.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"heliograph"
	"heliograph/delivery"
	"heliograph/mailbox"
	"heliograph/observability"
)

// environment is the configuration set by the Pulumi program.
type environment struct {
	observability.Settings

	TableName           string `env:"TABLE_NAME,required,notEmpty"`
	ConnectionsEndpoint string `env:"CONNECTIONS_ENDPOINT,required,notEmpty"` // of the WebSocket API, https://<host>/<stage>

	// The most that a user has in a mailbox.
	KeepMessages int64 `env:"KEEP_MESSAGES,required,notEmpty"`
	KeepBytes    int64 `env:"KEEP_BYTES,required,notEmpty"`
}

func main() {
	observability.Start(heliograph.Hello, build)
}

func build(_ context.Context, cfg aws.Config, env environment) (observability.Handler[event, events.APIGatewayProxyResponse], error) {
	cfg = delivery.Bounded(cfg)
	limit := mailbox.Limit{Messages: env.KeepMessages, Bytes: env.KeepBytes}
	return hello(
		delivery.NewPoster(cfg, env.ConnectionsEndpoint),
		mailbox.NewStore(dynamodb.NewFromConfig(cfg), env.TableName, limit, nil),
	), nil
}
