// Package wire is how the simulated AWS services speak: it takes signed requests of AWS's JSON and
// query protocols, hands the decoded input to the action that was asked for, and writes the result, or
// the error, in the shape that the AWS SDKs and the AWS CLI expect.
package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
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
	// Fields are further members of the JSON body, such as "Item" of ConditionalCheckFailedException.
	Fields map[string]any
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// HTTPStatus is the status that the error is answered with.
func (e *Error) HTTPStatus() int {
	if e.Status == 0 {
		return http.StatusBadRequest
	}
	return e.Status
}

// Errorf makes an Error with status 400.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Call is one API call as the endpoint sees it before it is carried out.
type Call struct {
	// Service is the service's signing name: "dynamodb", "sqs", "sns", "ssm".
	Service string
	// Action is the API action, such as "PutItem".
	Action string
	// AccessKey is the access key id that signed the request.
	AccessKey string
	// Resources are the ARNs that the call touches, as IAM would check them.
	Resources []string
}

// Action is one API action of a service. Make it with Do.
type Action struct {
	decodeJSON  func(body []byte) (any, error)
	decodeQuery func(form map[string][]string) (any, error)
	resources   func(in any) []string
	do          func(ctx context.Context, in any) (any, error)
}

// Do makes an Action from a typed function. resources names the ARNs that a call touches, for IAM.
//
// In and Out are structs whose field names are the API's member names; encoding/json reads and writes
// them as they are. For the query protocol, a field tag `query:"Attribute"` gives the name under which
// a list or map is flattened where it differs from the field's name.
func Do[In, Out any](do func(context.Context, *In) (*Out, error), resources func(*In) []string) Action {
	return Action{
		decodeJSON: func(body []byte) (any, error) {
			in := new(In)
			if err := json.Unmarshal(body, in); err != nil {
				return nil, Errorf("SerializationException", "the request's body does not fit: %v", err)
			}
			return in, nil
		},
		decodeQuery: func(form map[string][]string) (any, error) {
			in := new(In)
			if err := decodeQuery(form, in); err != nil {
				return nil, Errorf("MalformedInput", "%v", err)
			}
			return in, nil
		},
		resources: func(in any) []string { return resources(in.(*In)) },
		do:        func(ctx context.Context, in any) (any, error) { return do(ctx, in.(*In)) },
	}
}

// Service is one AWS service: its protocol and its actions.
type Service struct {
	// Name is the signing name: "dynamodb", "sqs", "sns", "ssm".
	Name string
	// TargetPrefix is what stands before the dot in X-Amz-Target: "DynamoDB_20120810", "AmazonSQS",
	// "AmazonSSM". Empty where the service has no JSON protocol.
	TargetPrefix string
	// JSONVersion is "1.0" or "1.1".
	JSONVersion string
	// QueryNamespace is the XML namespace of the query protocol's answers, such as
	// "http://queue.amazonaws.com/doc/2012-11-05/". Empty where the service has no query protocol.
	QueryNamespace string
	// Actions are the API actions by name; one that is not here is answered with an error that says so.
	Actions map[string]Action
}
