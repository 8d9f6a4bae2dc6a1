package sqs

import (
	"fmt"
	"net/http"

	"heliograph/simulator/wire"
)

// The errors below have AWS's codes, statuses and, where known, wording. Names are those of the JSON protocol;
// QueryCode is the query protocol's equivalent. Source: the service's API reference ("Errors" of each action) and the
// error traits of the SDK's model.

// errInvalid is an invalid parameter without a more specific error.
func errInvalid(format string, args ...any) *wire.Error {
	return &wire.Error{
		Code: "InvalidParameterValueException", QueryCode: "InvalidParameterValue", Prefix: wire.Coral,
		Message: fmt.Sprintf(format, args...),
	}
}

// errValue is a parameter out of range, in AWS's wording.
func errValue(value any, parameter, reason string) *wire.Error {
	return errInvalid("Value %v for parameter %s is invalid. Reason: %s", value, parameter, reason)
}

// errFIFO is a parameter that only FIFO queues have.
func errFIFO(value, parameter string) *wire.Error {
	return errValue(value, parameter, "The request include parameter that is not valid for this queue type.")
}

// errMissing is a missing required parameter. AWS names it as in the query protocol.
func errMissing(parameter string) *wire.Error {
	return &wire.Error{
		Code: "MissingRequiredParameterException", QueryCode: "MissingParameter", Prefix: wire.Coral,
		Message: "The request must contain the parameter " + parameter + ".",
	}
}

// errNoQueue is also the response to a URL that no queue could have, as on AWS.
func errNoQueue() *wire.Error {
	return special("QueueDoesNotExist", "NonExistentQueue", "The specified queue does not exist.")
}

// errNameExists keeps a second program from changing a queue inadvertently.
func errNameExists(attribute string) *wire.Error {
	return &wire.Error{
		Code: "QueueNameExists", QueryCode: "QueueAlreadyExists",
		Message: "A queue already exists with the same name and a different value for attribute " + attribute,
	}
}

// errDeletedRecently covers the minute that AWS needs to forget a queue.
func errDeletedRecently() *wire.Error {
	return special("QueueDeletedRecently", "QueueDeletedRecently",
		"You must wait 60 seconds after deleting a queue before you can create another with the same name.")
}

// errPurgeInProgress covers the minute that AWS needs to purge.
func errPurgeInProgress(name string) *wire.Error {
	e := special("PurgeQueueInProgress", "PurgeQueueInProgress",
		"Only one PurgeQueue operation on "+name+" is allowed every 60 seconds.")
	e.Status = http.StatusForbidden
	return e
}

// errAttributeName is an attribute that neither queues nor messages have.
func errAttributeName(name string) *wire.Error {
	return wire.Errorf("InvalidAttributeName", "Unknown Attribute %s.", name)
}

// errAttributeValue is an invalid attribute value.
func errAttributeValue(name string) *wire.Error {
	return wire.Errorf("InvalidAttributeValue", "Invalid value for the parameter %s.", name)
}

// errHandle is a handle never issued for this queue; to DeleteMessage an outdated one is not an error.
func errHandle(handle string) *wire.Error {
	return &wire.Error{
		Code: "ReceiptHandleIsInvalid", Status: http.StatusNotFound,
		Message: fmt.Sprintf("The input receipt handle %q is not a valid receipt handle.", handle),
	}
}

// errNotInflight is a message that was received and whose visibility time-out is over.
func errNotInflight() *wire.Error {
	return special("MessageNotInflight", "MessageNotInflight", "The specified message isn't in flight.")
}

// errContents is a character outside XML 1.0.
func errContents(r rune) *wire.Error {
	return wire.Errorf("InvalidMessageContents", "Invalid binary character '#x%X' was found in the message body, "+
		"the set of allowed characters is #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF].", r)
}

// errBatchTooLong is a batch whose messages are small enough each, but not together.
func errBatchTooLong(limit, total int) *wire.Error {
	return special("BatchRequestTooLong", "BatchRequestTooLong",
		fmt.Sprintf("Batch requests cannot be longer than %d bytes. You have sent %d bytes.", limit, total))
}

// errOverLimit is for a receive that does not wait; a waiting one returns nothing instead.
func errOverLimit(limit int) *wire.Error {
	return &wire.Error{
		Code: "OverLimit", Status: http.StatusForbidden,
		Message: fmt.Sprintf("The maximum number of in flight messages, %d, is reached.", limit),
	}
}

// errClosed is not an AWS error: it ends pollers, which would otherwise poll a closed server without pause.
func errClosed() *wire.Error {
	return &wire.Error{
		Code: "ServiceUnavailable", Prefix: wire.Coral, Status: http.StatusServiceUnavailable,
		Message: "the simulator is shutting down",
	}
}

// special is an error whose query code is in the namespace AWS.SimpleQueueService.
func special(code, queryCode, message string) *wire.Error {
	return &wire.Error{Code: code, QueryCode: "AWS.SimpleQueueService." + queryCode, Message: message}
}
