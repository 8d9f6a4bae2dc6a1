package cloud

import (
	"context"
	"errors"
	"strings"
	"time"

	"heliograph/simulator/cloudwatch"
	"heliograph/simulator/dynamodb"
	"heliograph/simulator/sqs"
	"heliograph/simulator/wire"
)

// meterEvery is how often gauges and consumption become metrics: once a minute on AWS, sooner here because a developer
// is watching, and often enough for each minute of the metrics to have a value.
func (w *watch) meterEvery() time.Duration { return min(time.Second, w.store.Real(time.Minute)/2) }

// meter measures tables and queues until the context ends.
func (w *watch) meter(ctx context.Context, tables []*dynamodb.Table, queues []*sqs.Queue) {
	var meters []interface{ measure(w *watch) }
	for _, t := range tables {
		meters = append(meters, &tableMeter{table: t})
	}
	for _, q := range queues {
		meters = append(meters, &queueMeter{queue: q})
	}
	ticker := time.NewTicker(w.meterEvery())
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			for _, m := range meters {
				m.measure(w)
			}
		}
	}
}

// tableMeter turns a table's total consumption into the consumption since the last measurement. Only the sums of these
// metrics mean the same as on AWS, where each request is a separate value.
type tableMeter struct {
	table *dynamodb.Table
	seen  dynamodb.Usage
}

// measure records a table's consumption. As on AWS, an index's consumption is a metric of the index and does not count
// for the table.
func (m *tableMeter) measure(w *watch) {
	used := m.table.Usage()
	table := cloudwatch.Dimension{Name: "TableName", Value: m.table.Name()}
	w.consumed(used.Table, m.seen.Table, table)
	for name, units := range used.Indexes {
		w.consumed(units, m.seen.Indexes[name], table, cloudwatch.Dimension{Name: "GlobalSecondaryIndexName", Value: name})
	}
	m.seen = used
}

// consumed records the difference of two totals.
func (w *watch) consumed(now, before dynamodb.Units, dimensions ...cloudwatch.Dimension) {
	for name, units := range map[string]float64{
		"ConsumedReadCapacityUnits": now.Read - before.Read, "ConsumedWriteCapacityUnits": now.Write - before.Write,
	} {
		if units > 0 {
			w.put("AWS/DynamoDB", name, "Count", units, time.Now(), dimensions...)
		}
	}
}

// queueMeter turns a queue's totals into changes since the last measurement; gauges are recorded as they are.
type queueMeter struct {
	queue *sqs.Queue
	seen  sqs.Stats
}

func (m *queueMeter) measure(w *watch) {
	s, now := m.queue.Stats(), time.Now()
	put := func(name, unit string, value float64) {
		w.put("AWS/SQS", name, unit, value, now, cloudwatch.Dimension{Name: "QueueName", Value: m.queue.Name()})
	}
	put("ApproximateNumberOfMessagesVisible", "Count", float64(s.Visible))
	put("ApproximateNumberOfMessagesNotVisible", "Count", float64(s.NotVisible))
	put("ApproximateNumberOfMessagesDelayed", "Count", float64(s.Delayed))
	put("ApproximateAgeOfOldestMessage", "Seconds", float64(s.OldestAge/time.Second))
	put("NumberOfMessagesSent", "Count", float64(s.Sent-m.seen.Sent))
	put("NumberOfMessagesReceived", "Count", float64(s.Received-m.seen.Received))
	put("NumberOfMessagesDeleted", "Count", float64(s.Deleted-m.seen.Deleted))
	put("NumberOfEmptyReceives", "Count", float64(s.EmptyReceives-m.seen.EmptyReceives))
	m.seen = s
}

// called measures DynamoDB's calls; no other service here has metrics of its calls.
func (w *watch) called(call wire.Call, took time.Duration, err error) {
	if call.Service != "dynamodb" {
		return
	}
	for _, resource := range call.Resources {
		w.tableCalled(call.Action, resource, took, err)
	}
}

// throttles are the errors that count as throttling.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
var throttles = map[string]bool{"ProvisionedThroughputExceededException": true, "ThrottlingException": true, "RequestLimitExceeded": true}

// tableCalled measures a call to a table or its index, given arn:…:table/<name> or …:table/<name>/index/<index>.
func (w *watch) tableCalled(action, arn string, took time.Duration, err error) {
	_, path, isTable := strings.Cut(arn, ":table/")
	parts := strings.Split(path, "/")
	if !isTable || len(parts) > 1 && parts[1] != "index" {
		return
	}
	table := []cloudwatch.Dimension{{Name: "TableName", Value: parts[0]}}
	operation := append(table[:1:1], cloudwatch.Dimension{Name: "Operation", Value: action})
	now := time.Now()
	failure, failed := errors.AsType[*wire.Error](err)
	switch {
	case !failed && err == nil:
		w.put("AWS/DynamoDB", "SuccessfulRequestLatency", "Milliseconds", float64(took)/float64(time.Millisecond), now, operation...)
	case !failed || failure.HTTPStatus() >= 500:
		w.put("AWS/DynamoDB", "SystemErrors", "Count", 1, now, operation...)
	case failure.Code == "ConditionalCheckFailedException":
		w.put("AWS/DynamoDB", "ConditionalCheckFailedRequests", "Count", 1, now, table...)
	case throttles[failure.Code]:
		w.put("AWS/DynamoDB", "ThrottledRequests", "Count", 1, now, operation...)
		if len(parts) == 3 {
			table = append(table, cloudwatch.Dimension{Name: "GlobalSecondaryIndexName", Value: parts[2]})
		}
		w.put("AWS/DynamoDB", throttleEvents(action), "Count", 1, now, table...)
	}
}

func throttleEvents(action string) string {
	switch action {
	case "GetItem", "BatchGetItem", "Query", "Scan":
		return "ReadThrottleEvents"
	default:
		return "WriteThrottleEvents"
	}
}
