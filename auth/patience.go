package auth

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
)

const (
	// firstBackoff and lastBackoff bound the pause before a throttled request is repeated, the first time and in the end.
	// SSM answers 40 GetParameter a second of a whole account by default. With pauses of half a second on average, 20
	// authorizers use all of that, and the last of a storm waits a second at the most.
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = time.Second
	// callTimeout bounds one request of a first read, so that a source that does not answer keeps clients waiting for no
	// longer than it takes to open a connection during a cold start.
	callTimeout = 3 * time.Second
	// answerMargin is the part of an invocation that no read may use: it is for the error's log line and metrics, which
	// are written half a second before the deadline, and for an answer other than Lambda's kill.
	answerMargin = time.Second
)

// asking is how a source's requests are made: once or patiently.
type asking func(ctx context.Context, request func(context.Context) error) error

// once makes a request once. Authorizers that have keys ask like this, and so leave what the source can answer to those
// that have none.
func once(ctx context.Context, request func(context.Context) error) error { return request(ctx) }

// patiently repeats a request that is throttled until the context ends. The pauses have full jitter: authorizers that
// started together would otherwise also return together.
func patiently(ctx context.Context, request func(context.Context) error) error {
	var busy error // how the source throttled the request last
	for most := firstBackoff; ; most = min(2*most, lastBackoff) {
		err := bounded(ctx, request)
		switch {
		case err != nil && ctx.Err() != nil && busy != nil:
			return busy // rather than that the time has run out
		case !throttled(err):
			return err
		}
		busy = err
		select {
		case <-ctx.Done():
			return busy
		case <-time.After(rand.N(most)):
		}
	}
}

// bounded makes a request, within callTimeout.
func bounded(ctx context.Context, request func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return request(ctx)
}

// throttled reports whether a source would have answered at a quieter moment.
func throttled(err error) bool {
	if failure, ok := errors.AsType[smithy.APIError](err); ok {
		if _, known := retry.DefaultThrottleErrorCodes[failure.ErrorCode()]; known {
			return true
		}
	}
	answer, ok := errors.AsType[interface {
		error
		HTTPStatusCode() int
	}](err)
	return ok && (answer.HTTPStatusCode() == http.StatusTooManyRequests || answer.HTTPStatusCode() == http.StatusServiceUnavailable)
}

// impatient is the SDK's retryer, except that it returns a throttled request at once: its own pauses grow to seconds, and
// it can't know whether there are keys to fall back on.
func impatient() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.Retryables = slices.Insert(o.Retryables, 0, retry.IsErrorRetryable(retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
			if throttled(err) {
				return aws.FalseTernary
			}
			return aws.UnknownTernary
		})))
	})
}

// within bounds a read by a limit and by the invocation's deadline.
func within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	end := time.Now().Add(limit)
	if deadline, ok := ctx.Deadline(); ok && deadline.Add(-answerMargin).Before(end) {
		end = deadline.Add(-answerMargin)
	}
	return context.WithDeadline(ctx, end)
}
