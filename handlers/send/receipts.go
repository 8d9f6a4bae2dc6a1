package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"heliograph/delivery"
)

// eventName tells receipts from the presence events on the same topic.
const eventName = "MessageSettled"

// timeFormat always has three digits of milliseconds; the time must be in UTC.
const timeFormat = "2006-01-02T15:04:05.000Z"

// message is a receipt as subscribers read it.
type message struct {
	EventName string
	Data      struct {
		ID        string `json:"Id"`
		Delivered int
		Gone      int
		Offline   int
		Failed    int
		Expired   int
		LatencyMs int64
		At        string
	}
}

// topic publishes receipts on SNS. Those who subscribe can filter them by an attribute.
type topic struct {
	client publisher
	arn    string
}

// publisher is what a topic needs of SNS.
type publisher interface {
	Publish(context.Context, *sns.PublishInput, ...func(*sns.Options)) (*sns.PublishOutput, error)
}

var (
	_ publisher         = (*sns.Client)(nil)
	_ delivery.Receipts = topic{}
)

// Publish publishes one receipt.
func (t topic) Publish(ctx context.Context, r delivery.Receipt) error {
	m := message{EventName: eventName}
	m.Data.ID, m.Data.LatencyMs, m.Data.At = r.ID, r.Latency.Milliseconds(), r.At.UTC().Format(timeFormat)
	m.Data.Delivered, m.Data.Gone, m.Data.Offline, m.Data.Failed, m.Data.Expired = r.Delivered, r.Gone, r.Offline, r.Failed, r.Expired
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode the receipt: %w", err)
	}
	_, err = t.client.Publish(ctx, &sns.PublishInput{
		TopicArn:          &t.arn,
		Message:           new(string(body)),
		MessageAttributes: map[string]types.MessageAttributeValue{"EventName": {DataType: new("String"), StringValue: new(eventName)}},
	})
	return err
}
