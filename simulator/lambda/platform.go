package lambda

import (
	"context"
	"errors"
)

var errLater = errors.New("lambda: not there yet")

// Platform holds the functions and runs them.
type Platform struct{}

// New makes a Platform that listens on loopback for its functions' Runtime API calls.
func New(o Options) (*Platform, error) { return nil, errLater }

// Create makes a function. Errors are *wire.Error with Lambda's codes, such as ResourceConflictException
// for a name that is taken and InvalidParameterValueException for a bad value.
func (p *Platform) Create(c Config) (Function, error) { return Function{}, errLater }

// Function gives a function by its name or ARN.
func (p *Platform) Function(nameOrARN string) (Function, bool) { return Function{}, false }

// Functions lists all functions by name.
func (p *Platform) Functions() []Function { return nil }

// Invoke runs a function and waits for its answer. A function that fails is no error: see
// Result.FunctionError. Errors are *wire.Error (ResourceNotFoundException, TooManyRequestsException,
// RequestTooLargeException, InvalidRequestContentException), or the context's.
func (p *Platform) Invoke(ctx context.Context, r Request) (Result, error) { return Result{}, errLater }

// Call is Invoke for callers that want the answer only: a function that failed is a *FunctionError.
func (p *Platform) Call(ctx context.Context, function string, payload []byte) ([]byte, error) {
	return nil, errLater
}

// InvokeAsync takes an event and runs the function later, with Lambda's retries.
func (p *Platform) InvokeAsync(r Request) error { return errLater }

// PutEventInvokeConfig says how the asynchronous events of a function are retried.
func (p *Platform) PutEventInvokeConfig(function string, c EventInvokeConfig) error { return errLater }

// AddPermission adds a statement to a function's resource policy.
func (p *Platform) AddPermission(s Permission) error { return errLater }

// Permitted says whether a function's resource policy lets a principal call it from a source.
func (p *Platform) Permitted(function, principal, sourceARN string) bool { return false }

// Kill ends a function's environments at once, also those in the middle of an event, and says how many
// there were: a fault on purpose.
func (p *Platform) Kill(function string) int { return 0 }

// Close kills every child process and waits until nothing is left of them.
func (p *Platform) Close() error { return nil }
