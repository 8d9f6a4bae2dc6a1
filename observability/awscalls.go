package observability

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-xray-sdk-go/v2/instrumentation/awsv2"
	"github.com/aws/aws-xray-sdk-go/v2/xray"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// instrument gives every call of the AWS clients that are made from cfg a subsegment, in invocations
// that are traced.
//
// The SDK's own middleware would open subsegments in every invocation: dummies where the trace is not
// sampled, and real ones where we leave the invocation out. So it is taken out of a stack that nobody
// calls, and put behind a gate.
func instrument(cfg *aws.Config) {
	var sdk []func(*middleware.Stack) error
	awsv2.AWSV2Instrumentor(&sdk)
	source := middleware.NewStack("X-Ray", smithyhttp.NewStackRequest)
	for _, add := range sdk {
		_ = add(source) // adding never fails, says the step itself
	}
	cfg.APIOptions = append(cfg.APIOptions, gatedCalls(source.Initialize), gatedAttempts(source.Deserialize))
}

// gatedCalls adds what the SDK put into the first step, where the SDK puts it: innermost.
func gatedCalls(source *middleware.InitializeStep) func(*middleware.Stack) error {
	var gated []middleware.InitializeMiddleware
	for _, id := range source.List() {
		call, _ := source.Get(id)
		gated = append(gated, gatedCall{call})
	}
	return func(stack *middleware.Stack) error {
		for _, call := range gated {
			if err := stack.Initialize.Add(call, middleware.After); err != nil {
				return err
			}
		}
		return nil
	}
}

// gatedAttempts adds what the SDK put into the last step, where the SDK puts it: outermost.
func gatedAttempts(source *middleware.DeserializeStep) func(*middleware.Stack) error {
	var gated []middleware.DeserializeMiddleware
	for _, id := range source.List() {
		attempt, _ := source.Get(id)
		gated = append(gated, gatedAttempt{attempt})
	}
	return func(stack *middleware.Stack) error {
		for _, attempt := range gated {
			if err := stack.Deserialize.Add(attempt, middleware.Before); err != nil {
				return err
			}
		}
		return nil
	}
}

// traced says whether ctx belongs to an invocation whose spans are recorded.
func traced(ctx context.Context) bool {
	inv := from(ctx)
	return inv != nil && inv.root != nil
}

// gatedCall is the middleware around a whole call.
type gatedCall struct {
	middleware.InitializeMiddleware
}

var _ middleware.InitializeMiddleware = gatedCall{}

func (g gatedCall) HandleInitialize(
	ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
) (middleware.InitializeOutput, middleware.Metadata, error) {
	if !traced(ctx) {
		return next.HandleInitialize(ctx, in)
	}
	judged := &judgedCall{next: next}
	out, metadata, err := g.InitializeMiddleware.HandleInitialize(ctx, in, judged)
	if judged.answered != nil {
		err = judged.answered
	}
	return out, metadata, err
}

// gatedAttempt is the middleware around each attempt of a call.
type gatedAttempt struct {
	middleware.DeserializeMiddleware
}

var _ middleware.DeserializeMiddleware = gatedAttempt{}

func (g gatedAttempt) HandleDeserialize(
	ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
) (middleware.DeserializeOutput, middleware.Metadata, error) {
	if !traced(ctx) {
		return next.HandleDeserialize(ctx, in)
	}
	return g.DeserializeMiddleware.HandleDeserialize(ctx, in, next)
}

// judgedCall sees a call's end before the SDK's middleware does, which calls every error a fault, and
// also calls that succeeded after a retry. A 4xx is an answer: a connection that is gone and a condition
// that failed are what Heliograph works with, and would paint its service map red.
type judgedCall struct {
	next     middleware.InitializeHandler
	answered error // the call's error, where the SDK must not see it
}

func (j *judgedCall) HandleInitialize(
	ctx context.Context, in middleware.InitializeInput,
) (middleware.InitializeOutput, middleware.Metadata, error) {
	out, metadata, err := j.next.HandleInitialize(ctx, in)
	seg := xray.GetSegment(ctx)
	if seg == nil || (err != nil && !isAnswer(err)) {
		return out, metadata, err
	}
	if err != nil {
		_ = seg.AddError(err) // never fails; it marks a fault, which is put right below
	}
	seg.Lock()
	defer seg.Unlock()
	seg.Fault, seg.Error = false, err != nil
	j.answered = err
	return out, metadata, nil
}

// isAnswer says whether the service refused, and did not fail.
func isAnswer(err error) bool {
	response, ok := errors.AsType[*smithyhttp.ResponseError](err)
	return ok && response.HTTPStatusCode() >= 400 && response.HTTPStatusCode() < 500
}
