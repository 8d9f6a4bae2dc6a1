// Command sweep is the function that the schedule runs every minute: it verifies connections whose lease has ended, and
// counts the connections and the users online.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"heliograph"
	"heliograph/observability"
	"heliograph/presence"
)

// environment is the configuration set by the Pulumi program.
type environment struct {
	observability.Settings

	TableName           string        `env:"TABLE_NAME,required,notEmpty"`
	ConnectionsEndpoint string        `env:"CONNECTIONS_ENDPOINT,required,notEmpty"` // of the WebSocket API, https://<host>/<stage>
	ConnectionLease     time.Duration `env:"CONNECTION_LEASE,required,notEmpty"`
	SweepRate           int           `env:"SWEEP_RATE,required,notEmpty"` // calls per second
	ExpiredTokens       expiredTokens `env:"EXPIRED_TOKENS,required,notEmpty"`
}

// expiredTokens is the policy for connections whose token has expired: close or keep.
type expiredTokens string

func (e *expiredTokens) UnmarshalText(text []byte) error {
	*e = expiredTokens(text)
	if *e != "close" && *e != "keep" {
		return fmt.Errorf("%q is neither close nor keep", text)
	}
	return nil
}

func main() {
	observability.Start(heliograph.Sweep, build)
}

func build(_ context.Context, cfg aws.Config, env environment) (observability.Handler[events.EventBridgeEvent, struct{}], error) {
	if env.ConnectionLease <= 0 || env.SweepRate <= 0 {
		return nil, errors.New("CONNECTION_LEASE and SWEEP_RATE must be above 0")
	}
	gateway := apigatewaymanagementapi.NewFromConfig(cfg, func(o *apigatewaymanagementapi.Options) {
		o.BaseEndpoint = &env.ConnectionsEndpoint
		o.Retryer = aws.NopRetryer{} // a retry would bypass the rate, and the next run serves as one
	})
	store := presence.NewStore(dynamodb.NewFromConfig(cfg), env.TableName, nil)
	return sweep(presence.NewSweeper(store, gateway, presence.SweepOptions{
		Lease:       env.ConnectionLease,
		Rate:        env.SweepRate,
		KeepExpired: env.ExpiredTokens == "keep",
	})), nil
}
