// Command disconnect is the function behind the WebSocket API's $disconnect: it removes a connection.
package main

import (
	"context"
	"time"

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

	TableName string `env:"TABLE_NAME,required,notEmpty"`
}

func main() {
	observability.Start(heliograph.Disconnect, build)
}

func build(_ context.Context, cfg aws.Config, env environment) (observability.Handler[event, events.APIGatewayProxyResponse], error) {
	return disconnect(presence.NewStore(dynamodb.NewFromConfig(cfg), env.TableName, nil), time.Now), nil
}
