package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"

	"heliograph/presence"
)

// failures takes what is known of records that will never be handled.
type failures interface {
	Keep(context.Context, failedRecord) error
}

// failedRecord describes a record of the stream, without its images: the table has the item, and the stream the record
// itself for a day.
type failedRecord struct {
	Condition      string `json:"condition"` // unreadable; Lambda's own descriptions have RecordAgeExceeded there
	Error          string `json:"error"`
	EventID        string `json:"eventId"`
	EventName      string `json:"eventName"`
	StreamARN      string `json:"streamArn"`
	SequenceNumber string `json:"sequenceNumber"`
	Keys           any    `json:"keys"`
}

// conditionUnreadable is the condition of all records that announce gives up itself.
const conditionUnreadable = "Unreadable"

// failureQueue is the SQS queue where Lambda, too, leaves what it gave up.
type failureQueue struct {
	client sender
	url    string
}

var _ failures = failureQueue{}

func (q failureQueue) Keep(ctx context.Context, f failedRecord) error {
	body, err := json.Marshal(f)
	if err == nil {
		_, err = q.client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &q.url, MessageBody: new(string(body))})
	}
	if err != nil {
		return fmt.Errorf("keep a failed record: %w", err)
	}
	return nil
}

// panicError is an error that was a panic.
type panicError struct{ cause error }

func (e *panicError) Error() string { return e.cause.Error() }
func (e *panicError) Unwrap() error { return e.cause }

// unreadableEvent is an error of an event whose record can't be read.
type unreadableEvent struct{ cause error }

func (e *unreadableEvent) Error() string { return "read the record: " + e.cause.Error() }
func (e *unreadableEvent) Unwrap() error { return e.cause }

// hopeless reports whether an error is the record's own and would come back with each attempt, holding up everything behind
// the record for a day: the record or its user's item can't be read, holds values that DynamoDB refuses to work with,
// or makes the function panic. All others, such as a service that is down or a role without a permission, are over
// one day, and then nothing is lost.
func hopeless(err error) bool {
	for _, kind := range []func(error) bool{is[*unreadableEvent], is[*presence.UnreadableError], is[*panicError]} {
		if kind(err) {
			return true
		}
	}
	answer, ok := errors.AsType[smithy.APIError](err)
	return ok && answer.ErrorCode() == "ValidationException"
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// describe is a failed record as far as it can be read. event is the record as it came.
func describe(event json.RawMessage, err error) failedRecord {
	var r struct {
		EventID        string `json:"eventID"`
		EventName      string `json:"eventName"`
		EventSourceARN string `json:"eventSourceARN"`
		Change         struct {
			Keys           json.RawMessage
			SequenceNumber string
		} `json:"dynamodb"`
	}
	_ = json.Unmarshal(event, &r) // what can't be read stays out
	return failedRecord{
		Condition: conditionUnreadable, Error: err.Error(),
		EventID: r.EventID, EventName: r.EventName, StreamARN: r.EventSourceARN,
		SequenceNumber: r.Change.SequenceNumber, Keys: r.Change.Keys,
	}
}

// streamRecord is one record of a batch.
type streamRecord struct {
	sequence string
	record   presence.Record
	event    json.RawMessage
	err      error // why the event could not be read
}

// readRecord reads one record of a batch by itself, so that one that can't be read fails alone.
func readRecord(event json.RawMessage) streamRecord {
	var position struct {
		Change struct{ SequenceNumber string } `json:"dynamodb"`
	}
	r := streamRecord{event: event}
	if err := json.Unmarshal(event, &position); err != nil {
		r.err = &unreadableEvent{err}
		return r
	}
	r.sequence = position.Change.SequenceNumber
	var whole events.DynamoDBEventRecord
	if err := json.Unmarshal(event, &whole); err != nil {
		r.err = &unreadableEvent{err}
		return r
	}
	r.record = recordOf(whole)
	return r
}
