package observability

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-xray-sdk-go/v2/instrumentation/awsv2"
	"github.com/aws/aws-xray-sdk-go/v2/xray"
	"github.com/aws/smithy-go"
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

// traced reports whether ctx belongs to an invocation whose spans are recorded.
func traced(ctx context.Context) bool {
	inv := from(ctx)
	return inv != nil && inv.trace != nil
}

// gatedCall is the middleware around a whole call.
type gatedCall struct {
	middleware.InitializeMiddleware
}

var _ middleware.InitializeMiddleware = gatedCall{}

func (g gatedCall) HandleInitialize(
	ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
) (middleware.InitializeOutput, middleware.Metadata, error) {
	inv := from(ctx)
	if inv == nil {
		return next.HandleInitialize(ctx, in)
	}
	name := awsmiddleware.GetServiceID(ctx) + "." + awsmiddleware.GetOperationName(ctx)
	place := inv.enter(name)
	defer inv.leave(place)
	switch {
	case inv.trace == nil:
		return next.HandleInitialize(ctx, in)
	case !inv.withinBudget():
		start := time.Now()
		out, metadata, err := next.HandleInitialize(ctx, in)
		inv.sum(name, time.Since(start), err)
		return out, metadata, err
	}
	judged := &judgedCall{next: next, trace: inv.trace, above: xray.GetSegment(ctx)}
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
// also calls that succeeded after a retry. A 4xx is a refusal, an error; a condition that failed and a connection that is
// gone are answers that Heliograph works with, and no errors at all: they would paint its service map red.
type judgedCall struct {
	next     middleware.InitializeHandler
	trace    trace
	above    *xray.Segment
	answered error // the call's error, where the SDK must not see it
}

func (j *judgedCall) HandleInitialize(
	ctx context.Context, in middleware.InitializeInput,
) (middleware.InitializeOutput, middleware.Metadata, error) {
	seg := xray.GetSegment(ctx)
	if x, ok := j.trace.(*xrayTrace); ok {
		x.keep(seg, j.above)
	}
	out, metadata, err := j.next.HandleInitialize(ctx, in)
	if seg == nil {
		return out, metadata, err
	}
	code := errorCode(err)
	expected := slices.Contains(expectedCodes, code) || onlyConditionsFailed(err)
	if err != nil && !expected {
		_ = seg.AddError(err) // never fails; what it marks as a fault is put right below
	}
	seg.Lock()
	defer seg.Unlock()
	describeCall(seg.GetAWS(), in.Parameters, metadata)
	if err != nil {
		seg.GetAWS()["error_code"] = code
	}
	throttled := throttles.IsErrorThrottle(err) == aws.TrueTernary
	seg.Throttle = throttled
	seg.Error = err != nil && !expected && (throttled || isRefusal(err))
	seg.Fault = err != nil && !expected && !seg.Error
	j.answered = err
	return out, metadata, nil
}

// throttles knows all codes by which AWS's services say "slow down": DynamoDB's come with status 400.
var throttles = retry.IsErrorThrottles(append([]retry.IsErrorThrottle{retry.IsErrorThrottleFunc(tooManyRequests)}, retry.DefaultThrottles...))

func tooManyRequests(err error) aws.Ternary {
	if response, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && response.HTTPStatusCode() == http.StatusTooManyRequests {
		return aws.TrueTernary
	}
	return aws.UnknownTernary // others may know
}

// expectedCodes are answers, not failures.
var expectedCodes = []string{"ConditionalCheckFailedException", "GoneException"}

func errorCode(err error) string {
	if coded, ok := errors.AsType[smithy.APIError](err); ok {
		return coded.ErrorCode()
	}
	return ""
}

// onlyConditionsFailed reports whether a transaction was cancelled for nothing but conditions that failed.
func onlyConditionsFailed(err error) bool {
	reasons := fieldNamed(err, "CancellationReasons")
	if reasons.Kind() != reflect.Slice {
		return false
	}
	for i := range reasons.Len() {
		code, _ := reasons.Index(i).FieldByName("Code").Interface().(*string)
		if code == nil || (*code != "None" && *code != "ConditionalCheckFailed") {
			return false
		}
	}
	return reasons.Len() > 0
}

// fieldNamed is the field of the first error in a chain that has it, so that this package need not import DynamoDB's.
func fieldNamed(err error, name string) reflect.Value {
	for ; err != nil; err = errors.Unwrap(err) {
		if v := reflect.Indirect(reflect.ValueOf(err)); v.Kind() == reflect.Struct {
			if f := v.FieldByName(name); f.IsValid() {
				return f
			}
		}
	}
	return reflect.Value{}
}

// callParameters are the parameters that say what a call is about, as X-Ray names them.
var callParameters = map[string]string{"TableName": "table_name", "QueueUrl": "queue_url", "TopicArn": "topic_arn", "ConnectionId": "connection_id", "Name": "parameter_name"}

// describeCall notes on which table, queue, topic or parameter a call works, and how often it was tried again.
func describeCall(into map[string]any, parameters any, metadata middleware.Metadata) {
	v := reflect.Indirect(reflect.ValueOf(parameters))
	if v.Kind() != reflect.Struct {
		return
	}
	for field, key := range callParameters {
		if f := v.FieldByName(field); f.IsValid() {
			if text, ok := f.Interface().(*string); ok && text != nil {
				into[key] = *text
			}
		}
	}
	if tables := v.FieldByName("RequestItems"); tables.Kind() == reflect.Map {
		var names []string
		for _, key := range tables.MapKeys() {
			names = append(names, key.String())
		}
		slices.Sort(names)
		into["table_names"] = names
	}
	if attempts, ok := retry.GetAttemptResults(metadata); ok && len(attempts.Results) > 1 {
		into["retries"] = len(attempts.Results) - 1
	}
}

// isRefusal reports whether the service refused, and did not fail.
func isRefusal(err error) bool {
	response, ok := errors.AsType[*smithyhttp.ResponseError](err)
	return ok && response.HTTPStatusCode() >= 400 && response.HTTPStatusCode() < 500
}
