package delivery

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// How hard one call is tried within an invocation. Posts, reads and sends take some ten milliseconds; a call that
// takes seconds is stuck, and better retried.
const (
	attemptTimeout = 3 * time.Second
	sdkAttempts    = 3
	firstPause     = 100 * time.Millisecond // doubled per attempt; the actual pause is a random share of it
)

// Poster posts to a connection. The SDK's client implements it.
type Poster interface {
	PostToConnection(context.Context, *apigatewaymanagementapi.PostToConnectionInput, ...func(*apigatewaymanagementapi.Options)) (*apigatewaymanagementapi.PostToConnectionOutput, error)
}

// Queue sends messages to a queue. The SDK's SQS client implements it.
type Queue interface {
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
}

var (
	_ Poster = (*apigatewaymanagementapi.Client)(nil)
	_ Queue  = (*sqs.Client)(nil)
)

// Bounded returns the configuration for the clients of a function that delivers. A call may be tried three times,
// with jitter in between; each attempt has its own time-out, and no pause or attempt outlives the call's context. So
// a hanging call does not use up the time left for the message.
func Bounded(cfg aws.Config) aws.Config {
	cfg = cfg.Copy()
	// net/http's own time-out applies to one attempt. One idle connection is kept for each call that may run in
	// parallel: a post to the gateway, and for each user a claim beside a query for connections; otherwise every
	// burst would begin with handshakes. There are only a few hosts, so their total needs no bound.
	cfg.HTTPClient = awshttp.NewBuildableClient().
		WithTimeout(attemptTimeout).
		WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, max(maxPosts, 2*maxUsers)
		})
	cfg.Retryer = newRetryer
	return cfg
}

// NewPoster returns a client of a WebSocket API's @connections at endpoint, https://<host>/<stage>.
func NewPoster(cfg aws.Config, endpoint string) *apigatewaymanagementapi.Client {
	return apigatewaymanagementapi.NewFromConfig(cfg, func(o *apigatewaymanagementapi.Options) {
		o.BaseEndpoint = &endpoint
		o.APIOptions = append(o.APIOptions, countThrottles)
	})
}

// newRetryer retries throttles, 5xx and network errors. The SDK's own back-off waits up to seconds, while the
// invocation is billed and the user waits: these pauses are short, and the long one is the follow-up's.
func newRetryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = sdkAttempts
		o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) {
			return rand.N(firstPause << min(attempt, sdkAttempts)), nil
		})
		o.Retryables = append(o.Retryables, retry.RetryableHTTPStatusCode{
			Codes: map[int]struct{}{http.StatusTooManyRequests: {}},
		})
	})
}
