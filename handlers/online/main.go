// Command online is the function behind GET /user/online: it reports who is online.
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

	TableName   string `env:"TABLE_NAME,required,notEmpty"`
	OnlineQuery string `env:"ONLINE_QUERY,required,notEmpty"` // heliograph.Anyone, Claim or Own
}

func main() {
	observability.Start(heliograph.Online, build)
}

func build(_ context.Context, cfg aws.Config, env environment) (observability.Handler[event, events.APIGatewayV2HTTPResponse], error) {
	return online(presence.NewStore(dynamodb.NewFromConfig(cfg), env.TableName, nil), env.OnlineQuery), nil
}
