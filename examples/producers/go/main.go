// Command go sends a user a message, as a backend in Go would:
//
//	SEND_QUEUE_URL=https://… go run ./examples/producers/go 1234 "Hello from Go"
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: go USER BODY")
	}
	if err := send(context.Background(), os.Getenv("SEND_QUEUE_URL"), os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

// send puts a message for a user on the queue.
func send(ctx context.Context, queue, user, body string) error {
	message, err := json.Marshal(map[string]string{"UserId": user, "Body": body})
	if err != nil {
		return fmt.Errorf("write the message: %w", err)
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	_, err = sqs.NewFromConfig(cfg).SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &queue, MessageBody: aws.String(string(message))})
	return err
}
