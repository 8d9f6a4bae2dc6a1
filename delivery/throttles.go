package delivery

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// throttles counts the 429s of one call. The SDK reports only the last answer, but a 429 followed by a successful
// retry must count as well.
//
// It is a context itself, which costs one allocation for a post instead of two.
type throttles struct {
	context.Context
	met atomic.Int64
}

type throttlesKey struct{}

// withThrottles returns a context in which a call's 429s are counted.
func withThrottles(ctx context.Context) *throttles { return &throttles{Context: ctx} }

// Value returns the innermost throttles, or what the context holds.
func (t *throttles) Value(key any) any {
	if key == (throttlesKey{}) {
		return t
	}
	return t.Context.Value(key)
}

// count returns how many of the answers to a finished call were 429s. err is the call's error, if any.
func (t *throttles) count(err error) int {
	n := int(t.met.Load())
	if n == 0 && err != nil && (statusOf(err) == http.StatusTooManyRequests || errors.As(err, new(*types.LimitExceededException))) {
		return 1 // the Poster does not count
	}
	return n
}

// countThrottles installs the counting middleware in a client. It runs inside the retries, so it sees each answer.
func countThrottles(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("CountThrottles", func(
		ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		response, ok := out.RawResponse.(*smithyhttp.Response)
		if t, counted := ctx.Value(throttlesKey{}).(*throttles); ok && counted && response.StatusCode == http.StatusTooManyRequests {
			t.met.Add(1)
		}
		return out, metadata, err
	}), middleware.Before)
}
