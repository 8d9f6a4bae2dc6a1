package lambda

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"heliograph/simulator/pattern"
)

// event is the event of a DynamoDB stream. https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
func (s *StreamSource) event(records []StreamRecord) []byte {
	var event struct{ Records []json.RawMessage }
	for _, r := range records {
		event.Records = append(event.Records, r.Event)
	}
	return encode(event)
}

// passes reports whether a filter matches the record.
func (s *StreamSource) passes(r StreamRecord) bool {
	if len(s.filter) == 0 {
		return true
	}
	record, err := pattern.Decode[map[string]any](r.Event)
	return err == nil && s.filter.match(record)
}

// giveUp reports records that will not be retried, and sends their position in the stream to the destination.
// https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
func (s *StreamSource) giveUp(ctx context.Context, shard string, p piece, condition string) {
	problem(s.config.Problem, "%d records of %s are given up for %s: %s", len(p.records), s.config.StreamARN, s.config.Function, condition)
	if s.config.OnFailure == "" {
		return
	}
	first, last := p.records[0], p.records[len(p.records)-1]
	response := map[string]any{"statusCode": 200, "executedVersion": "$LATEST"}
	if p.last.FunctionError != "" {
		response["functionError"] = p.last.FunctionError
	}
	record := encode(map[string]any{
		"version": "1.0", "timestamp": time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
		"requestContext": map[string]any{
			"requestId": p.last.RequestID, "functionArn": s.config.Function, "condition": condition,
			"approximateInvokeCount": p.tries,
		},
		"responseContext": response,
		"DDBStreamBatchInfo": map[string]any{
			"shardId": shard, "startSequenceNumber": first.SequenceNumber, "endSequenceNumber": last.SequenceNumber,
			"approximateArrivalOfFirstRecord": first.Created.UTC().Format(time.RFC3339Nano),
			"approximateArrivalOfLastRecord":  last.Created.UTC().Format(time.RFC3339Nano),
			"batchSize":                       len(p.records), "streamArn": s.config.StreamARN,
		},
	})
	if err := s.config.Deliver(ctx, s.config.OnFailure, record); err != nil {
		problem(s.config.Problem, "the record of the failure could not be delivered to %s: %v", s.config.OnFailure, err)
	}
}

// accountOf is the account in an ARN.
func accountOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	return parts[4]
}
