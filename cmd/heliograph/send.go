package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"heliograph"
	"heliograph/message"
)

// sendCommand puts a message on the send queue, or one for each line of standard input.
type sendCommand struct {
	Users      []string `name:"user" short:"u" sep:"none" placeholder:"USER" help:"The user to send to; repeat for more users."`
	Connection string   `placeholder:"ID" help:"Send to this connection only."`
	Broadcast  bool     `help:"Send to all online users."`

	ID      string `help:"The message's Id: a repeat with the same Id is not delivered again."`
	Receipt bool   `help:"Publish a delivery receipt on the event topic; requires --id."`
	Expires string `placeholder:"TIME" help:"Drop the message after this time: a time such as 2026-01-02T15:04:05Z, or one from now such as 90s."`

	Group string `placeholder:"NAME" help:"The tenant that the message belongs to, so that no tenant's messages wait behind those of a busy one (MessageGroupId)."`

	Body string `arg:"" empty:"" help:"What to send; - reads it from standard input. Without a target, each line of that is a whole message."`
}

// lines reports whether each line of standard input is a message of its own.
func (c *sendCommand) lines() bool {
	return c.Body == "-" && len(c.Users) == 0 && c.Connection == "" && !c.Broadcast && c.ID == "" && !c.Receipt && c.Expires == ""
}

func (sendCommand) Help() string {
	return `The message takes the same route as a backend's: through the SQS queue, to every open connection of its target.

Examples:
  heliograph send --user 1234 "Hello, world"
  heliograph send --user 1234 --user 5678 --id order-7 --receipt "Shipped"
  heliograph send --broadcast --expires 90s "We restart in a minute"
  heliograph --stack dev send --user 1234 - <body.txt
  heliograph --stack dev send --user 1234 --group acme "Of the tenant acme"
  heliograph --stack dev send - <messages.jsonl     # a message a line: {"UserId":"1234","Body":"Hello"}`
}

// Validate is called by kong.
func (c *sendCommand) Validate() error {
	targets := 0
	for _, given := range []bool{len(c.Users) > 0, c.Connection != "", c.Broadcast} {
		if given {
			targets++
		}
	}
	switch {
	case targets != 1 && !c.lines():
		return errors.New("name the target by one of --user, --connection and --broadcast, or send - to read whole messages, one a line")
	case c.Receipt && c.ID == "":
		return errors.New("--receipt needs --id, by which the receipt is told from others")
	}
	return nil
}

func (c *sendCommand) Run(ctx context.Context, w world, line *commands) error {
	t, err := line.target(ctx)
	if err != nil {
		return err
	}
	if c.lines() {
		return sendLines(ctx, w, t, c.Group)
	}
	text, err := c.message(w)
	if err != nil {
		return err
	}
	out, err := t.queue().SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: aws.String(t.SendQueueURL), MessageBody: aws.String(text), MessageGroupId: optional(c.Group),
	})
	if err != nil {
		return fmt.Errorf("put the message on the queue %s: %w", t.SendQueueURL, err)
	}
	_, err = fmt.Fprintf(w.stdout, "queued as %s\n", aws.ToString(out.MessageId))
	return err
}

// optional returns nil for an empty text.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// message builds the text of the message; a body of "-" is read from standard input.
func (c *sendCommand) message(w world) (string, error) {
	m := message.Message{
		Connection: heliograph.ConnectionID(c.Connection), Broadcast: c.Broadcast, Body: []byte(c.Body), ID: c.ID, Receipt: c.Receipt,
	}
	for _, user := range c.Users {
		m.Users = append(m.Users, heliograph.UserID(user))
	}
	if c.Body == "-" {
		data, err := io.ReadAll(w.stdin)
		if err != nil {
			return "", fmt.Errorf("read the body from standard input: %w", err)
		}
		m.Body = data
	}
	if c.Expires != "" {
		at, err := expiry(c.Expires, w.now())
		if err != nil {
			return "", err
		}
		m.ExpiresAt = at
	}
	return m.Text(), nil
}

// expiry parses a time, or a duration from now.
func expiry(text string, now time.Time) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(d).UTC(), nil
	}
	return time.Time{}, fmt.Errorf("--expires is %q; it must be a time such as 2026-01-02T15:04:05Z, or one from now such as 90s or 1h30m", text)
}
