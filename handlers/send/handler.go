package main

import (
	"context"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"heliograph/delivery"
	"heliograph/observability"
)

// deliverer handles records and returns the ids of those that must go back to the queue.
type deliverer interface {
	Deliver(context.Context, []delivery.Record) []string
}

var _ deliverer = (*delivery.Deliverer)(nil)

// send hands the event's records to delivery. It never returns an error: an error would return the records that are
// done to the queue as well.
func send(d deliverer) observability.Handler[events.SQSEvent, events.SQSEventResponse] {
	return func(ctx context.Context, e events.SQSEvent) (events.SQSEventResponse, error) {
		records := make([]delivery.Record, len(e.Records))
		for i := range e.Records {
			records[i] = record(&e.Records[i])
		}
		failures := []events.SQSBatchItemFailure{} // empty, not nil: no record goes back
		for _, id := range d.Deliver(ctx, records) {
			failures = append(failures, events.SQSBatchItemFailure{ItemIdentifier: id})
		}
		return events.SQSEventResponse{BatchItemFailures: failures}, nil
	}
}

func record(m *events.SQSMessage) delivery.Record {
	r := delivery.Record{ID: m.MessageId, Body: m.Body, Group: m.Attributes["MessageGroupId"], TraceHeader: m.Attributes["AWSTraceHeader"]}
	if ms, err := strconv.ParseInt(m.Attributes["SentTimestamp"], 10, 64); err == nil {
		r.SentAt = time.UnixMilli(ms)
	}
	if len(m.MessageAttributes) > 0 {
		r.Attributes = make(map[string]types.MessageAttributeValue, len(m.MessageAttributes))
	}
	for name, a := range m.MessageAttributes {
		r.Attributes[name] = types.MessageAttributeValue{
			DataType: &a.DataType, StringValue: a.StringValue, BinaryValue: a.BinaryValue,
		}
	}
	return r
}
