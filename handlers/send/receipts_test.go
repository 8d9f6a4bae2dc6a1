package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sns"

	"heliograph/delivery"
	"heliograph/handlers/internal/topic"
)

type fakeSNS struct {
	in  *sns.PublishInput
	err error
}

func (f *fakeSNS) Publish(_ context.Context, in *sns.PublishInput, _ ...func(*sns.Options)) (*sns.PublishOutput, error) {
	f.in = in
	return &sns.PublishOutput{}, f.err
}

// TestPublish proves that a receipt is the documented event, byte for byte, with the attribute to filter by, and that
// an error from SNS is returned unchanged.
func TestPublish(t *testing.T) {
	t.Parallel()
	down := errors.New("SNS is down")
	client := &fakeSNS{err: down}
	settled := delivery.Receipt{
		ID: `order "17"`, Delivered: 1, Gone: 2, Offline: 3, Failed: 4, Expired: 5,
		Latency: 38*time.Millisecond + 999*time.Microsecond, At: time.Date(2026, 1, 2, 4, 4, 5, 0, time.FixedZone("", 3600)),
	}
	if err := (receipts{topic.Topic{Client: client, ARN: "arn:topic"}}).Publish(t.Context(), settled); !errors.Is(err, down) {
		t.Errorf("error %v", err)
	}
	want := `{"EventName":"MessageSettled","Data":{"Id":"order \"17\"","Delivered":1,"Gone":2,"Offline":3,"Failed":4,"Expired":5,` +
		`"LatencyMs":38,"At":"2026-01-02T03:04:05.000Z"}}`
	if *client.in.TopicArn != "arn:topic" || *client.in.Message != want {
		t.Errorf("published to %s: %s", *client.in.TopicArn, *client.in.Message)
	}
	name := client.in.MessageAttributes["EventName"]
	if len(client.in.MessageAttributes) != 1 || *name.DataType != "String" || *name.StringValue != "MessageSettled" {
		t.Errorf("attributes %v", client.in.MessageAttributes)
	}
}
