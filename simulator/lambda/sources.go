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

// Invoker is what event sources need of a Platform.
type Invoker interface {
	Invoke(ctx context.Context, r Request) (Result, error)
	InvokeAsync(r Request) error
	// Function gives a function by its name or ARN.
	Function(nameOrARN string) (Function, bool)
	// Capacity is how many events of one function can run at once on this machine.
	Capacity() int
}

var _ Invoker = (*Platform)(nil)

// Queue is what a QueueSource needs of an SQS queue.
type Queue interface {
	// Receive gives up to max (1 to 10) messages and hides them for the queue's visibility time-out. If
	// there is none it waits for the first one, up to wait, and may then give none.
	Receive(ctx context.Context, max int, wait time.Duration) ([]Message, error)
	// Delete removes messages that were received. Deleting one that is already gone succeeds.
	Delete(ctx context.Context, receiptHandles []string) error
}

// Message is a received SQS message.
type Message struct {
	ID, ReceiptHandle, Body string
	// MD5OfBody and MD5OfMessageAttributes are hex; the latter is empty without attributes.
	MD5OfBody, MD5OfMessageAttributes string
	// Attributes are the system attributes: ApproximateReceiveCount, SentTimestamp, SenderId,
	// ApproximateFirstReceiveTimestamp, and AWSTraceHeader if there is one.
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

// QueueSourceConfig describes an SQS event source, as aws.lambda.EventSourceMapping does.
type QueueSourceConfig struct {
	// Function is the function's name or ARN; QueueARN the queue's. Required.
	Function, QueueARN string
	// BatchSize is 1 to 10,000. 0 means 10, as AWS. Over 10 needs a window.
	BatchSize int
	// BatchingWindow is how long to wait for a batch to fill, up to 300 s.
	BatchingWindow time.Duration
	// MaximumConcurrency is 2 to 1,000, or 0 for none.
	MaximumConcurrency int
	// ReportBatchItemFailures lets the function name the messages that failed.
	ReportBatchItemFailures bool
	// Filters are patterns of FilterCriteria; a message that none matches is deleted unseen.
	Filters []string
	// VisibilityTimeout is the queue's. It must not be under the function's time-out, and bounds how long a batch that is
	// throttled is tried again. Required.
	VisibilityTimeout time.Duration
	// Problem takes what is worth a line on the terminal. Nil means nowhere.
	Problem func(text string)
}

// Stream is what a StreamSource needs of a table's stream.
type Stream interface {
	// Shards are the ids of the stream's shards.
	Shards() []string
	// Read waits until a shard has records after a sequence number and gives up to max of them, oldest
	// first. An empty number reads from the trim horizon. An error that is not the context's means that records
	// after that number are lost: the reader goes on at the horizon.
	Read(ctx context.Context, shard, after string, max int) ([]StreamRecord, error)
	// Latest is the sequence number of a shard's newest record, empty if it has none.
	Latest(shard string) string
}

// StreamRecord is one change of an item.
type StreamRecord struct {
	SequenceNumber string
	Created        time.Time
	// Item identifies the changed item: its keys in any form that is the same each time. Required where batches are
	// handled at once.
	Item string
	// Event is the record as it stands in a Lambda event's Records: eventID, eventName, dynamodb and so on.
	Event json.RawMessage
}

// StreamSourceConfig describes a DynamoDB stream event source, as aws.lambda.EventSourceMapping does.
type StreamSourceConfig struct {
	// Function is the function's name or ARN; StreamARN the stream's. Required.
	Function, StreamARN string
	// StartingPosition is TRIM_HORIZON or LATEST. Required.
	StartingPosition string
	// BatchSize is 1 to 10,000. 0 means 100, as AWS.
	BatchSize int
	// BatchingWindow is how long to wait for a batch to fill, up to 300 s.
	BatchingWindow time.Duration
	// ParallelizationFactor is how many batches of a shard are handled at once, 1 to 10; 0 means 1. The records of one item
	// are never in two of them: only their order is kept.
	ParallelizationFactor int
	// Filters are patterns of FilterCriteria; a record that none matches is passed over.
	Filters []string
	// BisectOnError halves a failed batch before it is tried again.
	BisectOnError bool
	// ReportBatchItemFailures lets the function name the first record that failed.
	ReportBatchItemFailures bool
	// MaximumRetryAttempts is 0 to 10,000; nil or -1 means until the record is too old.
	MaximumRetryAttempts *int
	// MaximumRecordAge is 60 s to 7 days; 0 or less means the stream's own 24 h.
	MaximumRecordAge time.Duration
	// OnFailure is the ARN of the destination of what was given up, or empty.
	OnFailure string
	// Retry is the first pause before a failed batch is tried again; it doubles up to 60 times that. 0 means 1 s.
	Retry time.Duration
	// Deliver hands the record of what was given up to OnFailure. Required with it.
	Deliver func(ctx context.Context, destinationARN string, record []byte) error
	// IteratorAge takes the age of each batch's last record whenever the function is invoked with it: it grows while
	// a batch fails. Nil means nowhere.
	IteratorAge func(age time.Duration)
	// Problem takes what is worth a line on the terminal. Nil means nowhere.
	Problem func(text string)
}

// ScheduleConfig describes an EventBridge rule with one target.
type ScheduleConfig struct {
	// Function is the function's name or ARN; RuleARN the rule's.
	Function, RuleARN string
	// Expression is rate(1 minute), rate(5 minutes), and the same with hours and days.
	Expression string
	// Input replaces the scheduled event as the payload. Empty means the event.
	Input string
	// Every replaces the expression's period, for tests. 0 keeps it.
	Every time.Duration
	// Problem takes what is worth a line on the terminal. Nil means nowhere.
	Problem func(text string)
}

// runner is what all sources have in common: a Run that ends with its context or with Close.
type runner struct {
	mu     sync.Mutex
	closed bool
	end    context.CancelFunc
	done   chan struct{}
}

// run calls work with a context that Close ends. A source runs once.
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

// Close ends Run and waits until it has returned.
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

// checkFunction is what AWS checks first when a source is created.
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

// throttled is true for an invocation that was refused for now.
func throttled(err error) bool {
	var failure *wire.Error
	return errors.As(err, &failure) && failure.HTTPStatus() == http.StatusTooManyRequests
}

func problem(to func(string), format string, args ...any) {
	if to != nil {
		to(fmt.Sprintf(format, args...))
	}
}
