package delivery

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"heliograph/message"
)

// Outcome is how a post to one connection ended (delivered, gone, rejected, failed), or a whole message (any of the
// eight). Logs and traces show these names.
type Outcome string

const (
	// Delivered: API Gateway accepted the body (2xx).
	Delivered Outcome = "delivered"
	// Gone: the connection no longer exists (410). Not a failure; the connection is pruned.
	Gone Outcome = "gone"
	// Rejected: it can never be delivered and is not retried.
	Rejected Outcome = "rejected"
	// Expired: past ExpiresAt, dropped.
	Expired Outcome = "expired"
	// Offline: the user has no open connection, dropped.
	Offline Outcome = "offline"
	// Kept: no recipient has an open connection, but the message is kept.
	Kept Outcome = "kept"
	// Repeated: its Id was delivered before, or is being delivered; dropped.
	Repeated Outcome = "duplicate"
	// Failed: a retry may succeed: 429, 403, 5xx, time-out, network; or a 410 too early to be trusted.
	Failed Outcome = "failed"
)

// trustGoneAfter is the age from which a connection's 410 is trusted. Before that it may mean "not yet": API Gateway
// holds the upgrade, and answers posts with 410, until the $connect integration has returned, which may take up to
// its time-out of 29 s; presence records the connection before that. The rest allows for clock skew.
const trustGoneAfter = 35 * time.Second

// outcomeOf interprets a post's error: it returns the outcome, and a short cause for logs and dead letters. age is
// how long the connection has been open.
//
// Typed errors come first. The status is for answers without an error type, such as those of a proxy in between.
func outcomeOf(err error, age time.Duration) (Outcome, string) {
	if err == nil {
		return Delivered, ""
	}
	var gone *types.GoneException
	var tooLarge *types.PayloadTooLargeException
	status := statusOf(err)
	switch {
	case errors.As(err, &gone), status == http.StatusGone:
		if age > trustGoneAfter {
			return Gone, "gone"
		}
		return Failed, "410 on a connection of " + age.Truncate(time.Second).String()
	case errors.As(err, &tooLarge), status == http.StatusRequestEntityTooLarge:
		return Rejected, "413"
	case status == http.StatusBadRequest && !worthRetrying(err):
		return Rejected, "400"
	case status/100 == 2:
		// The status line reported success; the lost end of the response makes no difference to the client.
		return Delivered, ""
	default:
		return Failed, causeOf(err)
	}
}

// reasonFor returns the dead letter's reason for a post rejected with this cause.
func reasonFor(cause string) message.Reason {
	if cause == "413" {
		return message.ReasonTooLarge
	}
	return message.ReasonRefused
}

// statusOf returns the status of the last answer, 0 if there was none.
func statusOf(err error) int {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.Response != nil {
		return response.HTTPStatusCode()
	}
	return 0
}

// because describes briefly what failed and why. A panic has its own line in the log.
func because(doing string, err error) string {
	if errors.Is(err, errPanic) {
		return err.Error()
	}
	return doing + ": " + causeOf(err)
}

// causeOf describes briefly why a call failed. It never uses the error's own text, which may quote addresses and ids
// at length.
func causeOf(err error) string {
	status := statusOf(err)
	var limited *types.LimitExceededException
	var forbidden *types.ForbiddenException
	var network net.Error
	switch {
	case errors.As(err, &limited):
		return "429 LimitExceededException"
	case errors.As(err, &forbidden):
		return "403 ForbiddenException"
	case status != 0:
		return strconv.Itoa(status) + named(err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "time-out"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.As(err, &network):
		return "network"
	default:
		return "no answer"
	}
}

// named returns the error's code after a space, if the code means anything.
func named(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() != "UnknownError" {
		return " " + api.ErrorCode()
	}
	return ""
}

// worthRetrying reports whether the SDK considers an error transient: some throttles and time-outs arrive as a 400.
func worthRetrying(err error) bool {
	return retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err) == aws.TrueTernary
}
