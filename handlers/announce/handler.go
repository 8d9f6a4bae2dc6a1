package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-lambda-go/events"

	"heliograph/observability"
	"heliograph/presence"
)

// announcer decides what to announce. After an error the record or note must be delivered again.
type announcer interface {
	Handle(context.Context, presence.Record) error
	GraceOver(context.Context, presence.Grace) error
}

var _ announcer = (*presence.Announcer)(nil)

// announce handles batches of both event sources, distinguished by their first record. Records that can never be
// handled go to failed.
func announce(a announcer, failed failures) observability.Handler[json.RawMessage, response] {
	return func(ctx context.Context, event json.RawMessage) (response, error) {
		var batch struct {
			Records []struct {
				EventSource string `json:"eventSource"`
			}
		}
		if err := json.Unmarshal(event, &batch); err != nil {
			return response{}, fmt.Errorf("decode the event: %w", err)
		}
		if len(batch.Records) == 0 {
			return answer(), nil
		}
		switch source := batch.Records[0].EventSource; source {
		case "aws:dynamodb":
			return decoded(event, func(batch streamEvent) response { return stream(ctx, a, failed, batch.Records) })
		case "aws:sqs":
			return decoded(event, func(batch events.SQSEvent) response { return notes(ctx, a, failed, batch) })
		default:
			return response{}, fmt.Errorf("an event of source %q: want a table's stream or a queue", source)
		}
	}
}

func decoded[E any](event json.RawMessage, do func(E) response) (response, error) {
	var batch E
	if err := json.Unmarshal(event, &batch); err != nil {
		return response{}, fmt.Errorf("decode the records: %w", err)
	}
	return do(batch), nil
}

// streamEvent is a batch of the table's stream.
type streamEvent struct{ Records []json.RawMessage }

// stream handles records of the table's stream: those of one user in order, up to the first that fails. The response
// names the earliest failed record, because Lambda resumes there. A record that can never succeed is put aside;
// otherwise Lambda would hold up everything after it.
func stream(ctx context.Context, a announcer, failed failures, batch []json.RawMessage) response {
	records := make([]streamRecord, len(batch))
	for i, event := range batch {
		records[i] = readRecord(event)
	}
	again := inOrder(byPartition(records), func(i int) error { return records[i].handle(ctx, a, failed) })
	if len(again) == 0 {
		return answer()
	}
	return answer(records[again[0]].sequence)
}

// handle handles a record. After an error it must be delivered again.
func (r streamRecord) handle(ctx context.Context, a announcer, failed failures) error {
	err := r.err
	if err == nil {
		err = attempt(ctx, func() error { return a.Handle(ctx, r.record) })
	}
	if !hopeless(err) {
		return err
	}
	return putAway(ctx, failed, describe(r.event, err))
}

// putAway keeps the description of a record that can never be handled. After an error it must be delivered again.
func putAway(ctx context.Context, failed failures, f failedRecord) error {
	if err := failed.Keep(ctx, f); err != nil {
		observability.Log(ctx).Error("a record has to come again", "error", err)
		return err
	}
	observability.Log(ctx).Error("a record was put away: it can't be handled", "error", f.Error, "eventId", f.EventID, "sequenceNumber", f.SequenceNumber)
	return nil
}

// notes handles the ends of grace periods. The response names the failed notes, which SQS delivers again.
func notes(ctx context.Context, a announcer, failed failures, batch events.SQSEvent) response {
	again := inOrder(eachAlone(len(batch.Records)), func(i int) error { return note(ctx, a, failed, batch.Records[i]) })
	ids := make([]string, len(again))
	for i, one := range again {
		ids[i] = batch.Records[one].MessageId
	}
	return answer(ids...)
}

// note handles the end of one grace period. After an error it must be delivered again.
func note(ctx context.Context, a announcer, failed failures, m events.SQSMessage) error {
	err := attempt(ctx, func() error {
		var g presence.Grace
		if err := json.Unmarshal([]byte(m.Body), &g); err != nil {
			return &unreadableEvent{fmt.Errorf("the end of a grace period: %w", err)}
		}
		return a.GraceOver(ctx, g)
	})
	if !hopeless(err) {
		return err
	}
	return putAway(ctx, failed, describeNote(m, err))
}

// attempt handles one record. A panic fails only its own record; otherwise the whole batch would be redelivered.
func attempt(ctx context.Context, do func() error) error {
	panicked := true
	_, err := observability.Safely(func() (struct{}, error) {
		err := do()
		panicked = false
		return struct{}{}, err
	})
	if panicked {
		err = &panicError{err}
	}
	if err != nil {
		observability.Log(ctx).Error("a record failed", "error", err)
	}
	return err
}
