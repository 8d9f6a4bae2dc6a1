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

// How hard one call is tried within one invocation. Posts, reads and sends take some ten milliseconds; one that takes
// seconds is stuck, and better tried again.
const (
	attemptTimeout = 3 * time.Second
	sdkAttempts    = 3
	firstPause     = 100 * time.Millisecond // doubled per attempt; a random share of it is waited
)

// Poster posts to one connection. The SDK's client implements it.
type Poster interface {
	PostToConnection(context.Context, *apigatewaymanagementapi.PostToConnectionInput, ...func(*apigatewaymanagementapi.Options)) (*apigatewaymanagementapi.PostToConnectionOutput, error)
}

// Queue sends a message to a queue. The SDK's SQS client implements it.
type Queue interface {
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
}

var (
	_ Poster = (*apigatewaymanagementapi.Client)(nil)
	_ Queue  = (*sqs.Client)(nil)
)

// Bounded is the configuration for the clients of a function that delivers. A call may be tried three times, with jitter in
// between; each attempt has its own time-out, and no pause or attempt outlives the call's context. So a call that hangs does
// not use up the time that is left for the message.
func Bounded(cfg aws.Config) aws.Config {
	cfg = cfg.Copy()
	// net/http's own time-out holds for one attempt. One idle connection is kept for each call that may run at a time: a post to the
	// gateway, and for each user a claim beside a query for connections; otherwise every burst would begin with handshakes.
	// There are only a few hosts, so their total needs no bound.
	cfg.HTTPClient = awshttp.NewBuildableClient().
		WithTimeout(attemptTimeout).
		WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, max(maxPosts, 2*maxUsers)
		})
	cfg.Retryer = newRetryer
	return cfg
}

// NewPoster is the client of a WebSocket API's @connections at endpoint, https://<host>/<stage>.
func NewPoster(cfg aws.Config, endpoint string) *apigatewaymanagementapi.Client {
	return apigatewaymanagementapi.NewFromConfig(cfg, func(o *apigatewaymanagementapi.Options) {
		o.BaseEndpoint = &endpoint
		o.APIOptions = append(o.APIOptions, countThrottles)
	})
}

// newRetryer retries throttles, 5xx and network errors. The SDK's own back-off waits up to seconds, during
// which the invocation is paid for and the user waits: ours is short, and the follow-up is the long one.
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
