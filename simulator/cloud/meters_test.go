package cloud

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"heliograph/simulator/cloudwatch/alarm"
	"heliograph/simulator/dynamodb"
	"heliograph/simulator/gateway"
	"heliograph/simulator/lambda"
	"heliograph/simulator/sqs"
	"heliograph/simulator/wire"
)

// TestConsumedUnits proves that the consumption of a table and its index appears as AWS's metrics, each unit once, and
// that no consumption gives no metric.
func TestConsumedUnits(t *testing.T) {
	t.Parallel()
	c := newTestCloud(t)
	table, err := c.Tables.CreateTable(dynamodb.Definition{
		Name: "things", HashKey: "pk", BillingMode: "PAY_PER_REQUEST",
		Attributes: []dynamodb.Attribute{{Name: "pk", Type: "S"}, {Name: "gpk", Type: "S"}},
		Indexes:    []dynamodb.Index{{Name: "gsi1", HashKey: "gpk", Projection: "KEYS_ONLY"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	client := api.New(api.Options{
		Region: c.Region, BaseEndpoint: aws.String(c.EndpointURL()), Credentials: credentials.NewStaticCredentialsProvider("me", "me", ""),
	})
	m := &tableMeter{table: table}
	put := func(attributes ...string) {
		t.Helper()
		item := map[string]types.AttributeValue{}
		for _, name := range attributes {
			item[name] = &types.AttributeValueMemberS{Value: "a"}
		}
		if _, err := client.PutItem(t.Context(), &api.PutItemInput{TableName: aws.String("things"), Item: item}); err != nil {
			t.Fatal(err)
		}
		m.measure(c.watch)
	}
	put("pk")
	put("pk", "gpk")
	m.measure(c.watch)
	got := map[string][2]float64{}
	for _, s := range summaries(c.Metrics) {
		if s.Unit != "Count" { // the latency of the calls
			continue
		}
		got[s.Namespace+" "+s.Name+" "+s.Dimensions] = [2]float64{s.Sum, s.Count}
	}
	want := map[string][2]float64{
		"AWS/DynamoDB ConsumedWriteCapacityUnits TableName=things":                               {2, 2},
		"AWS/DynamoDB ConsumedWriteCapacityUnits GlobalSecondaryIndexName=gsi1 TableName=things": {1, 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// sums returns the sum of each metric in a namespace.
func sums(c *Cloud, namespace string) map[string]float64 {
	got := map[string]float64{}
	for _, s := range summaries(c.Metrics) {
		if s.Namespace == namespace && s.Unit == "Count" {
			got[s.Name+" "+s.Dimensions] = s.Sum
		}
	}
	return got
}

// TestTableCalls proves which errors count as throttling, which as the table's failure, and which as neither.
func TestTableCalls(t *testing.T) {
	t.Parallel()
	c := newTestCloud(t)
	const table, index = "arn:aws:dynamodb:us-east-1:000000000000:table/things", "arn:aws:dynamodb:us-east-1:000000000000:table/things/index/gsi1"
	for _, call := range []struct {
		action, resource string
		err              error
	}{
		{"PutItem", table, nil},
		{"PutItem", table, wire.Errorf("ConditionalCheckFailedException", "")},
		{"PutItem", table, wire.Errorf("ValidationException", "")},
		{"PutItem", table, wire.Errorf("ThrottlingException", "")},
		{"GetItem", table, &wire.Error{Code: "InternalServerError", Status: 500}},
		{"Query", table, errors.New("a bug")},
		{"Query", index, wire.Errorf("ProvisionedThroughputExceededException", "")},
		{"GetRecords", table + "/stream/2026", &wire.Error{Code: "InternalServerError", Status: 500}},
	} {
		c.watch.called(wire.Call{Service: "dynamodb", Action: call.action, Resources: []string{call.resource}}, 20*time.Millisecond, call.err)
	}
	c.watch.called(wire.Call{Service: "sqs", Action: "SendMessage", Resources: []string{table}}, 0, errors.New("another service"))
	want := map[string]float64{
		"ConditionalCheckFailedRequests TableName=things": 1, "WriteThrottleEvents TableName=things": 1,
		"ThrottledRequests Operation=PutItem TableName=things": 1, "ThrottledRequests Operation=Query TableName=things": 1,
		"SystemErrors Operation=GetItem TableName=things": 1, "SystemErrors Operation=Query TableName=things": 1,
		"ReadThrottleEvents GlobalSecondaryIndexName=gsi1 TableName=things": 1,
	}
	if diff := cmp.Diff(want, sums(c, "AWS/DynamoDB")); diff != "" {
		t.Error(diff)
	}
	for _, s := range summaries(c.Metrics) {
		if s.Unit == "Milliseconds" && (s.Name != "SuccessfulRequestLatency" || s.Dimensions != "Operation=PutItem TableName=things" || s.Sum != 20) {
			t.Errorf("%+v", s)
		}
	}
}

// TestQueueMeter proves that each change of a queue's totals is recorded once, and its gauges as they are.
func TestQueueMeter(t *testing.T) {
	t.Parallel()
	c := newTestCloud(t)
	queue, err := c.Queues.Create("q", nil)
	if err != nil {
		t.Fatal(err)
	}
	m := &queueMeter{queue: queue}
	for range 3 {
		if _, err := queue.Send(sqs.Outgoing{Body: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := queue.Receive(t.Context(), 1, 0); err != nil {
		t.Fatal(err)
	}
	m.measure(c.watch)
	m.measure(c.watch)
	got := sums(c, "AWS/SQS")
	want := map[string]float64{
		"ApproximateNumberOfMessagesVisible QueueName=q": 4, "ApproximateNumberOfMessagesNotVisible QueueName=q": 2, "ApproximateNumberOfMessagesDelayed QueueName=q": 0,
		"NumberOfMessagesSent QueueName=q": 3, "NumberOfMessagesReceived QueueName=q": 1, "NumberOfMessagesDeleted QueueName=q": 0, "NumberOfEmptyReceives QueueName=q": 0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestAlarmsReachTheirTopic proves that an alarm's notification arrives in a subscribed queue, and how a failure shows:
// a missing topic, or one encrypted with the managed key.
func TestAlarmsReachTheirTopic(t *testing.T) {
	t.Parallel()
	c := newTestCloud(t)
	topic, err := c.Topics.CreateTopic("alarms", nil)
	if err != nil {
		t.Fatal(err)
	}
	locked, err := c.Topics.CreateTopic("locked", map[string]string{"KmsMasterKeyId": managedKey})
	if err != nil {
		t.Fatal(err)
	}
	queue, err := c.Queues.Create("q", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Topics.Subscribe(topic, "sqs", queue.ARN(), map[string]string{"RawMessageDelivery": "true"}); err != nil {
		t.Fatal(err)
	}
	n := notifier{c.Topics, c.watch}
	page := alarm.Notification{Subject: "ALARM", Message: "wake up"}
	for topic, fails := range map[string]bool{string(topic): false, string(locked): true, string(topic) + "-gone": true} {
		if err := n.notify(t.Context(), topic, page); (err != nil) != fails {
			t.Errorf("%s: %v", topic, err)
		}
	}
	received, err := queue.Receive(t.Context(), 10, 0)
	if err != nil || len(received) != 1 || received[0].Body != "wake up" {
		t.Errorf("%+v %v", received, err)
	}
	want := map[string]float64{
		"NumberOfMessagesPublished TopicName=alarms": 1, "NumberOfNotificationsDelivered TopicName=alarms": 1,
		"NumberOfNotificationsFailed TopicName=locked": 1, "NumberOfNotificationsFailed TopicName=alarms-gone": 1,
	}
	if diff := cmp.Diff(want, sums(c, "AWS/SNS")); diff != "" {
		t.Error(diff)
	}
}

// TestSeveralSets proves that a metric has the same sets of dimensions as on AWS.
func TestSeveralSets(t *testing.T) {
	t.Parallel()
	c := newTestCloud(t)
	c.watch.gatewayMetric(gateway.Metric{API: "a1", Stage: "local", Name: "ConnectCount", Unit: "Count", Value: 1})
	c.watch.functionMetric(lambda.Metric{Function: "f", Name: "Errors", Unit: "Count", Value: 1})
	c.watch.functionMetric(lambda.Metric{Function: "f", Name: "ConcurrentExecutions", Unit: "Count", Value: 1})
	c.watch.functionMetric(lambda.Metric{Name: "ClaimedAccountConcurrency", Unit: "Count", Value: 1})
	want := map[string]float64{"ConnectCount ApiId=a1": 1, "ConnectCount ApiId=a1 Stage=local": 1}
	if diff := cmp.Diff(want, sums(c, "AWS/ApiGateway")); diff != "" {
		t.Error(diff)
	}
	want = map[string]float64{"Errors FunctionName=f": 1, "Errors ": 1, "ConcurrentExecutions FunctionName=f": 1, "ClaimedAccountConcurrency ": 1}
	if diff := cmp.Diff(want, sums(c, "AWS/Lambda")); diff != "" {
		t.Error(diff)
	}
}
