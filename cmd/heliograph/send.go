package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

type sendCommand struct {
	User string `required:"" short:"u" help:"The user to send to."`
	Body string `arg:"" help:"What to send; - reads it from standard input."`
}

func (sendCommand) Help() string {
	return `The message goes the way that a backend's messages go: through the SQS queue, to every open connection of the user.

Examples:
  heliograph send --user 1234 "Hello, world"
  heliograph --stack dev send --user 1234 - <message.json`
}

func (c *sendCommand) Run(ctx context.Context, w world, line *commands) error {
	t, err := line.target(ctx)
	if err != nil {
		return err
	}
	message, err := c.message(w.stdin)
	if err != nil {
		return err
	}
	out, err := t.queue().SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: aws.String(t.SendQueueURL), MessageBody: aws.String(message),
	})
	if err != nil {
		return fmt.Errorf("put the message on the queue %s: %w", t.SendQueueURL, err)
	}
	_, err = fmt.Fprintf(w.stdout, "queued as %s\n", aws.ToString(out.MessageId))
	return err
}

// message is the queue's contract: {"UserId","Body"}.
func (c *sendCommand) message(stdin io.Reader) (string, error) {
	body := c.Body
	if body == "-" {
		data, err := io.ReadAll(stdin)
		if err != nil {
			return "", fmt.Errorf("read the body from standard input: %w", err)
		}
		body = string(data)
	}
	message, err := json.Marshal(struct{ UserId, Body string }{c.User, body})
	return string(message), err
}
