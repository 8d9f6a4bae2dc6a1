package fault

import (
	"net/http"

	"heliograph/simulator/wire"
)

// availability is the prefix of the throttling errors of AWS's services.
const availability = "com.amazon.coral.availability"

// codes are the errors that each service may return, in its own form. They are the transient ones, which a client must
// handle; errors of invalid calls come from the services themselves.
//
// Sources: DynamoDB's developer guide, "Error handling with DynamoDB"; the "Errors" and "Common Errors" of the API
// references of SQS, SNS, Systems Manager, Lambda (Invoke) and of the API Gateway Management API.
var codes = map[Service]map[string]*wire.Error{
	DynamoDB: byCode(
		&wire.Error{Code: "ProvisionedThroughputExceededException", Message: "The level of configured provisioned throughput for the table was exceeded."},
		&wire.Error{Code: "RequestLimitExceeded", Message: "Throughput exceeds the current throughput limit for your account."},
		&wire.Error{Code: "ThrottlingException", Message: "Throughput exceeds the current capacity of your table or index.", Prefix: availability},
		&wire.Error{Code: "InternalServerError", Message: "The request processing has failed because of an unknown error.", Status: http.StatusInternalServerError},
		&wire.Error{Code: "ServiceUnavailable", Message: "DynamoDB is currently unavailable.", Status: http.StatusServiceUnavailable},
	),
	SQS: byCode(
		&wire.Error{Code: "RequestThrottled", Message: "The request was denied due to request throttling."},
		&wire.Error{Code: "ThrottlingException", Message: "Rate exceeded", Prefix: availability},
		&wire.Error{Code: "InternalFailure", Message: "The request processing has failed because of an unknown error.", Prefix: wire.Coral, Status: http.StatusInternalServerError},
		&wire.Error{Code: "ServiceUnavailable", Message: "The request has failed due to a temporary failure of the server.", Prefix: wire.Coral, Status: http.StatusServiceUnavailable},
	),
	SNS: byCode(
		&wire.Error{Code: "Throttled", Message: "Rate exceeded", Status: http.StatusTooManyRequests},
		&wire.Error{Code: "InternalError", Message: "The request processing has failed because of an unknown error.", Status: http.StatusInternalServerError},
		&wire.Error{Code: "ServiceUnavailable", Message: "The request has failed due to a temporary failure of the server.", Status: http.StatusServiceUnavailable},
	),
	SSM: byCode(
		&wire.Error{Code: "ThrottlingException", Message: "Rate exceeded", Prefix: availability},
		&wire.Error{Code: "InternalServerError", Message: "An error occurred on the server side.", Status: http.StatusInternalServerError},
		&wire.Error{Code: "ServiceUnavailable", Message: "The request has failed due to a temporary failure of the server.", Prefix: wire.Coral, Status: http.StatusServiceUnavailable},
	),
	Connections: byCode(
		&wire.Error{Code: "ForbiddenException", Message: "Forbidden", Status: http.StatusForbidden},
		&wire.Error{Code: "GoneException", Status: http.StatusGone},
		&wire.Error{Code: "LimitExceededException", Message: "Too Many Requests", Status: http.StatusTooManyRequests},
		&wire.Error{Code: "PayloadTooLargeException", Message: "Message too long", Status: http.StatusRequestEntityTooLarge},
		&wire.Error{Code: "InternalServerErrorException", Message: "Internal server error", Status: http.StatusInternalServerError},
		&wire.Error{Code: "ServiceUnavailableException", Message: "Service Unavailable", Status: http.StatusServiceUnavailable},
	),
	Lambda: byCode(
		&wire.Error{Code: "TooManyRequestsException", Message: "Rate Exceeded.", Status: http.StatusTooManyRequests},
		&wire.Error{Code: "EC2ThrottledException", Message: "Lambda was throttled by EC2 while it prepared the function.", Status: http.StatusBadGateway},
		&wire.Error{Code: "ServiceException", Message: "An error occurred and the request cannot be processed.", Status: http.StatusInternalServerError},
	),
}

// unavailable is the error of each service while it is down.
var unavailable = map[Service]string{
	DynamoDB: "ServiceUnavailable", SQS: "ServiceUnavailable", SNS: "ServiceUnavailable", SSM: "ServiceUnavailable",
	Connections: "ServiceUnavailableException", Lambda: "ServiceException",
}

func byCode(errors ...*wire.Error) map[string]*wire.Error {
	m := map[string]*wire.Error{}
	for _, e := range errors {
		m[e.Code] = e
	}
	return m
}

// code is the error code of a rule, empty if it has none.
func (r Rule) code() string {
	if r.Down {
		return unavailable[r.Service]
	}
	return r.Error
}

// answer is a service's error, with a note on its cause.
func answer(s Service, code string) *wire.Error {
	e := *codes[s][code]
	e.Message += " (a fault on purpose)"
	if e.Code == "GoneException" {
		e.Message = "" // API Gateway sends no message
	}
	return &e
}

// knownCodes lists a service's errors, for a message.
func knownCodes(s Service) string {
	if s == Lambda {
		return sorted(codes[s])
	}
	return sorted(codes[s]) + ", and " + NoAnswer + " or " + LostAnswer + " for a connection that breaks off before or after"
}
