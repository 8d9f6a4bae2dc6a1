package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"heliograph/message"
	"heliograph/presence"
)

// failures stores what is known of records that will never be handled.
type failures interface {
	Keep(context.Context, failedRecord) error
}

// failedRecord describes a record of the stream, without its images: the item is in the table, and the record itself
// stays in the stream for a day. It also describes a note of the grace queue.
type failedRecord struct {
	Condition      string `json:"condition"` // always Unreadable; Lambda's own have RecordAgeExceeded there
	Error          string `json:"error"`
	EventID        string `json:"eventId"`
	EventName      string `json:"eventName"`
	StreamARN      string `json:"streamArn"` // or the queue's
	SequenceNumber string `json:"sequenceNumber"`
	Keys           any    `json:"keys"`
}

// conditionUnreadable is the condition of all records that announce itself gives up.
const conditionUnreadable = "Unreadable"

// failureQueue is the SQS queue to which Lambda, too, sends the records it gives up.
type failureQueue struct {
	client sender
	url    string
}

var _ failures = failureQueue{}

func (q failureQueue) Keep(ctx context.Context, f failedRecord) error {
	body, err := message.JSON(f)
	if err == nil {
		_, err = q.client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &q.url, MessageBody: &body})
	}
	if err != nil {
		return fmt.Errorf("keep a failed record: %w", err)
	}
	return nil
}

// panicError is the error of a recovered panic.
type panicError struct{ cause error }

func (e *panicError) Error() string { return e.cause.Error() }
func (e *panicError) Unwrap() error { return e.cause }

// unreadableEvent is the error of an event whose record can't be decoded.
type unreadableEvent struct{ cause error }

func (e *unreadableEvent) Error() string { return "read the record: " + e.cause.Error() }
func (e *unreadableEvent) Unwrap() error { return e.cause }

// hopeless reports whether an error is caused by the record itself and would recur on every attempt, holding up
// everything behind the record for a day: the record or its user's item can't be read, a service refuses what is in it,
// or it makes the function panic. All other errors, such as a service outage or a missing permission, end some
// day, and then nothing is lost.
func hopeless(err error) bool {
	for _, kind := range []func(error) bool{is[*unreadableEvent], is[*presence.UnreadableError], is[*panicError]} {
		if kind(err) {
			return true
		}
	}
	return message.Refused(err)
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// describe describes a failed record as far as it can be read. event is the record as received.
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
	_ = json.Unmarshal(event, &r) // members that can't be read stay empty
	return failedRecord{
		Condition: conditionUnreadable, Error: err.Error(),
		EventID: r.EventID, EventName: r.EventName, StreamARN: r.EventSourceARN,
		SequenceNumber: r.Change.SequenceNumber, Keys: r.Change.Keys,
	}
}

// describeNote describes a failed note, whose text is all that there is of it.
func describeNote(m events.SQSMessage, err error) failedRecord {
	return failedRecord{
		Condition: conditionUnreadable, Error: err.Error(),
		EventID: m.MessageId, EventName: "GRACE", StreamARN: m.EventSourceARN, Keys: m.Body,
	}
}

// streamRecord is one record of a batch.
type streamRecord struct {
	sequence string
	record   presence.Record
	event    json.RawMessage
	err      error // why the event could not be read
}

// readRecord decodes one record of a batch by itself, so that an unreadable one fails alone.
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
