package sqs_test

import (
	"context"
	"fmt"
	"time"

	"heliograph/simulator/sqs"
)

// A poller receives, works, and deletes; a message that it does not delete comes again, and ends in the dead-letter
// queue.
func Example() {
	server := sqs.New(sqs.Options{Region: "eu-west-1", Account: "123456789012", Endpoint: "http://127.0.0.1:4700"})
	defer server.Close()
	dead, _ := server.Create("dead", nil)
	queue, _ := server.Create("work", map[string]string{
		"VisibilityTimeout": "0", // for the example: redeliver at once
		"RedrivePolicy":     `{"deadLetterTargetArn":"` + dead.ARN() + `","maxReceiveCount":2}`,
	})
	_, _ = queue.Send(sqs.Outgoing{Body: "hello"})

	ctx := context.Background()
	for range 3 {
		messages, _ := queue.Receive(ctx, 10, 0)
		for _, m := range messages {
			fmt.Println("received", m.Body, "for the time number", m.Attributes["ApproximateReceiveCount"])
		}
	}
	messages, _ := dead.Receive(ctx, 1, 20*time.Second)
	fmt.Println("dead:", messages[0].Body, "from", messages[0].Attributes["DeadLetterQueueSourceArn"])
	fmt.Println(dead.Delete(messages[0].ReceiptHandle))
	// Output:
	// received hello for the time number 1
	// received hello for the time number 2
	// dead: hello from arn:aws:sqs:eu-west-1:123456789012:work
	// <nil>
}
