// Command hello is the function behind the WebSocket API's route hello, the first frame of a client of heliograph.v1: it tells
// the client about its connection.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"

	"heliograph"
	"heliograph/delivery"
	"heliograph/observability"
)

// environment is the configuration set by the Pulumi program.
type environment struct {
	observability.Settings

	ConnectionsEndpoint string `env:"CONNECTIONS_ENDPOINT,required,notEmpty"` // of the WebSocket API, https://<host>/<stage>
}

func main() {
	observability.Start(heliograph.Hello, build)
}

func build(_ context.Context, cfg aws.Config, env environment) (observability.Handler[event, events.APIGatewayProxyResponse], error) {
	return hello(delivery.NewPoster(delivery.Bounded(cfg), env.ConnectionsEndpoint)), nil
}
