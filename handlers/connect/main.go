// Command connect is the function behind the WebSocket API's $connect: it records new connections.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"heliograph"
	"heliograph/observability"
	"heliograph/presence"
)

// environment is the configuration set by the Pulumi program.
type environment struct {
	observability.Settings

	TableName      string `env:"TABLE_NAME,required,notEmpty"`
	MaxConnections int    `env:"MAX_CONNECTIONS_PER_USER,required,notEmpty"`
}

func main() {
	observability.Start(heliograph.Connect, build)
}

func build(_ context.Context, cfg aws.Config, env environment) (observability.Handler[event, events.APIGatewayProxyResponse], error) {
	return connect(presence.NewStore(dynamodb.NewFromConfig(cfg), env.TableName, nil).LimitConnections(env.MaxConnections)), nil
}
