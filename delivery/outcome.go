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

// Outcome is how a post to one connection ended (delivered, gone, rejected, failed), or a whole message (all seven). Logs and
// traces show these names.
type Outcome string

const (
	// Delivered: API Gateway took the body (2xx).
	Delivered Outcome = "delivered"
	// Gone: the connection no longer exists (410). Not a failure; the connection is pruned.
	Gone Outcome = "gone"
	// Rejected: it can never be delivered. Never retried.
	Rejected Outcome = "rejected"
	// Expired: past ExpiresAt, dropped.
	Expired Outcome = "expired"
	// Offline: the user has no open connection, dropped.
	Offline Outcome = "offline"
	// Repeated: its Id was delivered before, or is being delivered; dropped.
	Repeated Outcome = "duplicate"
	// Failed: it may work later: 429, 403, 5xx, time-out, network; or a 410 that came too early to be believed.
	Failed Outcome = "failed"
)

// trustGoneAfter is how old a connection must be for a 410 to be believed. Before that it may mean "not yet": API Gateway
// holds the upgrade, and answers posts with 410, until the $connect integration has returned, which may take its time-out of
// 29 s; presence records the connection before that. The rest is for clocks that differ.
const trustGoneAfter = 35 * time.Second

// outcomeOf reads a post's error: what became of the post, and a short cause for logs and dead letters. age is how long the
// connection has been open.
//
// Typed errors come first. The status is for answers that do not name their error, such as those of a proxy in between.
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
		// The head of the answer said yes; that its end was lost changes nothing for the client.
		return Delivered, ""
	default:
		return Failed, causeOf(err)
	}
}

// reasonFor is the reason of a dead letter whose post was rejected with this cause.
func reasonFor(cause string) message.Reason {
	if cause == "413" {
		return message.ReasonTooLarge
	}
	return message.ReasonRefused
}

// statusOf is the status of the last answer, 0 if there was none.
func statusOf(err error) int {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.Response != nil {
		return response.HTTPStatusCode()
	}
	return 0
}

// because says what failed and why, in few words. A panic has its own line in the log.
func because(doing string, err error) string {
	if errors.Is(err, errPanic) {
		return err.Error()
	}
	return doing + ": " + causeOf(err)
}

// causeOf says in few words why a call failed. It never takes an error's own text, which may quote addresses and ids at
// length.
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

// named is the error's code after a blank, if the code says anything.
func named(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() != "UnknownError" {
		return " " + api.ErrorCode()
	}
	return ""
}

// worthRetrying reports whether the SDK takes an error for a passing one: some throttles and time-outs come as a 400.
func worthRetrying(err error) bool {
	return retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err) == aws.TrueTernary
}
