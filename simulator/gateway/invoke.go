package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// An invocation fails in one of these ways; the gateway chooses its answer accordingly.
var (
	errNotPermitted = errors.New("API Gateway has no permission to invoke the function")
	errTimedOut     = errors.New("the function did not answer in time")
)

// functionError is the function's own failure, with its errorMessage.
type functionError struct{ message string }

func (e functionError) Error() string { return "the function failed: " + e.message }

// invoke runs a function on behalf of the route or authorizer that sourceARN names.
func (g *Gateway) invoke(ctx context.Context, sourceARN, functionARN string, event any, timeout time.Duration) ([]byte, error) {
	if g.options.Permitted != nil && !g.options.Permitted(sourceARN, functionARN) {
		return nil, fmt.Errorf("%w %s from %s", errNotPermitted, functionARN, sourceARN)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errTimedOut)
	defer cancel()
	answer, err := g.options.Invoke(ctx, functionARN, encode(event))
	if err == nil {
		return answer, nil
	}
	var failed interface{ ErrorMessage() string }
	switch {
	case errors.As(err, &failed):
		return nil, functionError{failed.ErrorMessage()}
	case errors.Is(context.Cause(ctx), errTimedOut):
		return nil, errTimedOut
	}
	return nil, err
}
