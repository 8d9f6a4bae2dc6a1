package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"heliograph/simulator/dynamodb"
	"heliograph/simulator/iam"
	"heliograph/simulator/lambda"
	"heliograph/simulator/sns"
	"heliograph/simulator/sqs"
)

// source brings events to a function until its context ends.
type source interface {
	Run(ctx context.Context)
}

// Sources are the event sources of all functions. They are collected while the stack is declared; Cloud.Start runs
// them.
type Sources struct {
	roles     *iam.Roles
	functions *lambda.Platform
	queues    *sqs.Server
	tables    *dynamodb.Database
	effects   *effects
	journal   *Journal
	watch     *watch

	mu   sync.Mutex
	list []source
}

// AddQueue makes a function poll a queue. It fills in the parts of the configuration that only the cloud knows.
func (s *Sources) AddQueue(config lambda.QueueSourceConfig) error {
	queue, err := s.queues.QueueByARN(config.QueueARN)
	if err != nil {
		return err
	}
	if err := s.allowed(config.Function, config.QueueARN, queuePermissions); err != nil {
		return err
	}
	visibility, err := strconv.Atoi(queue.Attributes()["VisibilityTimeout"])
	if err != nil {
		return fmt.Errorf("read the queue's visibility time-out: %w", err)
	}
	config.VisibilityTimeout, config.Problem = time.Duration(visibility)*time.Second, s.journal.Problem
	made, err := lambda.NewQueueSource(s.functions, polledQueue{queue}, config)
	return s.add(made, err)
}

// AddStream makes a function poll a table's stream. It fills in the parts of the configuration that only the cloud
// knows.
func (s *Sources) AddStream(config lambda.StreamSourceConfig) error {
	stream, err := streamByARN(s.tables, config.StreamARN)
	if err != nil {
		return err
	}
	if err := errors.Join(
		s.allowed(config.Function, config.StreamARN, streamPermissions), s.allowed(config.Function, "*", streamsPermissions),
	); err != nil {
		return err
	}
	if config.OnFailure != "" {
		if err := s.allowed(config.Function, config.OnFailure, destinationPermissions); err != nil {
			return err
		}
	}
	config.Deliver, config.Problem = destinations{s.queues}.deliver, s.journal.Problem
	config.IteratorAge = s.watch.iteratorAge(config.Function)
	functions := repeating{s.functions, s.effects, config.StreamARN}
	made, err := lambda.NewStreamSource(functions, polledStream{stream}, config)
	return s.add(made, err)
}

// AddSchedule invokes a function at the times of a rule.
func (s *Sources) AddSchedule(config lambda.ScheduleConfig) error {
	config.Minute = s.watch.store.Real(time.Minute)
	made, err := lambda.NewSchedule(s.functions, config)
	return s.add(made, err)
}

func (s *Sources) add(made source, err error) error {
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, made)
	return nil
}

func (s *Sources) all() []source {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.list)
}

// handled returns, for each shard of a stream, the last record that all its sources have handled; nothing for a stream
// without sources.
func (s *Sources) handled(stream *dynamodb.Stream) map[string]dynamodb.Sequence {
	last := map[string]dynamodb.Sequence{}
	for _, source := range s.all() {
		reader, ok := source.(*lambda.StreamSource)
		if !ok || reader.StreamARN() != stream.ARN() {
			continue
		}
		for shard, number := range reader.Handled() {
			if before, ok := last[shard]; !ok || dynamodb.Sequence(number) < before {
				last[shard] = dynamodb.Sequence(number)
			}
		}
	}
	return last
}

// Lambda polls with the permissions of the function's role, and refuses an event source without them.
var (
	queuePermissions       = []string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
	streamPermissions      = []string{"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"}
	streamsPermissions     = []string{"dynamodb:ListStreams"} // which can't be granted on one stream
	destinationPermissions = []string{"sqs:SendMessage"}
)

// allowed returns an error if a function's role lacks a permission on a resource.
func (s *Sources) allowed(function, arn string, permissions []string) error {
	f, ok := s.functions.Function(function)
	if !ok {
		return fmt.Errorf("there is no function %s", function)
	}
	var errs []error
	for _, permission := range permissions {
		errs = append(errs, s.roles.CheckRole(iam.NameOf(f.Role), permission, arn))
	}
	return errors.Join(errs...)
}

// polledQueue adapts a queue to Lambda's polling.
type polledQueue struct{ *sqs.Queue }

var _ lambda.Queue = polledQueue{}

func (q polledQueue) Receive(ctx context.Context, max int, wait time.Duration) ([]lambda.Message, error) {
	received, err := q.Queue.Receive(ctx, max, wait)
	messages := make([]lambda.Message, len(received))
	for i, m := range received {
		messages[i] = lambda.Message{
			ID: string(m.MessageID), ReceiptHandle: m.ReceiptHandle, Body: m.Body, MD5OfBody: m.MD5OfBody,
			MD5OfMessageAttributes: m.MD5OfMessageAttributes, Attributes: m.Attributes,
			MessageAttributes: map[string]lambda.MessageAttribute{},
		}
		for name, a := range m.MessageAttributes {
			messages[i].MessageAttributes[name] = lambda.MessageAttribute{
				DataType: a.DataType, StringValue: a.StringValue, BinaryValue: a.BinaryValue,
			}
		}
	}
	return messages, err
}

func (q polledQueue) Delete(_ context.Context, receiptHandles []string) error {
	var errs []error
	for _, handle := range receiptHandles {
		errs = append(errs, q.Queue.Delete(handle))
	}
	return errors.Join(errs...)
}

// polledStream adapts a table's stream to Lambda's polling.
type polledStream struct{ *dynamodb.Stream }

var _ lambda.Stream = polledStream{}

func (s polledStream) Shards() []string {
	var ids []string
	for _, shard := range s.Stream.Shards() {
		ids = append(ids, shard.ID())
	}
	return ids
}

func (s polledStream) shard(id string) *dynamodb.Shard {
	shards := s.Stream.Shards()
	return shards[slices.IndexFunc(shards, func(s *dynamodb.Shard) bool { return s.ID() == id })]
}

func (s polledStream) Latest(shard string) string { return string(s.shard(shard).Latest()) }

func (s polledStream) Read(ctx context.Context, shard, after string, max int) ([]lambda.StreamRecord, error) {
	read, err := s.shard(shard).Read(ctx, dynamodb.Sequence(after), max)
	if err != nil {
		return nil, err
	}
	records := make([]lambda.StreamRecord, len(read))
	for i, r := range read {
		event, err := json.Marshal(r)
		if err != nil {
			return nil, fmt.Errorf("write a stream record: %w", err)
		}
		keys, err := json.Marshal(r.Keys)
		if err != nil {
			return nil, fmt.Errorf("write a stream record's keys: %w", err)
		}
		records[i] = lambda.StreamRecord{SequenceNumber: string(r.Sequence), Created: r.Created, Event: event, Item: string(keys)}
	}
	return records, nil
}

func streamByARN(tables *dynamodb.Database, arn string) (*dynamodb.Stream, error) {
	for _, table := range tables.Tables() {
		if stream := table.Stream(); stream != nil && stream.ARN() == arn {
			return stream, nil
		}
	}
	return nil, fmt.Errorf("there is no stream %s", arn)
}

// subscribedQueues are the queues to which topics deliver.
type subscribedQueues struct{ *sqs.Server }

var _ sns.Queues = subscribedQueues{}

func (q subscribedQueues) Send(_ context.Context, arn, body string, attributes map[string]sns.Attribute) error {
	queue, err := q.QueueByARN(arn)
	if err != nil {
		return err
	}
	out := sqs.Outgoing{Body: body, Attributes: map[string]sqs.MessageAttribute{}, SenderID: "sns.amazonaws.com"}
	for name, a := range attributes {
		out.Attributes[name] = sqs.MessageAttribute{DataType: a.DataType, StringValue: a.StringValue, BinaryValue: a.BinaryValue}
	}
	_, err = queue.Send(out)
	return err
}

// destinations accepts the records of failed events, provided that their destinations are queues.
type destinations struct{ queues *sqs.Server }

func (d destinations) deliver(_ context.Context, destination string, record []byte) error {
	if !strings.Contains(destination, ":sqs:") {
		return fmt.Errorf("the destination %s is not simulated, only queues are", destination)
	}
	queue, err := d.queues.QueueByARN(destination)
	if err != nil {
		return err
	}
	_, err = queue.Send(sqs.Outgoing{Body: string(record)})
	return err
}
