package simulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"heliograph/simulator/dynamodb"
	"heliograph/simulator/iam"
	"heliograph/simulator/lambda"
	"heliograph/simulator/sns"
	"heliograph/simulator/sqs"
)

// source is what brings events to functions.
type source interface {
	Run(ctx context.Context)
}

// polledQueue is a queue as Lambda polls it.
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

// polledStream is a table's stream as Lambda polls it.
type polledStream struct{ *dynamodb.Stream }

var _ lambda.Stream = polledStream{}

func (s polledStream) Shards() []string { return []string{s.Shard()} }

func (s polledStream) Latest(string) string { return string(s.Stream.Latest()) }

func (s polledStream) Read(ctx context.Context, _, after string, max int) ([]lambda.StreamRecord, error) {
	read, err := s.Stream.Read(ctx, dynamodb.Sequence(after), max)
	if err != nil {
		return nil, err
	}
	records := make([]lambda.StreamRecord, len(read))
	for i, r := range read {
		event, err := json.Marshal(r)
		if err != nil {
			return nil, fmt.Errorf("write a stream record: %w", err)
		}
		records[i] = lambda.StreamRecord{SequenceNumber: string(r.Sequence), Created: r.Created, Event: event}
	}
	return records, nil
}

// What Lambda needs of a function's role to poll for it. Lambda refuses an event source without.
var (
	queuePermissions  = []string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
	streamPermissions = []string{"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"}
)

// mayPoll is an error if a function's role lacks a permission that Lambda polls with.
func (c *cloud) mayPoll(function, arn string, permissions []string) error {
	f, ok := c.functions.Function(function)
	if !ok {
		return fmt.Errorf("there is no function %s", function)
	}
	var errs []error
	for _, permission := range permissions {
		errs = append(errs, c.roles.CheckRole(iam.NameOf(f.Role), permission, arn))
	}
	return errors.Join(errs...)
}

func (c *cloud) streamByARN(arn string) (*dynamodb.Stream, error) {
	for _, table := range c.tables.Tables() {
		if stream := table.Stream(); stream != nil && stream.ARN() == arn {
			return stream, nil
		}
	}
	return nil, fmt.Errorf("there is no stream %s", arn)
}

// subscribedQueues are the queues that a topic delivers to.
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

// deliver puts the record of an event that a function could not work on where its event source says.
func (c *cloud) deliver(_ context.Context, destination string, record []byte) error {
	if !strings.Contains(destination, ":sqs:") {
		return fmt.Errorf("the destination %s is not simulated, only queues are", destination)
	}
	queue, err := c.queues.QueueByARN(destination)
	if err != nil {
		return err
	}
	_, err = queue.Send(sqs.Outgoing{Body: string(record)})
	return err
}
