package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"heliograph/presence"
)

// eventName is the one kind of event there is.
const eventName = "OnlineStatusChanged"

// timeFormat always has three digits of milliseconds; the time must be in UTC.
const timeFormat = "2006-01-02T15:04:05.000Z"

// message is an event, in the words of the contract.
type message struct {
	EventName string
	Data      struct {
		UserID   presence.UserID `json:"UserId"`
		IsOnline bool
		Version  int64
		At       string
	}
}

// topic publishes events on SNS. Those who subscribe can filter them by two attributes.
type topic struct {
	client publisher
	arn    string
}

// publisher is what a topic needs of SNS.
type publisher interface {
	Publish(context.Context, *sns.PublishInput, ...func(*sns.Options)) (*sns.PublishOutput, error)
}

var (
	_ publisher          = (*sns.Client)(nil)
	_ presence.Publisher = topic{}
)

// Publish publishes one event.
func (t topic) Publish(ctx context.Context, e presence.Event) error {
	m := message{EventName: eventName}
	m.Data.UserID, m.Data.IsOnline, m.Data.Version = e.User, e.Online, e.Version
	m.Data.At = e.At.UTC().Format(timeFormat)
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode the event: %w", err)
	}
	_, err = t.client.Publish(ctx, &sns.PublishInput{
		TopicArn: &t.arn,
		Message:  new(string(body)),
		MessageAttributes: map[string]types.MessageAttributeValue{
			"EventName": stringAttribute(eventName),
			"IsOnline":  stringAttribute(strconv.FormatBool(e.Online)),
		},
	})
	return err
}

func stringAttribute(value string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: new("String"), StringValue: &value}
}

// graceQueue is an SQS queue that hands a note back when the grace period is over.
type graceQueue struct {
	client sender
	url    string
	grace  time.Duration
}

// sender is what a graceQueue needs of SQS.
type sender interface {
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
}

var (
	_ sender              = (*sqs.Client)(nil)
	_ presence.GraceQueue = graceQueue{}
)

// Queue leaves a note. SQS delays by whole seconds, so the grace period is rounded up.
func (q graceQueue) Queue(ctx context.Context, g presence.Grace) error {
	body, err := json.Marshal(g)
	if err != nil {
		return fmt.Errorf("encode the end of a grace period: %w", err)
	}
	_, err = q.client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl:     &q.url,
		MessageBody:  new(string(body)),
		DelaySeconds: int32((q.grace + time.Second - 1) / time.Second), //nolint:gosec // 15 minutes at the most
	})
	return err
}
