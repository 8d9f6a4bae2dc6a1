// Package wire implements the protocols of the simulated AWS services: it accepts signed requests in AWS's JSON, CBOR
// and query protocols, passes the decoded input to the requested action, and writes the result, or the error, in the
// form that the AWS SDKs and the AWS CLI expect.
//
// A service is a value, Service, with its actions made by Do from typed functions. An Endpoint serves
// any number of services on one address, as the standard AWS_ENDPOINT_URL expects.
//
// It is stricter than AWS: a request member that an action does not know, that differs in case or that is duplicated is
// an error that names it, and so is a value that breaks a rule of AWS's own model of the service. It is laxer in one
// point: a request must be signed by Signature Version 4, and its access key id counts, but the signature itself is not
// verified, since there is no secret here that would make checking it worthwhile.
package wire

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
)

// Error is an error as returned by an AWS service.
type Error struct {
	// Code is the error's name, such as "ResourceNotFoundException".
	Code string
	// Message says what is wrong.
	Message string
	// Status is the HTTP status; 0 means 400.
	Status int
	// QueryCode is the query protocol's code if it differs from Code (SQS: "AWS.SimpleQueueService.NonExistentQueue");
	// empty means Code.
	QueryCode string
	// Prefix replaces the service's ErrorPrefix, for errors common to all of AWS.
	Prefix string
	// Fields are additional members of the JSON body, such as "Item" of ConditionalCheckFailedException.
	Fields map[string]any
}

// Coral is the Prefix of the errors that all services share, such as AccessDeniedException.
const Coral = "com.amazon.coral.service"

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// HTTPStatus returns the HTTP status of the response.
func (e *Error) HTTPStatus() int {
	if e.Status == 0 {
		return http.StatusBadRequest
	}
	return e.Status
}

// QueryName returns the code for the query protocol, and for the entries of batches.
func (e *Error) QueryName() string {
	if e.QueryCode == "" {
		return e.Code
	}
	return e.QueryCode
}

// fault reports whose fault it is, in the terms of AWS's error shapes.
func (e *Error) fault() string {
	if e.HTTPStatus() >= http.StatusInternalServerError {
		return "Receiver"
	}
	return "Sender"
}

// Errorf makes an Error with status 400.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// AccessDenied is the response to a call that its caller's policies do not allow, in the form of the call's service.
// message is AWS's sentence, "User: … is not authorized to perform: …".
func AccessDenied(call Call, message string) *Error {
	switch call.Service {
	case "sns":
		return &Error{Code: "AuthorizationError", Message: message, Status: http.StatusForbidden}
	case "execute-api":
		return &Error{Code: "AccessDeniedException", Message: message, Status: http.StatusForbidden}
	case "sqs":
		return &Error{Code: "AccessDeniedException", QueryCode: "AccessDenied", Prefix: Coral, Message: message, Status: http.StatusForbidden}
	default:
		return &Error{Code: "AccessDeniedException", Prefix: Coral, Message: message}
	}
}

// UnknownKey is the response to a call that is signed with an access key of nobody's.
func UnknownKey(call Call) *Error {
	e := &Error{
		Code: "UnrecognizedClientException", QueryCode: "InvalidClientTokenId", Prefix: Coral,
		Message: "The security token included in the request is invalid. (Only the access key of this run is taken.)",
	}
	switch call.Service {
	case "sns", "monitoring":
		e.Code, e.Prefix, e.Status = e.QueryCode, "", http.StatusForbidden
	case "sqs", "execute-api":
		e.Status = http.StatusForbidden
	}
	return e
}

// AsError converts any error to a service's form: any other error than an *Error is a fault of the simulator.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Code: "InternalFailure", Prefix: Coral, Message: err.Error(), Status: http.StatusInternalServerError}
}

// Call is one API call as the endpoint knows it before carrying it out.
type Call struct {
	// Service is the service's signing name: "dynamodb", "sqs", "sns", "ssm".
	Service string
	// Action is the API action, such as "PutItem".
	Action string
	// Permission is what a policy must allow, such as "dynamodb:PutItem"; a batch action often needs the permission of
	// its single counterpart.
	Permission string
	// AccessKey is the access key id that signed the request.
	AccessKey string
	// Region is the Region for which the request was signed.
	Region string
	// Resources are the ARNs that the call touches, as IAM would check them; "*" if AWS checks against none.
	Resources []string
	// Values are what the call has for conditions of policies, by condition key.
	Values map[string][]string
}

type callKey struct{}

// CallOf returns the call that an action is carrying out, the zero Call outside of one.
func CallOf(ctx context.Context) Call {
	call, _ := ctx.Value(callKey{}).(Call)
	return call
}

// Action is one API action of a service. Make it with Do.
type Action struct {
	decodeJSON  func(body []byte, shape *Shape) (any, error)
	decodeQuery func(form map[string][]string, shape *Shape) (any, error)
	input       reflect.Type
	output      reflect.Type
	resources   func(in any) []string
	values      func(in any) map[string][]string // for conditions of policies; nil: none
	do          func(ctx context.Context, in any) (any, error)
	permission  string // without the service; empty means the action's name
}

// Needs sets a permission that differs from the action's name, as AWS has for batch actions: SendMessageBatch needs
// "SendMessage".
func (a Action) Needs(permission string) Action {
	a.permission = permission
	return a
}

// Types returns the Go types of the action's input and output.
func (a Action) Types() (input, output reflect.Type) { return a.input, a.output }

// Under gives the action values for the conditions of policies, by condition key.
func Under[In any](a Action, values func(*In) map[string][]string) Action {
	a.values = func(in any) map[string][]string { return values(in.(*In)) }
	return a
}

// Do makes an Action from a typed function. resources names the ARNs that a call touches, for IAM.
//
// In and Out are structs whose field names are the API's member names; a json tag sets another name, or omitempty, as
// for encoding/json. For the query protocol, lists are encoded as Field.member.1 and maps as Field.entry.1.key and
// .value, unless a field tag says otherwise:
//
//	`query:"AttributeName"`     a list or map flattened under that name: AttributeName.1; of a
//	                            map, Attribute.1.Name and Attribute.1.Value
//	`query:"Tag,Key,Value"`     the same, with other names for a map's keys and values
//	`query:",Name,Value"`       Field.entry.1.Name, not flattened
func Do[In, Out any](do func(context.Context, *In) (*Out, error), resources func(*In) []string) Action {
	return Action{
		decodeJSON: func(body []byte, shape *Shape) (any, error) {
			in := new(In)
			return in, decodeJSON(body, in, shape)
		},
		decodeQuery: func(form map[string][]string, shape *Shape) (any, error) {
			in := new(In)
			return in, decodeQuery(form, in, shape)
		},
		input: reflect.TypeFor[In](), output: reflect.TypeFor[Out](),
		resources: func(in any) []string { return resources(in.(*In)) },
		do:        func(ctx context.Context, in any) (any, error) { return do(ctx, in.(*In)) },
	}
}

// Service is one AWS service: its protocol and its actions.
type Service struct {
	// Name is the signing name: "dynamodb", "sqs", "sns", "ssm", "monitoring".
	Name string
	// Permissions is the service's name in policies: "cloudwatch". Empty: its Name.
	Permissions string
	// CBOR also serves Smithy's RPC protocol in CBOR, under the TargetPrefix.
	CBOR bool
	// TargetPrefix is the part of X-Amz-Target before the dot: "DynamoDB_20120810", "AmazonSQS", "AmazonSSM". Empty if
	// the service has no JSON protocol.
	TargetPrefix string
	// JSONVersion is "1.0" or "1.1".
	JSONVersion string
	// ErrorPrefix is the part before the # in the __type of an error's JSON, such as
	// "com.amazonaws.dynamodb.v20120810". Empty: the code alone.
	ErrorPrefix string
	// QueryNamespace is the XML namespace of the query protocol's responses, such as
	// "http://queue.amazonaws.com/doc/2012-11-05/". Empty if the service has no query protocol.
	QueryNamespace string
	// QueryVersion is the API version that query requests name, such as "2012-11-05".
	QueryVersion string
	// Model describes the actions' inputs, and is enforced before an action is carried out. nil: no rules.
	Model *Model
	// Actions are the API actions by name; any other is refused with an error that names it.
	Actions map[string]Action
}
