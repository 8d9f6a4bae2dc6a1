package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"heliograph/simulator/wire"
)

// Invoker is the part of a Platform that event sources need.
type Invoker interface {
	Invoke(ctx context.Context, r Request) (Result, error)
	InvokeAsync(r Request) error
	// Function returns the function with a name or ARN.
	Function(nameOrARN string) (Function, bool)
	// Capacity is how many events of one function can run at once on this machine.
	Capacity() int
}

var _ Invoker = (*Platform)(nil)

// Queue is the part of an SQS queue that a QueueSource needs.
type Queue interface {
	// Receive returns up to max (1 to 10) messages and hides them for the queue's visibility time-out. If the queue is
	// empty, it waits up to wait for the first message, and may return none.
	Receive(ctx context.Context, max int, wait time.Duration) ([]Message, error)
	// Delete removes received messages. Deleting one that is already gone succeeds.
	Delete(ctx context.Context, receiptHandles []string) error
}

// Message is a received SQS message.
type Message struct {
	ID, ReceiptHandle, Body string
	// MD5OfBody and MD5OfMessageAttributes are hex; the latter is empty without attributes.
	MD5OfBody, MD5OfMessageAttributes string
	// Attributes are the system attributes: ApproximateReceiveCount, SentTimestamp, SenderId,
	// ApproximateFirstReceiveTimestamp, and AWSTraceHeader if the sender set it.
	Attributes map[string]string
	// MessageAttributes are the sender's.
	MessageAttributes map[string]MessageAttribute
}

// MessageAttribute is a sender's attribute: StringValue, or BinaryValue if DataType begins with Binary.
type MessageAttribute struct {
	DataType    string
	StringValue string
	BinaryValue []byte
}

// QueueSourceConfig describes an SQS event source, like aws.lambda.EventSourceMapping.
type QueueSourceConfig struct {
	// Function is the function's name or ARN; QueueARN the queue's. Required.
	Function, QueueARN string
	// BatchSize is 1 to 10,000. 0 means 10, as on AWS. Over 10 needs a window.
	BatchSize int
	// BatchingWindow is how long to wait for a batch to fill, up to 300 s.
	BatchingWindow time.Duration
	// MaximumConcurrency is 2 to 1,000, or 0 for no limit.
	MaximumConcurrency int
	// ReportBatchItemFailures lets the function name the messages that failed.
	ReportBatchItemFailures bool
	// Filters are patterns of FilterCriteria; a message that none of them matches is deleted without invoking the
	// function.
	Filters []string
	// VisibilityTimeout is the queue's. It must be at least the function's time-out, and bounds how long a throttled
	// batch is retried. Required.
	VisibilityTimeout time.Duration
	// Problem receives messages worth a line on the terminal. Nil drops them.
	Problem func(text string)
}

// Stream is the part of a table's stream that a StreamSource needs.
type Stream interface {
	// Shards are the ids of the stream's shards.
	Shards() []string
	// Read waits until a shard has records after a sequence number and returns up to max of them, oldest first. An
	// empty number reads from the trim horizon. Any error other than the context's means that records after that number
	// are lost: the reader continues at the horizon.
	Read(ctx context.Context, shard, after string, max int) ([]StreamRecord, error)
	// Latest is the sequence number of a shard's newest record, or "" if the shard is empty.
	Latest(shard string) string
}

// StreamRecord is one change of an item.
type StreamRecord struct {
	SequenceNumber string
	Created        time.Time
	// Item identifies the changed item: its keys in any stable form. Required where batches are handled concurrently.
	Item string
	// Event is the record as it appears in the Records of a Lambda event: eventID, eventName, dynamodb and so on.
	Event json.RawMessage
}

// StreamSourceConfig describes a DynamoDB stream event source, like aws.lambda.EventSourceMapping.
type StreamSourceConfig struct {
	// Function is the function's name or ARN; StreamARN the stream's. Required.
	Function, StreamARN string
	// StartingPosition is TRIM_HORIZON or LATEST. Required.
	StartingPosition string
	// BatchSize is 1 to 10,000. 0 means 100, as on AWS.
	BatchSize int
	// BatchingWindow is how long to wait for a batch to fill, up to 300 s.
	BatchingWindow time.Duration
	// ParallelizationFactor is how many batches of a shard are handled concurrently, 1 to 10; 0 means 1. Records of one
	// item are never in two of them, so the order per item is kept, but no other order.
	ParallelizationFactor int
	// Filters are patterns of FilterCriteria; a record that none of them matches is skipped.
	Filters []string
	// BisectOnError halves a failed batch before the retry.
	BisectOnError bool
	// ReportBatchItemFailures lets the function name the first record that failed.
	ReportBatchItemFailures bool
	// MaximumRetryAttempts is 0 to 10,000; nil or -1 retries until the record is too old.
	MaximumRetryAttempts *int
	// MaximumRecordAge is 60 s to 7 days; 0 or less means the stream's own 24 h.
	MaximumRecordAge time.Duration
	// OnFailure is the ARN of the destination for records given up, or empty.
	OnFailure string
	// Retry is the pause before the first retry of a failed batch; it doubles, up to 60 times that. 0 means 1 s.
	Retry time.Duration
	// Deliver sends a description of the records given up to OnFailure. Required with it.
	Deliver func(ctx context.Context, destinationARN string, record []byte) error
	// IteratorAge receives the age of a batch's last record at each invocation, so it grows while a batch fails. Nil
	// drops it.
	IteratorAge func(age time.Duration)
	// Problem receives messages worth a line on the terminal. Nil drops them.
	Problem func(text string)
}

// ScheduleConfig describes an EventBridge rule with one target.
type ScheduleConfig struct {
	// Function is the function's name or ARN; RuleARN the rule's.
	Function, RuleARN string
	// Expression is rate(1 minute), rate(5 minutes), or the same with hours or days.
	Expression string
	// Input replaces the scheduled event as the payload. Empty means no replacement.
	Input string
	// Minute is the real duration of a minute, as of metrics and alarms: an alarm on a function's missing runs holds only
	// if both keep the same time. 0 means a minute.
	Minute time.Duration
	// Problem receives messages worth a line on the terminal. Nil drops them.
	Problem func(text string)
}

// runner is what all sources share: a Run that ends with its context or with Close.
type runner struct {
	mu     sync.Mutex
	closed bool
	end    context.CancelFunc
	done   chan struct{}
}

// run calls work with a context that Close cancels. A source runs only once.
func (r *runner) run(ctx context.Context, work func(context.Context)) {
	r.mu.Lock()
	if r.closed || r.done != nil {
		r.mu.Unlock()
		return
	}
	ctx, r.end = context.WithCancel(ctx)
	done := make(chan struct{})
	r.done = done
	r.mu.Unlock()
	defer close(done)
	defer r.end()
	work(ctx)
}

// Close stops Run and waits until it has returned.
func (r *runner) Close() {
	r.mu.Lock()
	r.closed = true
	end, done := r.end, r.done
	r.mu.Unlock()
	if done != nil {
		end()
		<-done
	}
}

// checkFunction is AWS's first check when a source is created.
func checkFunction(in Invoker, name string) (Function, error) {
	f, ok := in.Function(name)
	if !ok {
		return Function{}, &wire.Error{Code: "ResourceNotFoundException", Status: 404, Message: "Function not found: " + name}
	}
	return f, nil
}

// regionOf is the region in an ARN.
func regionOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	return parts[3]
}

// throttled reports whether an invocation was refused only for now.
func throttled(err error) bool {
	var failure *wire.Error
	return errors.As(err, &failure) && failure.HTTPStatus() == http.StatusTooManyRequests
}

func problem(to func(string), format string, args ...any) {
	if to != nil {
		to(fmt.Sprintf(format, args...))
	}
}
