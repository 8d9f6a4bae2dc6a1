package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-lambda-go/events"

	"heliograph/observability"
	"heliograph/presence"
)

// announcer decides what to announce. An error means that a record or note has to come again.
type announcer interface {
	Handle(context.Context, presence.Record) error
	GraceOver(context.Context, presence.Grace) error
}

var _ announcer = (*presence.Announcer)(nil)

// announce takes batches of both event sources, and tells them apart by their first record.
func announce(a announcer) observability.Handler[json.RawMessage, response] {
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
			return decoded(ctx, event, a, stream)
		case "aws:sqs":
			return decoded(ctx, event, a, notes)
		default:
			return response{}, fmt.Errorf("an event of source %q: want a table's stream or a queue", source)
		}
	}
}

func decoded[E any](ctx context.Context, event json.RawMessage, a announcer, do func(context.Context, announcer, E) response) (response, error) {
	var batch E
	if err := json.Unmarshal(event, &batch); err != nil {
		return response{}, fmt.Errorf("decode the records: %w", err)
	}
	return do(ctx, a, batch), nil
}

// stream handles records of the table's stream: those of one user in order, up to the first that fails. The
// answer names the first record of all that failed, because Lambda goes on from there.
func stream(ctx context.Context, a announcer, batch events.DynamoDBEvent) response {
	records := make([]presence.Record, len(batch.Records))
	for i, r := range batch.Records {
		records[i] = recordOf(r)
	}
	failed := inOrder(byPartition(records), func(i int) error { return attempt(ctx, func() error { return a.Handle(ctx, records[i]) }) })
	if len(failed) == 0 {
		return answer()
	}
	return answer(batch.Records[failed[0]].Change.SequenceNumber)
}

// notes handles the ends of grace periods. The answer names those that failed, and SQS brings them again.
func notes(ctx context.Context, a announcer, batch events.SQSEvent) response {
	failed := inOrder(eachAlone(len(batch.Records)), func(i int) error {
		var g presence.Grace
		return attempt(ctx, func() error {
			if err := json.Unmarshal([]byte(batch.Records[i].Body), &g); err != nil {
				return fmt.Errorf("decode the end of a grace period: %w", err)
			}
			return a.GraceOver(ctx, g)
		})
	})
	ids := make([]string, len(failed))
	for i, one := range failed {
		ids[i] = batch.Records[one].MessageId
	}
	return answer(ids...)
}

// attempt does one record. A panic fails only its own record; otherwise the whole batch would come again.
func attempt(ctx context.Context, do func() error) error {
	_, err := observability.Safely(func() (struct{}, error) { return struct{}{}, do() })
	if err != nil {
		observability.Log(ctx).Error("a record has to come again", "error", err)
	}
	return err
}
