package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"heliograph"
	"heliograph/handlers/internal/topic"
	"heliograph/presence"
)

// changes publishes who came and who went.
type changes struct{ topic topic.Topic }

var _ presence.Publisher = changes{}

// change is a presence event in the words of the contract.
type change struct {
	UserID   heliograph.UserID `json:"UserId"`
	IsOnline bool
	Version  int64
	At       string
}

// Publish publishes one event. Those who subscribe can filter by whether the user is online, too.
func (p changes) Publish(ctx context.Context, e presence.Event) error {
	return p.topic.Publish(ctx, "OnlineStatusChanged",
		change{UserID: e.User, IsOnline: e.Online, Version: e.Version, At: topic.Time(e.At)},
		map[string]string{"IsOnline": strconv.FormatBool(e.Online)})
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
		DelaySeconds: int32((q.grace + time.Second - 1) / time.Second), // 15 minutes at the most
	})
	return err
}
