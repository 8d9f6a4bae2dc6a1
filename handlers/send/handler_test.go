package main

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"heliograph/delivery"
)

// fakeDelivery keeps the records that it is given, and returns some of them to the queue.
type fakeDelivery struct {
	records []delivery.Record
	back    []string
}

func (d *fakeDelivery) Deliver(_ context.Context, records []delivery.Record) []string {
	d.records = records
	return d.back
}

// TestEvent proves that delivery receives everything it needs of each record in an event as Lambda sends it.
func TestEvent(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/event.json")
	if err != nil {
		t.Fatal(err)
	}
	var event events.SQSEvent
	if err := json.Unmarshal(text, &event); err != nil {
		t.Fatal(err)
	}
	d := &fakeDelivery{}
	if _, err := send(d)(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	want := []delivery.Record{
		{
			ID:     "059f36b4-87a3-44ab-83d2-661975830a7d",
			Body:   `{"UserId":"1234","Body":"hello \ud83d\ude00"}`,
			SentAt: time.UnixMilli(1767323045678),
			Attributes: map[string]types.MessageAttributeValue{
				"HeliographRetry": {DataType: aws.String("String"), StringValue: aws.String(`{"attempt":2}`)},
				"raw":             {DataType: aws.String("Binary"), BinaryValue: []byte{0, 1, 2}},
			},
			Group:       "acme",
			TraceHeader: "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
		},
		{ID: "2e1424d4-f796-459a-8184-9c92662be6da", Body: "not JSON"},
	}
	if diff := cmp.Diff(want, d.records, cmpopts.IgnoreUnexported(types.MessageAttributeValue{})); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// TestAnswer proves that the response has the form that SQS's event source reads: the ids that go back, in order.
func TestAnswer(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		back []string
		want string
	}{
		{"all settled", nil, `{"batchItemFailures":[]}`},
		{"some go back", []string{"b", "a"}, `{"batchItemFailures":[{"itemIdentifier":"b"},{"itemIdentifier":"a"}]}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			answer, err := send(&fakeDelivery{back: test.back})(t.Context(), events.SQSEvent{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(answer)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

// good returns an environment like the one that the Pulumi program sets.
func good() environment {
	return environment{
		TableName: "heliograph-dev", ConnectionsEndpoint: "https://abc.execute-api.eu-west-1.amazonaws.com/dev",
		QueueURL:           "https://sqs.eu-west-1.amazonaws.com/123456789012/heliograph-dev-messages",
		DeadLetterQueueURL: "https://sqs.eu-west-1.amazonaws.com/123456789012/heliograph-dev-messages-dead-letters",
	}
}

// TestBuild proves that the environment suffices to build the handler, without network access.
func TestBuild(t *testing.T) {
	t.Parallel()
	h, err := build(t.Context(), aws.Config{Region: "eu-west-1"}, good())
	if err != nil {
		t.Fatal(err)
	}
	answer, err := h(t.Context(), events.SQSEvent{})
	if err != nil || len(answer.BatchItemFailures) > 0 {
		t.Errorf("an empty batch: %v, %v", answer, err)
	}
}

// TestBuildRefuses proves that a malformed address is reported at start-up, before it can cost a message.
func TestBuildRefuses(t *testing.T) {
	t.Parallel()
	for name, field := range map[string]func(*environment) *string{
		"CONNECTIONS_ENDPOINT":  func(e *environment) *string { return &e.ConnectionsEndpoint },
		"QUEUE_URL":             func(e *environment) *string { return &e.QueueURL },
		"DEAD_LETTER_QUEUE_URL": func(e *environment) *string { return &e.DeadLetterQueueURL },
	} {
		for _, bad := range []string{"abc.execute-api.eu-west-1.amazonaws.com/dev", "wss://abc/dev", "https://", "https://%zz"} {
			t.Run(name+" "+bad, func(t *testing.T) {
				t.Parallel()
				e := good()
				*field(&e) = bad
				if _, err := build(t.Context(), aws.Config{}, e); err == nil || !strings.Contains(err.Error(), name) {
					t.Errorf("error %v, want one that names %s", err, name)
				}
			})
		}
	}
}
