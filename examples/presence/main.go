// Command presence prints users coming and going. It reads a queue that is subscribed to the event topic, with raw
// delivery, as examples/backend declares one:
//
//	PRESENCE_QUEUE_URL=https://… go run ./examples/presence
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		log.Fatal(err)
	}
	s := subscriber{queue: sqs.NewFromConfig(cfg), url: os.Getenv("PRESENCE_QUEUE_URL"), seen: map[string]int64{}, out: os.Stdout}
	for ctx.Err() == nil {
		if err := s.receive(ctx); err != nil && ctx.Err() == nil {
			log.Fatal(err)
		}
	}
}

// event is one of the topic's events.
type event struct {
	EventName string
	Data      struct {
		UserID   string `json:"UserId"`
		IsOnline bool
		Version  int64
	}
}

// subscriber knows the newest version of each user's presence. One that must survive a restart keeps it in a database,
// and updates on condition that the version rises.
type subscriber struct {
	queue *sqs.Client
	url   string
	seen  map[string]int64
	out   io.Writer
}

// receive takes events from the queue. One is deleted after it was handled, so that a crash loses none.
func (s *subscriber) receive(ctx context.Context) error {
	batch, err := s.queue.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &s.url, MaxNumberOfMessages: 10, WaitTimeSeconds: 20})
	if err != nil {
		return err
	}
	for _, message := range batch.Messages {
		var e event
		if err := json.Unmarshal([]byte(aws.ToString(message.Body)), &e); err != nil {
			return fmt.Errorf("read an event: %w", err)
		}
		s.handle(e)
		if _, err := s.queue.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &s.url, ReceiptHandle: message.ReceiptHandle}); err != nil {
			return err
		}
	}
	return nil
}

// handle prints what an event says, unless a newer one, or the same, was here before: SNS and SQS repeat and reorder.
func (s *subscriber) handle(e event) {
	if e.EventName != "OnlineStatusChanged" || e.Data.Version <= s.seen[e.Data.UserID] {
		return
	}
	s.seen[e.Data.UserID] = e.Data.Version
	state := "offline"
	if e.Data.IsOnline {
		state = "online"
	}
	fmt.Fprintf(s.out, "%s is %s\n", e.Data.UserID, state)
}
