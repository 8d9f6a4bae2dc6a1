package main

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/coder/websocket"

	"heliograph"
	"heliograph/message"
)

const (
	// greeter is the user that hello connects as. The name is Heliograph's own, so that on a deployed stack no real
	// user gets the message.
	greeter  = "heliograph-hello"
	greeting = "Hello, world"
	// helloLimit allows for cold starts and a follow-up, yet reports a broken stack soon.
	helloLimit = 30 * time.Second
)

// helloCommand takes one message through a running stack, to show that it works.
type helloCommand struct {
	credential
}

func (helloCommand) Help() string {
	return `Connects as the user ` + greeter + `, sends that user a message through the queue, waits until it arrives, and asks who is
online, so that every part of the stack takes part once. Each step is printed with the time it took. With --token, the
user is the one that the token names.

Example:
  heliograph hello`
}

func (c *helloCommand) Run(ctx context.Context, w world, line *commands) error {
	t, err := line.target(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, helloLimit)
	defer cancel()
	token, err := c.token(ctx, w.now(), t, greeter, time.Minute)
	if err != nil {
		return err
	}
	user, err := t.userOf(token)
	if err != nil {
		return err
	}
	return t.hello(ctx, w, token, user)
}

// hello takes one message through the stack, from connecting to its arrival, as the user that a token names.
func (t *target) hello(ctx context.Context, w world, token, user string) error {
	s := steps{w: w, last: w.now()}
	socket, err := dial(ctx, t.WebSocketURL, token)
	if err != nil {
		return err
	}
	// On a proper close the user goes offline at once; otherwise only when the lease ends.
	defer socket.Close(websocket.StatusNormalClosure, "")
	s.done("connected as the user "+user, "authorizer verified the token, connect recorded the connection")

	text := (&message.Message{Users: []heliograph.UserID{heliograph.UserID(user)}, Body: []byte(greeting)}).Text()
	if _, err := t.queue().SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: aws.String(t.SendQueueURL), MessageBody: &text,
	}); err != nil {
		return fmt.Errorf("put the message on the queue %s: %w", t.SendQueueURL, err)
	}
	s.done("queued "+text, "as your backend would")

	if err := await(ctx, socket); err != nil {
		return err
	}
	s.done(fmt.Sprintf("%q arrived on the connection", greeting), "send took it from the queue, found the connection, posted it")

	page, _, err := t.page(ctx, token, "/user/online?"+url.Values{"userId": {user}}.Encode())
	if err != nil {
		return err
	}
	s.done("GET /user/online answered "+string(bytes.TrimSpace(page)), "online read the table")
	return nil
}

// await reads until the greeting arrives. Concurrent runs share a user, so the greeting of another run counts too; other
// messages are for the user that --token names.
func await(ctx context.Context, socket *websocket.Conn) error {
	for {
		_, got, err := socket.Read(ctx)
		if err != nil {
			return fmt.Errorf("wait for the message: it did not arrive within %v (`heliograph dlq list` may say why): %w", helloLimit, err)
		}
		if string(got) == greeting {
			return nil
		}
	}
}

// steps prints each step as it completes: the step, how long it took, and the functions involved.
type steps struct {
	w    world
	last time.Time
}

func (s *steps) done(what, how string) {
	now := s.w.now()
	fmt.Fprintf(s.w.stdout, "%8s  %s\n          %s\n", now.Sub(s.last).Round(time.Millisecond), what, how)
	s.last = now
}
