package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"heliograph"
	"heliograph/handlers/internal/topic"
	"heliograph/message"
	"heliograph/presence"
)

// changes publishes changes of presence.
type changes struct{ topic topic.Topic }

var _ presence.Publisher = changes{}

// change is a presence event in the contract's form.
type change struct {
	UserID   heliograph.UserID `json:"UserId"`
	IsOnline bool
	Version  int64
	At       string
}

// Publish publishes one event. Subscribers can also filter by whether the user is online.
func (p changes) Publish(ctx context.Context, e presence.Event) error {
	return p.topic.Publish(ctx, "OnlineStatusChanged",
		change{UserID: e.User, IsOnline: e.Online, Version: e.Version, At: topic.Time(e.At)},
		map[string]string{"IsOnline": strconv.FormatBool(e.Online)})
}

// graceQueue is an SQS queue that returns a note when the grace period is over.
type graceQueue struct {
	client sender
	url    string
	grace  time.Duration
}

// sender is the part of SQS that a graceQueue uses.
type sender interface {
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
}

var (
	_ sender              = (*sqs.Client)(nil)
	_ presence.GraceQueue = graceQueue{}
)

// Queue leaves a note. SQS delays by whole seconds, so the grace period is rounded up.
func (q graceQueue) Queue(ctx context.Context, g presence.Grace) error {
	body, err := message.JSON(g)
	if err != nil {
		return fmt.Errorf("encode the end of a grace period: %w", err)
	}
	_, err = q.client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl:     &q.url,
		MessageBody:  &body,
		DelaySeconds: int32((q.grace + time.Second - 1) / time.Second), // at most 15 minutes
	})
	return err
}
