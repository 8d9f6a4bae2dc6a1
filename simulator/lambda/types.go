package lambda

import (
	"context"
	"time"
)

// FunctionName is a function's physical name, such as "heliograph-dev-send".
type FunctionName string

// Options configure a Platform. The zero value of a field means what its comment says.
type Options struct {
	// Region and Account go into ARNs and the functions' environment. Required.
	Region, Account string
	// WorkDir is the folder in which archives are unpacked, by content hash, and in which environments
	// have their temporary folders. Required; it is made if it is not there.
	WorkDir string
	// Environ gives what a function's environment has besides Lambda's own variables and those that it
	// was created with: "KEY=value" each, such as AWS_ENDPOINT_URL and the credentials of its role.
	// Nil means nothing. It is called at each start of an environment.
	Environ func(Function) []string
	// Log takes every line that functions and platform write, in the order of each environment. It
	// must not block for long and must not call back into the Platform. Nil means nowhere.
	Log func(LogLine)
	// Metric takes the platform's own metrics, as CloudWatch has them in AWS/Lambda. Nil means nowhere.
	Metric func(Metric)
	// Segment takes the X-Ray documents that Lambda itself writes about a traced invocation
	// (AWS::Lambda and AWS::Lambda::Function), JSON each. Nil means nowhere.
	Segment func(document []byte)
	// XRayDaemon is the UDP address that traced functions send their subsegments to. Empty means that
	// no invocation is sampled.
	XRayDaemon string
	// Deliver hands the record of a failed event to a destination, by its ARN. Nil means that a
	// destination is an error when it is configured.
	Deliver func(ctx context.Context, destinationARN string, record []byte) error
	// Concurrency is the account's limit of concurrent invocations; beyond it invocations are
	// throttled. 0 means 1,000, as AWS.
	Concurrency int
	// Environments is how many environments one function may have at once on this machine. Lambda has no
	// such limit; invocations beyond it wait for a free environment instead of starting a process each.
	// 0 means four for each CPU.
	Environments int
	// Freeze stops a function's processes between its events, as Lambda freezes its environments: what they do in the
	// background goes on at the next event, if there is one. It needs a Unix.
	Freeze bool
	// IdleTimeout is how long an unused environment is kept. 0 means 5 minutes.
	IdleTimeout time.Duration
	// InitTimeout is how long a function may take to ask for its first event. 0 means 10 s, as AWS.
	InitTimeout time.Duration
	// Before is asked about each attempt to run a function before it is admitted, and may wait. Its error
	// refuses the attempt; its Kill lets the function die on the way: faults on purpose. Nil means neither.
	Before func(ctx context.Context, f Function) (Kill, error)
	// RetryDelays are the pauses before the retries of an asynchronous event whose function failed. Nil
	// means 1 and 2 minutes, as AWS.
	RetryDelays []time.Duration
	// Now is the clock of log lines and deadlines. Nil means time.Now.
	Now func() time.Time
}

// Kill gives the moment at which a function's process is killed, counted from when it got the event; usual is how long
// the function took the last time that it succeeded. A function that has answered by then is killed all the
// same, and its answer does not count.
type Kill func(usual time.Duration) time.Duration

// Config describes a function to Create, as aws.lambda.Function does.
type Config struct {
	// Name is the function's name. Required.
	Name FunctionName
	// Archive is the path of a zip file with an executable `bootstrap` at its root. Required.
	Archive string
	// Handler is given to the function as _HANDLER. Empty means "bootstrap".
	Handler string
	// Environment are the function's own variables. Lambda's reserved names are refused.
	Environment map[string]string
	// Timeout bounds one invocation, in whole seconds up to 900. 0 means 3 s, as AWS.
	Timeout time.Duration
	// MemorySize is in MB, 128 to 10,240. 0 means 128, as AWS.
	MemorySize int
	// ReservedConcurrency is the function's own limit of concurrent invocations, taken from the
	// account's. Nil means none of its own; 0 means that every invocation is throttled.
	ReservedConcurrency *int
	// Role is the ARN of the role that the function runs as.
	Role string
	// LogGroup is the CloudWatch log group. Empty means /aws/lambda/<name>.
	LogGroup string
	// Tracing is true for X-Ray's active mode: every invocation is sampled.
	Tracing bool
}

// Function is a created function.
type Function struct {
	Config
	// ARN is the function's ARN, without a version.
	ARN string
	// InvokeARN is the URI by which API Gateway names the function.
	InvokeARN string
	// CodeSHA256 is the archive's hash, base64, as Lambda gives it.
	CodeSHA256 string
	// CodeSize is the archive's size in bytes.
	CodeSize int64
}

// Request is one event for a function.
type Request struct {
	// Function is the function's name or ARN (a version or alias is refused).
	Function string
	// Payload is the event, JSON.
	Payload []byte
	// TraceHeader is the X-Ray header of the caller ("Root=…;Parent=…;Sampled=1"). Empty starts a trace.
	TraceHeader string
}

// Result is the outcome of an invocation.
type Result struct {
	// Payload is the function's answer, or, if FunctionError is set, {"errorMessage","errorType",…}.
	Payload []byte
	// FunctionError is "Unhandled" if the function failed, otherwise empty.
	FunctionError string
	// RequestID is the invocation's id, a UUID.
	RequestID string
	// LogTail is the last 4 KB of what the invocation logged until it answered.
	LogTail string
	// Duration is how long the function took, without its start.
	Duration time.Duration
	// InitDuration is how long the start took; 0 for a warm environment.
	InitDuration time.Duration
}

// LogLine is one line of a function's log.
type LogLine struct {
	Time      time.Time
	Function  FunctionName
	LogGroup  string
	LogStream string
	// RequestID is the invocation that was under way, empty during the start.
	RequestID string
	// Text is the line without its line end.
	Text string
	// Platform is true for Lambda's own lines, such as START, END and REPORT.
	Platform bool
}

// Metric is one value of a metric of namespace AWS/Lambda with the dimension FunctionName.
type Metric struct {
	// Function is empty for a metric of the account, ClaimedAccountConcurrency.
	Function FunctionName
	// Name is Invocations, Errors, Throttles, Duration, ConcurrentExecutions, AsyncEventsReceived,
	// AsyncEventAge, AsyncEventsDropped, DestinationDeliveryFailures or IteratorAge.
	Name string
	// Unit is CloudWatch's: Count or Milliseconds.
	Unit  string
	Value float64
	Time  time.Time
}

// EventInvokeConfig is how a function's asynchronous events are retried, as
// aws.lambda.FunctionEventInvokeConfig.
type EventInvokeConfig struct {
	// MaximumRetryAttempts is 0 to 2. Nil means 2, as AWS.
	MaximumRetryAttempts *int
	// MaximumEventAge is 60 s to 6 h. 0 means 6 h, as AWS.
	MaximumEventAge time.Duration
	// OnFailure and OnSuccess are destination ARNs, or empty.
	OnFailure, OnSuccess string
}

// Permission is a statement of a function's resource policy, as aws.lambda.Permission.
type Permission struct {
	StatementID string
	// Function is the function's name or ARN.
	Function string
	// Action is "lambda:InvokeFunction" or a pattern that covers it.
	Action string
	// Principal is the service that may call, such as "apigateway.amazonaws.com".
	Principal string
	// SourceARN is a pattern (* and ?) of the caller's ARN. Empty allows any caller of the principal.
	SourceARN string
}

// FunctionError is the error of Call when the function itself failed.
type FunctionError struct {
	// Type and Message are errorType and errorMessage of the function's answer.
	Type, Message string
	// Payload is that whole answer.
	Payload []byte
}

// Error says what failed.
func (e *FunctionError) Error() string { return "the function failed: " + e.Type + ": " + e.Message }

// ErrorMessage is the function's errorMessage, on which API Gateway decides.
func (e *FunctionError) ErrorMessage() string { return e.Message }
