package lambda

import (
	"context"
	"time"
)

// FunctionName is a function's physical name, such as "heliograph-dev-send".
type FunctionName string

// Options configure a Platform. Each field says what its zero value means.
type Options struct {
	// Region and Account go into ARNs and the functions' environment. Required.
	Region, Account string
	// WorkDir is the folder for the temporary folders of unpacked archives and environments. Required; it is created if
	// missing, and refused if other users can write to it. The folder above it is trusted.
	WorkDir string
	// Environ returns additions to a function's environment, besides Lambda's own variables and those it was created
	// with: "KEY=value" each, such as AWS_ENDPOINT_URL and the credentials of its role. Nil adds nothing. It is called
	// whenever an environment starts.
	Environ func(Function) []string
	// Log receives every line that functions and platform write, in order per environment. It must not block for long
	// or call back into the Platform. Nil drops the lines.
	Log func(LogLine)
	// Metric receives the platform's own metrics, as CloudWatch has them in AWS/Lambda. Nil drops them.
	Metric func(Metric)
	// Segment receives the X-Ray documents that Lambda itself writes about a traced invocation (AWS::Lambda and
	// AWS::Lambda::Function), each as JSON. Nil drops them.
	Segment func(document []byte)
	// XRayDaemon is the UDP address to which traced functions send their subsegments. Empty means that no invocation is
	// sampled.
	XRayDaemon string
	// Deliver sends the record of a failed event to a destination, by its ARN. Nil makes configuring a destination an
	// error.
	Deliver func(ctx context.Context, destinationARN string, record []byte) error
	// Concurrency is the account's limit of concurrent invocations; invocations beyond it are throttled. 0 means 1,000,
	// as on AWS.
	Concurrency int
	// Environments is how many environments one function may have at once on this machine. Lambda has no such limit;
	// invocations beyond it wait for a free environment instead of each starting a process. 0 means four per CPU.
	Environments int
	// Freeze stops a function's processes between events, as Lambda freezes its environments: background work resumes
	// with the next event, if there is one. It needs a Unix.
	Freeze bool
	// IdleTimeout is how long an unused environment is kept. 0 means 5 minutes.
	IdleTimeout time.Duration
	// InitTimeout is how long a function may take to ask for its first event. 0 means 10 s, as on AWS.
	InitTimeout time.Duration
	// Before is called before each attempt to run a function is admitted, and may wait. It injects faults: an error
	// refuses the attempt, a Kill makes the function die midway. Nil does neither.
	Before func(ctx context.Context, f Function) (Kill, error)
	// RetryDelays are the pauses before the retries of an asynchronous event whose function failed. Nil means 1 and 2
	// minutes, as on AWS.
	RetryDelays []time.Duration
	// Now is the clock of log lines and deadlines. Nil means time.Now.
	Now func() time.Time
}

// Kill returns when a function's process is killed, as a duration from its receipt of the event; usual is how long the
// function took the last time it succeeded. A function that has answered by then is killed regardless, and its answer
// does not count.
type Kill func(usual time.Duration) time.Duration

// Config describes a function to Create, like aws.lambda.Function.
type Config struct {
	// Name is the function's name. Required.
	Name FunctionName
	// Archive is the path of a zip file with an executable `bootstrap` at its root. Required.
	Archive string
	// Handler is passed to the function as _HANDLER. Empty means "bootstrap".
	Handler string
	// Environment holds the function's own variables. Lambda's reserved names are refused.
	Environment map[string]string
	// Timeout bounds one invocation, in whole seconds up to 900. 0 means 3 s, as on AWS.
	Timeout time.Duration
	// MemorySize is in MB, 128 to 10,240. 0 means 128, as on AWS.
	MemorySize int
	// ReservedConcurrency is the function's own limit of concurrent invocations, taken from the account's. Nil means no
	// reservation; 0 means that every invocation is throttled.
	ReservedConcurrency *int
	// Role is the ARN of the function's execution role.
	Role string
	// LogGroup is the CloudWatch log group. Empty means /aws/lambda/<name>.
	LogGroup string
	// Logging is the log's format and its levels.
	Logging Logging
	// Tracing turns on X-Ray's active mode: every invocation is sampled.
	Tracing bool
}

// Function is a created function.
type Function struct {
	Config
	// ARN is the function's ARN, without a version.
	ARN string
	// InvokeARN is the URI with which API Gateway refers to the function.
	InvokeARN string
	// CodeSHA256 is the archive's hash in base64, as Lambda reports it.
	CodeSHA256 string
	// CodeSize is the archive's size in bytes.
	CodeSize int64
}

// Request is one event for a function.
type Request struct {
	// Function is the function's name or ARN (a version or alias is refused).
	Function string
	// Payload is the event, in JSON.
	Payload []byte
	// TraceHeader is the caller's X-Ray header ("Root=…;Parent=…;Sampled=1"). Empty starts a new trace.
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
	// LogTail is the last 4 KB that the invocation logged before it answered.
	LogTail string
	// Duration is how long the function took, excluding init.
	Duration time.Duration
	// InitDuration is how long init took; 0 for a warm environment.
	InitDuration time.Duration
}

// LogLine is one line of a function's log.
type LogLine struct {
	Time      time.Time
	Function  FunctionName
	LogGroup  string
	LogStream string
	// RequestID is the invocation under way, or "" during init.
	RequestID string
	// Text is the line without its line end.
	Text string
	// Platform marks Lambda's own lines, such as START, END and REPORT, or their events in JSON.
	Platform bool
}

// Metric is one value of a metric in the namespace AWS/Lambda with the dimension FunctionName.
type Metric struct {
	// Function is empty for ClaimedAccountConcurrency, a metric of the account.
	Function FunctionName
	// Name is Invocations, Errors, Throttles, Duration, ConcurrentExecutions, AsyncEventsReceived,
	// AsyncEventAge, AsyncEventsDropped, DestinationDeliveryFailures or IteratorAge.
	Name string
	// Unit is CloudWatch's unit: Count or Milliseconds.
	Unit  string
	Value float64
	Time  time.Time
}

// EventInvokeConfig sets how a function's asynchronous events are retried, like aws.lambda.FunctionEventInvokeConfig.
type EventInvokeConfig struct {
	// MaximumRetryAttempts is 0 to 2. Nil means 2, as on AWS.
	MaximumRetryAttempts *int
	// MaximumEventAge is 60 s to 6 h. 0 means 6 h, as on AWS.
	MaximumEventAge time.Duration
	// OnFailure and OnSuccess are destination ARNs, or empty.
	OnFailure, OnSuccess string
}

// Permission is a statement of a function's resource policy, like aws.lambda.Permission.
type Permission struct {
	StatementID string
	// Function is the function's name or ARN.
	Function string
	// Action is "lambda:InvokeFunction" or a pattern that covers it.
	Action string
	// Principal is the service that may invoke the function, such as "apigateway.amazonaws.com".
	Principal string
	// SourceARN is a pattern (* and ?) of the caller's ARN. Empty allows any caller of the principal.
	SourceARN string
}

// FunctionError is Call's error when the function itself failed.
type FunctionError struct {
	// Type and Message are errorType and errorMessage from the function's answer.
	Type, Message string
	// Payload is the whole answer.
	Payload []byte
}

// Error describes the failure.
func (e *FunctionError) Error() string { return "the function failed: " + e.Type + ": " + e.Message }

// ErrorMessage is the function's errorMessage, which API Gateway looks at to choose its answer.
func (e *FunctionError) ErrorMessage() string { return e.Message }
