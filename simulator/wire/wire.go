// Package wire is how the simulated AWS services speak: it takes signed requests of AWS's JSON,
// CBOR and query protocols, hands the decoded input to the action that was asked for, and writes the result, or
// the error, in the shape that the AWS SDKs and the AWS CLI expect.
//
// A service is a value, Service, with its actions made by Do from typed functions. An Endpoint serves
// any number of services on one address, as the standard AWS_ENDPOINT_URL expects.
//
// It is stricter than AWS: a member of a request that an action does not know, that is spelled in
// another case or that stands twice is an error that names it, and so is a value that breaks a rule of AWS's own model of
// the service. It is laxer in one point: a request must be
// signed by Signature Version 4, and its access key id counts, but the signature itself is not verified,
// since there is no secret here that would make checking it worthwhile.
package wire

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
)

// Error is an error as an AWS service answers it.
type Error struct {
	// Code is the error's name, such as "ResourceNotFoundException".
	Code string
	// Message says what is wrong.
	Message string
	// Status is the HTTP status; 0 means 400.
	Status int
	// QueryCode is the code that the query protocol uses where it differs from Code
	// (SQS: "AWS.SimpleQueueService.NonExistentQueue"); empty means Code.
	QueryCode string
	// Prefix replaces the service's ErrorPrefix, for errors that are AWS's own and not the service's.
	Prefix string
	// Fields are further members of the JSON body, such as "Item" of ConditionalCheckFailedException.
	Fields map[string]any
}

// Coral is the Prefix of the errors that all services share, such as AccessDeniedException.
const Coral = "com.amazon.coral.service"

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// HTTPStatus is the status that the error is answered with.
func (e *Error) HTTPStatus() int {
	if e.Status == 0 {
		return http.StatusBadRequest
	}
	return e.Status
}

// QueryName is the code in the query protocol, and in the entries of batches.
func (e *Error) QueryName() string {
	if e.QueryCode == "" {
		return e.Code
	}
	return e.QueryCode
}

// fault says whose error it is, in the words of AWS's error shapes.
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

// AccessDenied is the answer to a call that its caller's policies do not allow, in the shape of the
// call's service. message is the sentence that AWS gives, "User: … is not authorized to perform: …".
func AccessDenied(call Call, message string) *Error {
	switch call.Service {
	case "sns":
		return &Error{Code: "AuthorizationError", Message: message, Status: http.StatusForbidden}
	case "sqs":
		return &Error{Code: "AccessDeniedException", QueryCode: "AccessDenied", Prefix: Coral, Message: message, Status: http.StatusForbidden}
	default:
		return &Error{Code: "AccessDeniedException", Prefix: Coral, Message: message}
	}
}

// AsError gives any error the shape of a service's: what is no Error yet is a fault of the simulator.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Code: "InternalFailure", Prefix: Coral, Message: err.Error(), Status: http.StatusInternalServerError}
}

// Call is one API call as the endpoint sees it before it is carried out.
type Call struct {
	// Service is the service's signing name: "dynamodb", "sqs", "sns", "ssm".
	Service string
	// Action is the API action, such as "PutItem".
	Action string
	// Permission is what a policy must allow, such as "dynamodb:PutItem"; the permission of a batch
	// action is often that of its single one.
	Permission string
	// AccessKey is the access key id that signed the request.
	AccessKey string
	// Region is the Region that the request was signed for.
	Region string
	// Resources are the ARNs that the call touches, as IAM would check them; "*" where AWS checks
	// against none.
	Resources []string
	// Values are what the call has for conditions of policies, by condition key.
	Values map[string][]string
}

type callKey struct{}

// CallOf is the call that an action is carrying out, the zero Call outside of one.
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

// Needs gives the action another permission than its own name, which AWS does for batch actions:
// SendMessageBatch needs "SendMessage".
func (a Action) Needs(permission string) Action {
	a.permission = permission
	return a
}

// Types are the Go types of the action's input and output.
func (a Action) Types() (input, output reflect.Type) { return a.input, a.output }

// Under gives the action values for the conditions of policies, by condition key.
func Under[In any](a Action, values func(*In) map[string][]string) Action {
	a.values = func(in any) map[string][]string { return values(in.(*In)) }
	return a
}

// Do makes an Action from a typed function. resources names the ARNs that a call touches, for IAM.
//
// In and Out are structs whose field names are the API's member names; a json tag gives another name,
// or omitempty, as for encoding/json. For the query protocol, lists are read and written as
// Field.member.1 and maps as Field.entry.1.key and .value, unless a field tag says otherwise:
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
	// Permissions is what policies call the service: "cloudwatch". Empty: its Name.
	Permissions string
	// CBOR serves Smithy's RPC protocol in CBOR, too, under the TargetPrefix.
	CBOR bool
	// TargetPrefix is what stands before the dot in X-Amz-Target: "DynamoDB_20120810", "AmazonSQS",
	// "AmazonSSM". Empty where the service has no JSON protocol.
	TargetPrefix string
	// JSONVersion is "1.0" or "1.1".
	JSONVersion string
	// ErrorPrefix is what stands before the # in the __type of an error's JSON, such as
	// "com.amazonaws.dynamodb.v20120810". Empty: the code alone.
	ErrorPrefix string
	// QueryNamespace is the XML namespace of the query protocol's answers, such as
	// "http://queue.amazonaws.com/doc/2012-11-05/". Empty where the service has no query protocol.
	QueryNamespace string
	// QueryVersion is the API version that query requests name, such as "2012-11-05".
	QueryVersion string
	// Model is what AWS says of the actions' inputs, and is enforced before an action is carried out. nil: nothing.
	Model *Model
	// Actions are the API actions by name; one that is not here is answered with an error that says so.
	Actions map[string]Action
}
